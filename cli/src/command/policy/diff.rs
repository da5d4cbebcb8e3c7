//! `custody policy diff`: what one version permits and another forbids.

use std::io::{self, Write};
use std::path::Path;

use custody_policy::{Change, Difference, Ruleset, diff};
use serde::Serialize;

use super::packs::{PackFlags, policy};
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, write_json};
use crate::ruleset::PackSources;

/// Says what became permitted or forbidden from one policy version to another
///
/// For each term and each place it is asked what either version says: declared
/// or not, on which conditions, for whom. Each version is looked at as it stood
/// at its last moment.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy diff ALB-2020 ALB-2025
  custody policy diff ALB-2020 ALB-2025 --topic purpose,recipient
  custody policy diff old/shop.toml shop.toml            two drafts of one version")]
pub(super) struct Args {
    /// The version before: an id, or a pack's file
    a: String,
    /// The version after
    b: String,
    #[command(flatten)]
    packs: PackFlags,
    /// Only these topics, such as `purpose` or `storage`
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    topic: Vec<String>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let sources = self.packs.sources(global)?;
        let (rules_a, a) = version(&sources, &self.a)?;
        let (rules_b, b) = version(&sources, &self.b)?;
        // Both were found.
        let mut changes = diff((&rules_a, &a), (&rules_b, &b)).unwrap_or_default();
        if !self.topic.is_empty() {
            changes.retain(|it| self.topic.iter().any(|topic| topic == it.topic.name()));
        }
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => {
                let shown = Shown {
                    before: &a,
                    after: &b,
                    differences: changes.iter().map(Row::of).collect(),
                };
                write_json(&mut out, &shown)?;
            }
            Format::Csv => records(&changes).write_csv(&mut out)?,
            Format::Table => write_people(&changes, (&a, &b), &mut out, Look::detected())?,
        }
        Ok(Exit::Done)
    }
}

/// The rules and the id of a version that is named by id or by file.
fn version(sources: &PackSources, named: &str) -> Result<(Ruleset, String), CommandError> {
    let path = Path::new(named);
    if !path.is_file() {
        let rules = sources.compile()?;
        let id = policy(&rules, named)?.id().to_owned();
        return Ok((rules, id));
    }
    let own = PackSources {
        files: vec![path.to_owned()],
        no_builtin: true,
    };
    let id = own.packs()?.first().map(|pack| pack.id().to_owned());
    let mut sources = sources.clone();
    sources.files.push(path.to_owned());
    Ok((sources.compile()?, id.unwrap_or_default()))
}

#[derive(Serialize)]
struct Shown<'a> {
    before: &'a str,
    after: &'a str,
    differences: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    topic: &'static str,
    change: &'static str,
    term: &'a str,
    label: &'a str,
    /// Empty for persons everywhere.
    places: &'a [&'static str],
    before: &'a str,
    after: &'a str,
    clauses_before: &'a [String],
    clauses_after: &'a [String],
    narrower: usize,
}

impl<'a> Row<'a> {
    fn of(it: &'a Difference) -> Self {
        Self {
            topic: it.topic.name(),
            change: it.change.name(),
            term: &it.term,
            label: &it.label,
            places: &it.places,
            before: &it.before,
            after: &it.after,
            clauses_before: &it.clauses_before,
            clauses_after: &it.clauses_after,
            narrower: it.narrower,
        }
    }
}

fn records(changes: &[Difference]) -> Sheet {
    let mut sheet = Sheet::new([
        "topic",
        "change",
        "term",
        "label",
        "places",
        "before",
        "after",
        "clauses_before",
        "clauses_after",
        "narrower",
    ]);
    for it in changes {
        sheet.push([
            it.topic.name().to_owned(),
            it.change.name().to_owned(),
            it.term.clone(),
            it.label.clone(),
            it.places.join(" "),
            it.before.clone(),
            it.after.clone(),
            it.clauses_before.join(" "),
            it.clauses_after.join(" "),
            it.narrower.to_string(),
        ]);
    }
    sheet
}

