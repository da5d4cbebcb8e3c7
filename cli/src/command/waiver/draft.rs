//! Waivers before they are in the ledger.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use custody_policy::{Waiver, WaiverError};
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use super::keys::read_key;
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, write_json};

/// Prints a waiver to fill in, with comments
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver draft > move.txt")]
pub(super) struct Draft {}

/// Signs a filled-in waiver and prints the signed note
///
/// Lines that begin with # and blank ones are left out of what is signed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver sign move.txt --key operator.key > move.note")]
pub(super) struct Sign {
    /// The waiver; `-` reads standard input
    draft: PathBuf,
    /// The key, as `custody waiver keygen` wrote it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Shows what a signed waiver lets pass, and whether its signature counts
///
/// Exit status 1 where no key of `policy.waiver_keys` has signed it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody waiver show move.note")]
pub(super) struct Show {
    /// The signed note; `-` reads standard input
    note: PathBuf,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Draft {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        io::stdout()
            .lock()
            .write_all(template(Timestamp::now()).as_bytes())?;
        Ok(Exit::Done)
    }
}

/// A waiver that is good as it stands, for three months from today.
fn template(now: Timestamp) -> String {
    let today = now.strftime("%Y-%m-%dT00:00:00Z").to_string();
    let until = now.checked_add((90 * 24).hours()).unwrap_or(now);
    let until = until.strftime("%Y-%m-%dT00:00:00Z");
    let id = now.strftime("w-%Y-%m-%d");
    format!(
        "\
custody.waiver/v1
# Lines that begin with # are not signed. The others stand in this order.

# A name that entries will cite: a-z, 0-9, '.', '_', '-'. Never used again.
id {id}
# Which findings it lets pass, with commas. Needed: no waiver is for everything.
codes storage_elsewhere

# What narrows it. A line that is left out means any.
# policies AE-2020
# services aliexpress
# recipients dhl
# Every purpose (or category) of an event must be one of these or narrower.
# purposes custody:purchase_delivery
# categories custody:contact
# Where the persons are: ISO 3166 codes, EU, EEA, UK, EUROPE.
# jurisdictions EU,UK

# For events that happen from then on, until before then (UTC). Never for ever.
from {today}
until {until}
# Why, on one line. It stays in the ledger: no personal data.
reason (say why)
"
    )
}

/// The lines that are signed, each with its number in the file.
fn signed_lines(draft: &str) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut numbers = Vec::new();
    for (number, line) in (1..).zip(draft.lines()) {
        let line = line.trim_end();
        if !line.is_empty() && !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
            numbers.push(number);
        }
    }
    (text, numbers)
}

/// Reads a draft; errors name the line of the file.
fn read_draft(name: &str, draft: &str) -> Result<Waiver, CommandError> {
    let (text, numbers) = signed_lines(draft);
    let usage = |text: String| CommandError::Usage(text);
    let waiver = Waiver::draft(&text).map_err(|error| match error {
        WaiverError::Line { line, error } => {
            let line = numbers.get(line - 1).copied().unwrap_or(line);
            usage(format!("{name}:{line}: {error}"))
        }
        other => usage(format!("{name}: {other}")),
    })?;
    if waiver.reason == "(say why)" {
        return Err(usage(format!("{name}: say why in the line `reason`")));
    }
    Ok(waiver)
}

impl Sign {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        let waiver = read_draft(&self.draft.display().to_string(), &read(&self.draft)?)?;
        let note = waiver
            .sign(&read_key(&self.key)?)
            .map_err(|error| CommandError::Usage(error.to_string()))?;
        io::stdout().lock().write_all(note.as_bytes())?;
        Ok(Exit::Done)
    }
}

impl Show {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = global.load(&[])?.config;
        let note = read(&self.note)?;
        let keys = config.policy.verifying_keys().unwrap_or_default();
        let (waiver, counts) = match Waiver::open(&note, &keys) {
            Ok(waiver) => (waiver, true),
            Err(error) => {
                writeln!(io::stderr(), "{}: {error}", self.note.display())?;
                // What it says is shown all the same.
                let text = note.split_once("\n\n").map(|(text, _)| format!("{text}\n"));
                match Waiver::draft(text.as_deref().unwrap_or(&note)) {
                    Ok(waiver) => (waiver, false),
                    Err(_) => return Ok(Exit::Bad),
                }
            }
        };
        let shown = Shown::of(&waiver, None);
        let mut out = io::stdout().lock();
        match Format::or_detected(self.format) {
            Format::Json => write_json(&mut out, &shown)?,
            Format::Csv => sheet(&[shown]).write_csv(&mut out)?,
            Format::Table => list(&shown).write_list(&mut out, Look::detected())?,
        }
        Ok(if counts { Exit::Done } else { Exit::Bad })
    }
}

/// A file's text, or that of standard input.
pub(super) fn read(path: &Path) -> Result<String, CommandError> {
    let read = if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })
}

