//! `custody restore`: a backup put in place, and verified there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_ledger::{Progress, VerifyOptions};
use custody_query::backup::{BACKUP_FILE, BACKUP_FORMAT, BACKUP_PARTS};
use custody_vault::{Vault, VaultOptions};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::data_dir::{ledger_dir, vault_dir};
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, count, items, sized, spinner, write_json};

use super::verify::write_report;

/// How much is read and written at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// A key that is not in place.
const MISSING: &str = "missing";

/// What is made again by itself.
const DERIVED: [&str; 3] = ["read_model", "state", "duplicates"];

/// Puts a backup into a data directory, and verifies it there
///
/// The data directory must be absent or empty, but for the root key and the
/// signing key, which are in no backup.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody restore /mnt/backup/custody-1 --data /var/lib/custody

Exit status 1 where what was restored is not whole; each fault is named. Put the
root key where `root_key` says, or beside the data directory as `DIR.root.key`, and the
signing key beside it. Messages since the backup are read again from Kafka while
they are there.")]
pub struct Args {
    /// The backup: a directory that `custody backup` made
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// The data directory to make
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// table (on a terminal), json (elsewhere), csv
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// What was put in place.
#[derive(Serialize)]
struct Restored {
    data_dir: String,
    entries: u64,
    blocks: u64,
    verified: bool,
    root_key: String,
    /// `missing`, or `opens the vault`.
    root_key_state: &'static str,
    signing_key: String,
    /// `missing`, or `there`.
    signing_key_state: &'static str,
    made_again: [&'static str; 3],
}

impl Args {
    pub(crate) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        global.start_quiet_logs()?;
        let flag = Flag {
            flag: "--data",
            key: "data_dir",
            value: self.data.as_ref().map(|dir| dir.display().to_string()),
        };
        let config = global.load(&[flag])?.config;
        let dir = &config.data_dir;
        check_backup(&self.from)?;
        check_place(&config)?;

        make_dir(dir)?;
        let [from_ledger, from_vault] = BACKUP_PARTS.map(|part| self.from.join(part));
        let copying = spinner("copying the ledger");
        custody_ledger::restore(&from_ledger, &ledger_dir(dir))
            .map_err(CommandError::store("the ledger", dir))?;
        copying.finish_and_clear();
        copy(&from_vault, &vault_dir(dir))?;
        sync_dir(dir)?;
        let report = verify(dir)?;
        if !report.ok() {
            write_report(&report, &mut io::stderr().lock(), Look::detected())?;
            return Ok(Exit::Bad);
        }
        let restored = Restored {
            data_dir: dir.display().to_string(),
            entries: report.entries(),
            blocks: report.blocks(),
            verified: true,
            root_key: config.root_key_path().display().to_string(),
            root_key_state: root_key_state(&config)?,
            signing_key: config.signing_key_path().display().to_string(),
            signing_key_state: match config.signing_key_path().exists() {
                true => "there",
                false => MISSING,
            },
            made_again: DERIVED,
        };
        restored.write(Format::or_detected(self.format), &mut io::stdout().lock())?;
        Ok(Exit::Done)
    }
}

/// It must say that it is a backup, and have both parts.
fn check_backup(from: &Path) -> Result<(), CommandError> {
    let path = from.join(BACKUP_FILE);
    let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => CommandError::Usage(format!(
            "{} is no backup, or one that broke off: it has no file `{BACKUP_FILE}`",
            from.display()
        )),
        _ => CommandError::Read {
            path: path.clone(),
            source,
        },
    })?;
    if text.lines().next() != Some(BACKUP_FORMAT) {
        return Err(CommandError::Usage(format!(
            "{} is not of the format `{BACKUP_FORMAT}`",
            path.display()
        )));
    }
    match BACKUP_PARTS.iter().find(|part| !from.join(part).is_dir()) {
        Some(part) => Err(CommandError::Usage(format!(
            "{} has no `{part}`",
            from.display()
        ))),
        None => Ok(()),
    }
}

/// Nothing may be there but keys.
fn check_place(config: &Config) -> Result<(), CommandError> {
    let dir = &config.data_dir;
    let reading = |source| CommandError::Read {
        path: dir.clone(),
        source,
    };
    let found = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(reading)?,
    };
    for entry in found {
        let path = entry.map_err(reading)?.path();
        if path != config.root_key_path() && path != config.signing_key_path() {
            return Err(CommandError::Usage(format!(
                "{} is not empty: a backup is restored into a new directory",
                dir.display()
            )));
        }
    }
    Ok(())
}

/// Copies the files under a directory, durably.
fn copy(from: &Path, to: &Path) -> Result<(), CommandError> {
    let mut files = Vec::new();
    list(from, Path::new(""), &mut files)?;
    let bar = sized(
        files.iter().map(|file| file.bytes).sum(),
        "copying the vault",
    );
    make_dir(to)?;
    for file in &files {
        if file.is_dir {
            make_dir(&to.join(&file.path))?;
        } else {
            copy_file(&from.join(&file.path), &to.join(&file.path), &bar)?;
        }
    }
    // Names are durable once their directories are.
    for dir in files.iter().filter(|file| file.is_dir) {
        sync_dir(&to.join(&dir.path))?;
    }
    sync_dir(to)?;
    bar.finish_and_clear();
    Ok(())
}

fn sync_dir(dir: &Path) -> Result<(), CommandError> {
    File::open(dir)
        .and_then(|open| open.sync_all())
        .map_err(writing(dir))
}

struct Found {
    path: PathBuf,
    is_dir: bool,
    bytes: u64,
}