fn write_people(
    changes: &[Difference],
    (a, b): (&str, &str),
    out: &mut dyn Write,
    look: Look,
) -> io::Result<()> {
    if changes.is_empty() {
        return writeln!(out, "{a} and {b} permit the same.");
    }
    let mut topic = None;
    let mut sheet = Sheet::default();
    for it in changes {
        if topic != Some(it.topic) {
            if topic.is_some() {
                sheet.write_table(out, look)?;
                writeln!(out)?;
            }
            topic = Some(it.topic);
            sheet = Sheet::new([
                capital(it.topic.name()),
                "Change".to_owned(),
                "For persons in".to_owned(),
                a.to_owned(),
                b.to_owned(),
                "Clauses".to_owned(),
            ]);
        }
        sheet.push([
            name(it),
            it.change.name().to_owned(),
            match it.whom.as_str() {
                "" => "all places".to_owned(),
                whom => short(whom),
            },
            it.before.clone(),
            it.after.clone(),
            clauses(it),
        ]);
    }
    sheet.write_table(out, look)?;
    let number = |change: Change| changes.iter().filter(|it| it.change == change).count();
    writeln!(
        out,
        "\nFrom {a} to {b}: {} permitted, {} forbidden, {} looser, {} stricter, {} different",
        number(Change::Permitted),
        number(Change::Forbidden),
        number(Change::Looser),
        number(Change::Stricter),
        number(Change::Different),
    )
}

fn name(it: &Difference) -> String {
    let mut name = match it.term.as_str() {
        "" => it.label.clone(),
        term => format!("{} ({term})", it.label),
    };
    if it.narrower > 0 {
        name.push_str(&format!(" and {} narrower", it.narrower));
    }
    name
}

fn clauses(it: &Difference) -> String {
    match (it.clauses_before.is_empty(), it.clauses_after.is_empty()) {
        (true, true) => String::new(),
        (false, true) => it.clauses_before.join(", "),
        (true, false) => it.clauses_after.join(", "),
        (false, false) => format!(
            "{} → {}",
            it.clauses_before.join(", "),
            it.clauses_after.join(", ")
        ),
    }
}

/// Places that one still reads.
fn short(whom: &str) -> String {
    const NAMED: usize = 12;
    let places: Vec<&str> = whom.split(", ").collect();
    match places.len().checked_sub(NAMED) {
        Some(more) if more > 1 => format!("{} and {more} more", places[..NAMED].join(", ")),
        _ => whom.to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_drafts_of_one_version_are_compared() {
        let dir = tempfile::tempdir().unwrap();
        let draft = |name: &str, clauses: &str| {
            let path = dir.path().join(name);
            let text = format!(
                "format = 1\npolicy.id = \"S-1\"\npolicy.family = \"S\"\npolicy.title = \"S\"\n\
                 policy.services = [\"s\"]\npolicy.effective = 2026-01-01\nclause = [{clauses}]\n"
            );
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let old = draft("old.toml", "");
        let new = draft(
            "new.toml",
            r#"{ id = "S-1.1", section = "1", kind = "no_sale", summary = "s" }"#,
        );
        let sources = PackSources::default();
        let (rules_a, a) = version(&sources, &old).unwrap();
        let (rules_b, b) = version(&sources, &new).unwrap();
        assert_eq!((a.as_str(), b.as_str()), ("S-1", "S-1"));
        let changes = diff((&rules_a, &a), (&rules_b, &b)).unwrap();
        let mut out = Vec::new();
        let look = Look {
            width: None,
            colour: false,
        };
        write_people(&changes, (&a, &b), &mut out, look).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("selling data") && text.contains("S-1.1"),
            "{text}"
        );
        assert!(text.ends_with("0 permitted, 0 forbidden, 0 looser, 1 stricter, 0 different\n"));
    }

    #[test]
    fn many_places_are_shortened() {
        let many: Vec<String> = (0..20).map(|n| format!("P{n}")).collect();
        assert!(short(&many.join(", ")).ends_with("P11 and 8 more"));
        assert_eq!(short("DE, FR"), "DE, FR");
    }
}
