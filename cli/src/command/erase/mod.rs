//! `custody erase`: a person's keys destroyed, after whoever asks for it has
//! seen what goes.

mod confirm;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_proto::v1::{EraseSubjectRequest, EraseSubjectResponse, ErasurePreview};

use crate::args::Global;
use crate::client::Place;
use crate::command::asking::{Form, Source};
use crate::command::subject::read_id;
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Rendering, spinner, write_answer, write_out_of_reach};
use crate::rights;

/// Erases persons: destroys the keys of what was said about them
///
/// First shows what would go, what stays and why, who is to be told, and where
/// this does not reach. Then asks, and destroys the keys under a new root key.
/// It cannot be undone.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody erase account:1001 --preview
  custody erase account:1001 --ticket dsr-2026-017 --certificate erased.json
  custody erase @id.txt --yes --format json
  custody erase --file leavers.txt --reason account-closed --yes
  custody check erased.json --key-file custody.vkey

Reason and ticket are codes, `[a-z0-9._-]{1,64}`: they stay in the ledger when
the person is gone. Whoever is linked with the person goes too.

Exit status: 0 erased, or shown with --preview; 1 where a hold is waited for, or
no certificate could be written; 2 wrong usage, or refused.")]
pub struct Args {
    /// The person: `scheme:value`, `-` to read that from standard input, or
    /// `@FILE` to read it from a file
    #[arg(
        value_name = "ID",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    id: Option<String>,
    /// Many persons at once, under one new root key: one identifier a line
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only shows what would go
    #[arg(long, conflicts_with_all = ["yes", "certificate"])]
    preview: bool,
    /// Does not ask; needed where standard input is no terminal
    #[arg(long)]
    yes: bool,
    /// Why, a code
    #[arg(long, value_name = "CODE", default_value = "request")]
    reason: String,
    /// Your number of the case, a code
    #[arg(long, value_name = "CODE", default_value = "")]
    ticket: String,
    /// Marks the identifiers: who comes again with one is treated as erased on
    /// this day, until data is collected afresh or consent is given. Without
    /// either flag, as erasure.mark of the node says
    #[arg(long, conflicts_with = "no_mark")]
    mark: bool,
    /// Leaves no mark
    #[arg(long)]
    no_mark: bool,
    /// Writes the certificate to this file
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    form: Form,
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let mut identifiers = self.identifiers()?;
        if !self.preview && !self.yes {
            confirm::can_ask(self.id.as_deref())?;
        }
        let config = self.source.files(global)?;
        let place = Place::of(config.as_ref(), &self.source.server);
        let rendering = self.form.rendering();
        let mut request = EraseSubjectRequest {
            subject: identifiers.remove(0),
            more_subjects: identifiers,
            preview: true,
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            mark: (self.mark || self.no_mark).then_some(self.mark),
            ..EraseSubjectRequest::default()
        };
        let bar = spinner("looking");
        let seen = rights::erase(place, request.clone());
        bar.finish_and_clear();
        let seen = seen?;
        if self.preview {
            write_answer(&seen, &mut io::stdout().lock(), &rendering)?;
            return Ok(Exit::Done);
        }
        let preview = seen.erasure_preview.clone().unwrap_or_default();
        if !self.yes {
            // For whoever is asked: the answer itself is of the form asked for.
            let for_people = Rendering {
                format: Format::Table,
                look: Look::detected(),
                ..rendering.clone()
            };
            write_answer(&seen, &mut io::stderr().lock(), &for_people)?;
            if !confirm::ask(&request, preview.persons)? {
                writeln!(io::stderr(), "Nothing was erased.")?;
                return Ok(Exit::Bad);
            }
        }
        request.preview = false;
        request.confirm.clone_from(&preview.confirm);
        let bar = spinner("erasing");
        let done = rights::erase(place, request);
        bar.finish_and_clear();
        self.tell(&done?, &preview, &rendering)
    }

    fn identifiers(&self) -> Result<Vec<String>, CommandError> {
        match (&self.file, &self.id) {
            (Some(path), _) => read_file(path),
            (None, Some(id)) => Ok(vec![read_id(id)?]),
            (None, None) => Err(CommandError::Usage("name a person or a --file".to_owned())),
        }
    }

    /// What was done.
    fn tell(
        &self,
        done: &EraseSubjectResponse,
        preview: &ErasurePreview,
        rendering: &Rendering,
    ) -> Result<Exit, CommandError> {
        write_answer(done, &mut io::stdout().lock(), rendering)?;
        let erasure = done.erasure.clone().unwrap_or_default();
        let mut err = io::stderr();
        if erasure.state != "done" {
            writeln!(
                err,
                "Nothing was erased yet: it goes on by itself; `custody erasure show {}` says \
                 how it stands.",
                erasure.id
            )?;
            return Ok(Exit::Bad);
        }
        if rendering.format == Format::Table {
            write_out_of_reach(preview, &mut io::stdout().lock())?;
        }
        let Some(path) = &self.certificate else {
            return Ok(Exit::Done);
        };
        if done.certificate.is_empty() {
            writeln!(
                err,
                "Erased, but nothing is signed yet: `custody erasure show {} --certificate {}` \
                 writes the certificate.",
                erasure.id,
                path.display()
            )?;
            return Ok(Exit::Bad);
        }
        write_certificate(path, &done.certificate)?;
        Ok(Exit::Done)
    }
}

/// One identifier a line; empty lines and what follows `#` at the start of one
/// are passed over.
fn read_file(path: &Path) -> Result<Vec<String>, CommandError> {
    let text = fs::read_to_string(path).map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut identifiers = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let is_sound = line
            .split_once(':')
            .is_some_and(|(scheme, value)| !scheme.is_empty() && !value.is_empty());
        if !is_sound {
            return Err(CommandError::Usage(format!(
                "{}:{number}: a person is named as `scheme:value`, such as account:1001",
                path.display()
            )));
        }
        identifiers.push(line.to_owned());
    }
    if identifiers.is_empty() {
        return Err(CommandError::Usage(format!(
            "{} names nobody",
            path.display()
        )));
    }
    Ok(identifiers)
}

pub(super) fn write_certificate(path: &Path, certificate: &[u8]) -> Result<(), CommandError> {
    fs::write(path, certificate).map_err(|source| CommandError::Write {
        path: path.to_owned(),
        source,
    })?;
    let path = path.display();
    writeln!(
        io::stderr(),
        "The certificate is in {path}; `custody check {path} --key-file VKEY` verifies it."
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_a_person_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("leavers.txt");
        fs::write(&path, "# May\naccount:1001\r\n\naccount:1002\n").unwrap();
        assert_eq!(read_file(&path).unwrap(), ["account:1001", "account:1002"]);
        for (text, says) in [("\n#\n", "nobody"), ("account:1\nme@example.com\n", ":2:")] {
            fs::write(&path, text).unwrap();
            let error = read_file(&path).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("me@"), "{error}");
        }
    }
}