/// Every file and directory under `dir`, a directory before what is in it.
fn list(dir: &Path, name: &Path, found: &mut Vec<Found>) -> Result<(), CommandError> {
    let reading = |source| CommandError::Read {
        path: dir.to_owned(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let metadata = entry.metadata().map_err(reading)?;
        let path = name.join(entry.file_name());
        found.push(Found {
            path: path.clone(),
            is_dir: metadata.is_dir(),
            bytes: if metadata.is_dir() { 0 } else { metadata.len() },
        });
        if metadata.is_dir() {
            list(&entry.path(), &path, found)?;
        }
    }
    Ok(())
}

fn make_dir(dir: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(dir).map_err(writing(dir))
}

fn copy_file(from: &Path, to: &Path, bar: &ProgressBar) -> Result<(), CommandError> {
    let reading = |source| CommandError::Read {
        path: from.to_owned(),
        source,
    };
    let mut source = File::open(from).map_err(reading)?;
    let mut target = File::create_new(to).map_err(writing(to))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = source.read(&mut chunk).map_err(reading)?;
        if read == 0 {
            break;
        }
        target.write_all(&chunk[..read]).map_err(writing(to))?;
        bar.inc(read as u64);
    }
    target.sync_all().map_err(writing(to))
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> CommandError {
    let path = path.to_owned();
    move |source| CommandError::Write { path, source }
}

fn verify(dir: &Path) -> Result<custody_ledger::VerifyReport, CommandError> {
    let bar = items(Some(0), "verifying");
    let shown = bar.clone();
    let options = VerifyOptions {
        progress: Some(Arc::new(move |progress: Progress| {
            shown.set_length(progress.total_blocks.max(progress.blocks));
            shown.set_position(progress.blocks);
        })),
        scratch: Some(dir.to_owned()),
        ..VerifyOptions::default()
    };
    let report = custody_ledger::verify(&ledger_dir(dir), &options)
        .map_err(CommandError::store("the ledger", dir))?;
    bar.finish_and_clear();
    Ok(report)
}

/// A root key that is there must be the right one.
fn root_key_state(config: &Config) -> Result<&'static str, CommandError> {
    let key = config.root_key_path();
    if !key.exists() {
        return Ok(MISSING);
    }
    let options = VaultOptions {
        unique_schemes: config.identity.unique_schemes.clone(),
        ..VaultOptions::default()
    };
    let vault = Vault::open(&vault_dir(&config.data_dir), &key, options)
        .map_err(CommandError::store("the vault", &config.data_dir))?;
    vault
        .close()
        .map_err(CommandError::store("the vault", &config.data_dir))?;
    Ok("opens the vault")
}

impl Restored {
    fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => return write_json(out, self),
            Format::Csv => {
                let mut sheet = Sheet::new(["data_dir", "entries", "blocks", "root_key_state"]);
                sheet.push([
                    self.data_dir.clone(),
                    self.entries.to_string(),
                    self.blocks.to_string(),
                    self.root_key_state.to_owned(),
                ]);
                return sheet.write_csv(out);
            }
            Format::Table => {}
        }
        writeln!(
            out,
            "{} holds a ledger of {} entries in {} blocks; nothing is wrong with it.",
            self.data_dir,
            count(self.entries),
            count(self.blocks)
        )?;
        if self.root_key_state == MISSING {
            writeln!(
                out,
                "The root key is in no backup: put it at {} before the node is started.",
                self.root_key
            )?;
        } else {
            writeln!(out, "The root key at {} opens the vault.", self.root_key)?;
        }
        if self.signing_key_state == MISSING {
            writeln!(
                out,
                "Nor is the signing key: put it at {}, or nobody who trusts it can check what \
                 comes.",
                self.signing_key
            )?;
        }
        writeln!(
            out,
            "`custody serve` makes {}, {} and {} again from the ledger; until it has, it \
             answers UNAVAILABLE. Then it reads on from Kafka where this backup ends.",
            self.made_again[0], self.made_again[1], self.made_again[2]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(data_dir: PathBuf) -> Config {
        Config {
            data_dir,
            ..Config::default()
        }
    }

    #[test]
    fn only_a_new_directory_is_filled() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path().join("data"));
        check_place(&config).unwrap();
        fs::create_dir(&config.data_dir).unwrap();
        check_place(&config).unwrap();
        fs::write(config.data_dir.join("root.key"), "key").unwrap();
        check_place(&config).unwrap();
        fs::write(config.data_dir.join("custody.lock"), "").unwrap();
        let error = check_place(&config).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
    }

    #[test]
    fn what_is_no_backup_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = || check_backup(dir.path()).unwrap_err().to_string();
        assert!(refused().contains("no backup"));
        fs::write(dir.path().join(BACKUP_FILE), "custody.backup/v2\n").unwrap();
        assert!(refused().contains("format"));
        fs::write(dir.path().join(BACKUP_FILE), format!("{BACKUP_FORMAT}\n")).unwrap();
        assert!(refused().contains("ledger"));
        for part in BACKUP_PARTS {
            fs::create_dir(dir.path().join(part)).unwrap();
        }
        check_backup(dir.path()).unwrap();
    }

    #[test]
    fn a_tree_is_copied_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::create_dir_all(from.join("tables/a")).unwrap();
        let long = vec![7; CHUNK_BYTES + 1];
        fs::write(from.join("tables/a/0"), &long).unwrap();
        fs::write(from.join("empty"), "").unwrap();
        let to = dir.path().join("to");
        copy(&from, &to).unwrap();
        assert!(fs::read(to.join("tables/a/0")).unwrap() == long);
        assert!(to.join("empty").is_file());
    }
}
