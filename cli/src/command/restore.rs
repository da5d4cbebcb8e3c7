//! `custody restore`: a backup put in place, and verified there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_ingest::erase::{Replayed, replay_register};
use custody_ledger::{Progress, VerifyOptions};
use custody_query::backup::{BACKUP_FILE, BACKUP_FORMAT, BACKUP_PARTS};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::Global;
use crate::config::{Config, Flag};
use crate::data_dir::{ledger_dir, vault_dir};
use crate::error::{CommandError, Exit};
use crate::output::{Format, Look, Sheet, count, items, sized, spinner, write_json};
use crate::root_store::{open_vault, root_store};

use super::verify::write_report;

/// How much is read and written at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// A key that is not in place.
const MISSING: &str = "missing";

/// What is made again by itself.
const DERIVED: [&str; 3] = ["read_model", "state", "duplicates"];

/// Puts a backup into a data directory, and verifies it there
///
/// The data directory must be absent or empty, but for the root key, the
/// register of erasures and the signing key, which are in no backup.
///
/// Whoever was erased since the backup was made is erased again, from the
/// register beside the root key, before anything is served.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody restore /mnt/backup/custody-1 --data /var/lib/custody

Exit status 1 where what was restored is not whole; each fault is named. Put the
root key where `root_key` says, or beside the data directory as `DIR.root.key`, and the
signing key into it. The root key is that of the backup's time: every erasure
made a new one, and `custody root recover` gives an older one back from its
shares. Messages since the backup are read again from Kafka while they are there.")]
pub struct Args {
    /// The backup: a directory that `custody backup` made
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// The data directory to make
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Restores without the register of erasures. Persons who were erased since
    /// the backup was made are then there again
    #[arg(long)]
    no_register: bool,
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
    register: String,
    /// `missing`, `replayed`, or `to be replayed`: when the node starts.
    register_state: &'static str,
    /// Persons who were in the backup and are erased again.
    erased_again: u64,
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
        if !self.no_register {
            check_register(&config)?;
        }

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
        let (root_key_state, replayed) = replay(&config)?;
        let restored = Restored {
            data_dir: dir.display().to_string(),
            entries: report.entries(),
            blocks: report.blocks(),
            verified: true,
            root_key: config.root_key_path().display().to_string(),
            root_key_state,
            register: config.register_path().display().to_string(),
            register_state: match (&replayed, config.register_path().exists()) {
                (Some(_), _) => "replayed",
                (None, true) => "to be replayed",
                (None, false) => MISSING,
            },
            erased_again: replayed.map_or(0, |replayed| replayed.persons),
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
        let beside = [
            config.root_key_path(),
            config.register_path(),
            config.signing_key_path(),
        ];
        if !beside.contains(&path) {
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

/// Without the register nobody can tell who was erased since the backup.
fn check_register(config: &Config) -> Result<(), CommandError> {
    let path = config.register_path();
    if path.is_file() {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "the register of erasures is not at {}: put it there, as it was beside the root key; or, \
         where nobody was ever erased, say --no-register",
        path.display()
    )))
}

/// A root key that is there must be the right one. Whoever the register names
/// is then erased again; without a root key that is done when the node starts.
fn replay(config: &Config) -> Result<(&'static str, Option<Replayed>), CommandError> {
    let failed = |error| CommandError::store("the root key", &config.data_dir)(error);
    let keys = root_store(config)?.get().map_err(failed)?;
    if keys.is_empty() {
        return Ok((MISSING, None));
    }
    let vault = open_vault(config)?;
    let register = config.register_path();
    let replayed = register
        .is_file()
        .then(|| replay_register(&vault, &register))
        .transpose()
        .map_err(CommandError::store("the register", &config.data_dir));
    vault
        .close()
        .map_err(CommandError::store("the vault", &config.data_dir))?;
    Ok(("opens the vault", replayed?))
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
        match self.register_state {
            "replayed" => writeln!(
                out,
                "{} persons who were erased since this backup are erased again, from the \
                 register at {}.",
                count(self.erased_again),
                self.register
            )?,
            MISSING => writeln!(
                out,
                "Without a register of erasures, persons who were erased since this backup are \
                 there again."
            )?,
            _ => writeln!(
                out,
                "Whoever the register at {} names is erased again when the node starts, before \
                 it answers.",
                self.register
            )?,
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
    fn a_register_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path().join("data"));
        let error = check_register(&config).unwrap_err();
        assert!(error.to_string().contains("--no-register"), "{error}");
        fs::create_dir(&config.data_dir).unwrap();
        fs::write(config.register_path(), "custody.erasures/v1\n").unwrap();
        check_register(&config).unwrap();
        check_place(&config).unwrap();
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
