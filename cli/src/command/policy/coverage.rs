//! `custody policy coverage`: how each clause is reflected.

use std::io::{self, Write};

use custody_policy::{Covered, Policy, Treatment, coverage};
use serde::Serialize;

use super::packs::{PackFlags, policy};
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, write_json};

/// Shows how each clause of the policies is reflected, and by what
///
/// A clause is enforced (the judge finds what is contrary to it), recorded (a
/// kind of event is its evidence), answered (a report or a right answers it) or
/// stated (with the reason why nothing can be checked). Fails where one is none
/// of these.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy coverage --summary
  custody policy coverage ALB-2025
  custody policy coverage --pack corner-shop.toml      that pack's clauses")]
pub(super) struct Args {
    /// One policy version; all by default, or with --pack those of the packs
    id: Option<String>,
    #[command(flatten)]
    packs: PackFlags,
    /// Totals only
    #[arg(long)]
    summary: bool,
    /// Only clauses treated so
    #[arg(long, value_name = "TREATMENT", value_delimiter = ',')]
    treatment: Vec<Wanted>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    Enforced,
    Recorded,
    Answered,
    Stated,
}

impl Wanted {
    const fn name(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Recorded => "recorded",
            Self::Answered => "answered",
            Self::Stated => "stated",
        }
    }
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let rules = self.packs.compile(global)?;
        let given = self.packs.given()?;
        let policies: Vec<&Policy> = match &self.id {
            Some(id) => vec![policy(&rules, id)?],
            None => rules
                .policies()
                .filter(|it| given.is_empty() || given.iter().any(|id| id == it.id()))
                .collect(),
        };
        let mut out = io::stdout().lock();
        let report = Report::of(&policies);
        let wanted = |row: &&Row| {
            self.treatment.is_empty()
                || row.treatment == NONE
                || self.treatment.iter().any(|it| it.name() == row.treatment)
        };
        let rows: Vec<&Row> = match self.summary {
            true => Vec::new(),
            false => report.clauses.iter().filter(wanted).collect(),
        };
        match Format::or_detected(self.format) {
            Format::Json => {
                let shown = Shown {
                    covered: report.uncovered == 0,
                    totals: &report.totals,
                    clauses: (!self.summary).then_some(rows),
                };
                write_json(&mut out, &shown)?;
            }
            Format::Csv if self.summary => totals(&report.totals).write_csv(&mut out)?,
            Format::Csv => clauses(&rows).write_csv(&mut out)?,
            Format::Table => {
                if !self.summary {
                    clauses(&rows).write_table(&mut out, Look::detected())?;
                    writeln!(out)?;
                }
                totals(&report.totals).write_table(&mut out, Look::detected())?;
                if report.uncovered > 0 {
                    let are = if report.uncovered == 1 {
                        "clause is"
                    } else {
                        "clauses are"
                    };
                    writeln!(out, "\n{} {are} not covered", report.uncovered)?;
                }
            }
        }
        Ok(if report.uncovered == 0 {
            Exit::Done
        } else {
            Exit::Bad
        })
    }
}

/// What stands in place of a treatment where there is none.
const NONE: &str = "none";

#[derive(Serialize)]
struct Shown<'a> {
    covered: bool,
    totals: &'a [Total],
    #[serde(skip_serializing_if = "Option::is_none")]
    clauses: Option<Vec<&'a Row>>,
}

struct Report {
    clauses: Vec<Row>,
    totals: Vec<Total>,
    uncovered: usize,
}

#[derive(Serialize)]
struct Row {
    policy: String,
    clause: String,
    section: String,
    kind: &'static str,
    treatment: &'static str,
    by: Vec<String>,
    summary: String,
}

#[derive(Default, Serialize)]
struct Total {
    policy: String,
    clauses: usize,
    enforced: usize,
    recorded: usize,
    answered: usize,
    stated: usize,
    none: usize,
}

