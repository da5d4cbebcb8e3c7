//! `custody policy list` and `custody policy show`.

use std::io::{self, Write};

use custody_policy::Policy;
use custody_proto::Timestamp;
use custody_proto::v1::{self, GetPolicyResponse, ListPoliciesResponse};

use super::message;
use super::packs::{PackFlags, policy};
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, Zone, write_json};

/// Lists the policy versions that events are judged by
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy list
  custody policy list --pack corner-shop.toml --format csv")]
pub(super) struct List {
    #[command(flatten)]
    packs: PackFlags,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Shows one policy version, clause by clause
///
/// Summaries are in words of our own; the policy's text is the authority.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy show ALB-2025
  custody policy show ALB-2025 --kind recipient")]
pub(super) struct Show {
    /// Its id
    id: String,
    #[command(flatten)]
    packs: PackFlags,
    /// Only clauses of these kinds, such as `purpose`
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let rules = self.packs.compile(global)?;
        let answer = ListPoliciesResponse {
            policies: rules
                .policies()
                .map(|it| message::head(&rules, it))
                .collect(),
            ruleset: message::digest(&rules),
        };
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &answer)?,
            Format::Csv => versions(&answer).write_csv(&mut out)?,
            Format::Table => {
                versions(&answer).write_table(&mut out, Look::detected())?;
                writeln!(out, "\nRuleset {}", answer.ruleset)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn versions(answer: &ListPoliciesResponse) -> Sheet {
    let mut sheet = Sheet::new([
        "Policy",
        "Title",
        "Services",
        "In force from",
        "Until",
        "Clauses",
    ])
    .number(5);
    let day = |at: Option<Timestamp>| Zone::utc().day(at);
    for it in &answer.policies {
        let clauses: u64 = it.clauses_by_treatment.values().sum();
        sheet.push([
            it.id.clone(),
            it.title.clone(),
            it.services.join(", "),
            day(it.effective_at),
            day(it.ends_at),
            clauses.to_string(),
        ]);
    }
    sheet
}

impl Show {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let rules = self.packs.compile(global)?;
        let it: &Policy = policy(&rules, &self.id)?;
        let mut shown = message::whole(&rules, it);
        if !self.kind.is_empty() {
            shown
                .clauses
                .retain(|clause| self.kind.contains(&clause.kind));
        }
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => {
                let answer = GetPolicyResponse {
                    policy: Some(shown),
                };
                write_json(&mut out, &answer)?;
            }
            Format::Csv => clauses(&shown, true).write_csv(&mut out)?,
            Format::Table => {
                writeln!(out, "{} ({})", shown.id, shown.title)?;
                about(&shown).write_list(&mut out, Look::detected())?;
                writeln!(out)?;
                clauses(&shown, false).write_table(&mut out, Look::detected())?;
            }
        }
        Ok(Exit::Done)
    }
}

fn about(policy: &v1::Policy) -> Sheet {
    let mut sheet = Sheet::default();
    let until = match policy.ends_at {
        Some(at) => format!(" until {}", Zone::utc().day(Some(at))),
        None => String::new(),
    };
    let from = Zone::utc().day(policy.effective_at);
    for (name, value) in [
        ("services", policy.services.join(", ")),
        ("in force", format!("from {from}{until}")),
        ("succeeds", policy.succeeds.clone()),
        ("needs a legal basis", policy.basis_required.join(", ")),
        ("lists of bases are closed", policy.bases_closed.join(", ")),
        (
            "needs a safeguard to leave",
            policy.safeguard_required.join(", "),
        ),
    ] {
        if !value.is_empty() {
            sheet.push([name.to_owned(), value]);
        }
    }
    sheet
}

fn clauses(policy: &v1::Policy, everything: bool) -> Sheet {
    let mut headers = vec!["Clause", "Section", "Kind", "Code", "Where", "Summary"];
    if everything {
        headers.extend(["Covers", "Open", "Treatment", "By", "Addendum", "Note"]);
    }
    let mut sheet = Sheet::new(headers);
    for it in &policy.clauses {
        let mut whom = it.r#where.join(", ");
        if !it.except.is_empty() {
            whom.push_str(&format!(" except {}", it.except.join(", ")));
        }
        let mut row = vec![
            it.id.clone(),
            it.section.clone(),
            it.kind.clone(),
            it.code.clone(),
            whom.trim_start().to_owned(),
            it.summary.clone(),
        ];
        if everything {
            row.extend([
                it.covers.join(" "),
                it.open.clone(),
                it.treatment.clone(),
                it.treated_by.join(", "),
                it.addendum.clone(),
                it.note.clone(),
            ]);
        }
        sheet.push(row);
    }
    sheet
}