/// A waiver as it is shown.
#[derive(Serialize)]
pub(super) struct Shown {
    pub(super) id: String,
    codes: Vec<&'static str>,
    policies: Vec<String>,
    services: Vec<String>,
    recipients: Vec<String>,
    purposes: Vec<&'static str>,
    categories: Vec<&'static str>,
    jurisdictions: Vec<String>,
    from: String,
    until: String,
    reason: String,
    /// Empty where no key that counts has signed it.
    signer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'static str>,
}

pub(super) fn moment(ns: i64) -> String {
    Timestamp::from_nanosecond(ns.into())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

impl Shown {
    pub(super) fn of(waiver: &Waiver, revoked_ns: Option<i64>) -> Self {
        Self {
            id: waiver.id.clone(),
            codes: waiver.codes.iter().map(|code| code.name()).collect(),
            policies: waiver.policies.clone(),
            services: waiver.services.clone(),
            recipients: waiver.recipients.clone(),
            purposes: waiver.purposes.iter().map(|term| term.curie()).collect(),
            categories: waiver.categories.iter().map(|term| term.curie()).collect(),
            jurisdictions: waiver
                .jurisdictions
                .iter()
                .map(ToString::to_string)
                .collect(),
            from: moment(waiver.from_ns),
            until: moment(waiver.until_ns),
            reason: waiver.reason.clone(),
            signer: waiver.signer.clone(),
            revoked: revoked_ns.map(moment),
            state: None,
        }
    }

    /// What narrows it, in one line.
    pub(super) fn scope(&self) -> String {
        let lists = [
            ("policies", self.policies.join(", ")),
            ("services", self.services.join(", ")),
            ("recipients", self.recipients.join(", ")),
            ("purposes", self.purposes.join(", ")),
            ("categories", self.categories.join(", ")),
            ("persons in", self.jurisdictions.join(", ")),
        ];
        let said: Vec<String> = lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| format!("{name} {list}"))
            .collect();
        match said.is_empty() {
            true => "everything".to_owned(),
            false => said.join("; "),
        }
    }

    pub(super) fn codes(&self) -> String {
        self.codes.join(", ")
    }

    pub(super) fn row(&self) -> [String; 8] {
        [
            self.id.clone(),
            self.codes(),
            self.scope(),
            self.from.clone(),
            self.until.clone(),
            match (self.state, &self.revoked) {
                (Some("revoked"), Some(at)) => format!("revoked {at}"),
                (state, _) => state.unwrap_or_default().to_owned(),
            },
            self.signer.clone(),
            self.reason.clone(),
        ]
    }
}

pub(super) fn sheet(all: &[Shown]) -> Sheet {
    let mut sheet = Sheet::new([
        "Waiver",
        "Findings",
        "For",
        "From",
        "Until",
        "State",
        "Signed by",
        "Reason",
    ]);
    for shown in all {
        sheet.push(shown.row());
    }
    sheet
}

fn list(shown: &Shown) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, value) in [
        ("waiver", shown.id.clone()),
        ("lets pass", shown.codes()),
        ("for", shown.scope()),
        ("from", shown.from.clone()),
        ("until", shown.until.clone()),
        ("reason", shown.reason.clone()),
        (
            "signed by",
            match shown.signer.as_str() {
                "" => "nobody who counts".to_owned(),
                signer => signer.to_owned(),
            },
        ),
    ] {
        sheet.push([name.to_owned(), value]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use custody_policy::generate_key;

    use super::*;

    fn filled() -> String {
        template(Timestamp::UNIX_EPOCH).replace("(say why)", "Moving the archive")
    }

    #[test]
    fn the_template_is_good_once_it_says_why() {
        let error = read_draft("d.txt", &template(Timestamp::UNIX_EPOCH)).unwrap_err();
        assert!(error.to_string().contains("say why"), "{error}");
        let waiver = read_draft("d.txt", &filled()).unwrap();
        assert_eq!(waiver.id, "w-1970-01-01");
        assert_eq!(moment(waiver.until_ns), "1970-04-01T00:00:00Z");
        // So is each line that is commented out.
        let all = filled()
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with(|c: char| c.is_lowercase()) => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect::<String>();
        let waiver = read_draft("d.txt", &all).unwrap();
        assert_eq!(waiver.jurisdictions.len(), 2, "{all}");
        assert_eq!((waiver.purposes.len(), waiver.recipients.len()), (1, 1));
    }

    #[test]
    fn an_error_names_the_line_of_the_file() {
        let draft = filled().replace("codes storage_elsewhere", "codes storage");
        let line = 1 + draft
            .lines()
            .position(|line| line.starts_with("codes"))
            .unwrap();
        let error = read_draft("d.txt", &draft).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("d.txt:{line}: \"storage\"")),
            "{error}"
        );
    }

    #[test]
    fn comments_are_not_signed() {
        let key = generate_key("operator.example").unwrap();
        let note = read_draft("d.txt", &filled()).unwrap().sign(&key).unwrap();
        assert!(!note.contains('#'), "{note}");
        let waiver = Waiver::open(&note, &[key.verifying_key().clone()]).unwrap();
        let shown = Shown::of(&waiver, None);
        assert_eq!(shown.scope(), "everything");
        assert_eq!(shown.signer, "operator.example");
    }
}