impl Total {
    fn add(&mut self, covered: &Covered<'_>) {
        self.clauses += 1;
        let place = match covered.clause.treatment {
            _ if !covered.is_covered() => &mut self.none,
            Treatment::Enforced => &mut self.enforced,
            Treatment::Recorded => &mut self.recorded,
            Treatment::Answered => &mut self.answered,
            Treatment::Stated => &mut self.stated,
        };
        *place += 1;
    }
}

impl Report {
    fn of(policies: &[&Policy]) -> Self {
        let mut report = Self {
            clauses: Vec::new(),
            totals: Vec::new(),
            uncovered: 0,
        };
        let mut all = Total {
            policy: "all".to_owned(),
            ..Total::default()
        };
        for policy in policies {
            let mut total = Total {
                policy: policy.id().to_owned(),
                ..Total::default()
            };
            for covered in coverage(policy) {
                total.add(&covered);
                all.add(&covered);
                report.clauses.push(Row::of(&covered));
            }
            report.totals.push(total);
        }
        report.uncovered = all.none;
        if report.totals.len() > 1 {
            report.totals.push(all);
        }
        report
    }
}

impl Row {
    fn of(covered: &Covered<'_>) -> Self {
        let clause = covered.clause;
        Self {
            policy: covered.policy.to_owned(),
            clause: clause.id.clone(),
            section: clause.section.clone(),
            kind: clause.kind.name(),
            treatment: match covered.is_covered() {
                true => clause.treatment.name(),
                false => NONE,
            },
            by: covered.by(),
            summary: clause.summary.clone(),
        }
    }
}

fn clauses(rows: &[&Row]) -> Sheet {
    let mut sheet = Sheet::new(["Clause", "Section", "Kind", "Treatment", "By", "Summary"]);
    for row in rows {
        let by = match row.treatment {
            "recorded" => format!("recorded by {}", row.by.join(", ")),
            "answered" => format!("answered by {}", row.by.join(", ")),
            "stated" => format!("stated because {}", lower(&row.by.join("; "))),
            _ => row.by.join(", "),
        };
        sheet.push([
            row.clause.clone(),
            row.section.clone(),
            row.kind.to_owned(),
            row.treatment.to_owned(),
            by,
            row.summary.clone(),
        ]);
    }
    sheet
}

/// A reason in the middle of a sentence.
fn lower(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_lowercase().to_string());
    // An abbreviation keeps its letters.
    match (first, letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first + letters.as_str(),
        _ => reason.to_owned(),
    }
}

fn totals(totals: &[Total]) -> Sheet {
    let mut sheet = Sheet::new([
        "Policy", "Clauses", "Enforced", "Recorded", "Answered", "Stated", "None", "Stated %",
    ]);
    for column in 1..8 {
        sheet = sheet.number(column);
    }
    for total in totals {
        let share = total.stated as f64 * 100.0 / total.clauses.max(1) as f64;
        sheet.push([
            total.policy.clone(),
            total.clauses.to_string(),
            total.enforced.to_string(),
            total.recorded.to_string(),
            total.answered.to_string(),
            total.stated.to_string(),
            total.none.to_string(),
            format!("{share:.1}"),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use custody_policy::Ruleset;

    use super::*;

    #[test]
    fn the_five_are_covered_and_less_than_a_tenth_is_stated() {
        let policies: Vec<&Policy> = Ruleset::builtin().policies().collect();
        let report = Report::of(&policies);
        assert_eq!(report.uncovered, 0);
        let all = report.totals.last().unwrap();
        assert_eq!(all.policy, "all");
        assert_eq!(all.clauses, report.clauses.len());
        assert_eq!(
            all.enforced + all.recorded + all.answered + all.stated,
            all.clauses
        );
        assert!(all.stated * 10 < all.clauses);
    }

    #[test]
    fn a_reason_goes_on_in_a_sentence() {
        assert_eq!(lower("Nothing can be seen."), "nothing can be seen.");
        assert_eq!(lower("EU law says so."), "EU law says so.");
        assert_eq!(lower(""), "");
    }
}
