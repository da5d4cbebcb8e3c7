//! Whether the vault is whole: every page and row opens, and agrees with the
//! others.

use std::io::{self, Write};

use custody_vault::VaultReport;
use serde::Serialize;

use crate::config::Config;
use crate::data_dir::{DirLock, vault_dir};
use crate::error::CommandError;
use crate::output::{count, items};
use crate::root_store::{open_vault, root_store};

/// What was found, or why it was not looked.
#[derive(Serialize)]
pub(super) struct Checked {
    pub(super) ok: bool,
    /// Why the vault was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    persons: u64,
    identifiers: u64,
    rows: u64,
    /// Rows that no key reaches: harmless.
    orphans: u64,
    faults: Vec<String>,
}

/// Opens the vault, which finishes what an interrupted erasure left to do, and
/// looks at everything in it. A copy without its root key cannot be looked at.
pub(super) fn check(config: &Config) -> Result<Checked, CommandError> {
    if !vault_dir(&config.data_dir).is_dir() {
        return Ok(Checked::skipped("there is none"));
    }
    let store = root_store(config)?;
    let has_key = store.get().is_ok_and(|keys| !keys.is_empty());
    if !has_key {
        return Ok(Checked::skipped(&format!(
            "its root key is not at {}",
            store.place()
        )));
    }
    let lock = match DirLock::take_existing(config) {
        // A copy on a medium that cannot be written.
        Err(CommandError::Write { .. }) => {
            return Ok(Checked::skipped("its directory cannot be written"));
        }
        lock => lock?,
    };
    let vault = open_vault(config)?;
    let bar = items(None, "checking the vault");
    let report = vault.check(&mut |rows| bar.set_position(rows));
    bar.finish_and_clear();
    let closed = vault.close();
    drop(lock);
    let failed = |error: &dyn std::error::Error| Checked {
        ok: false,
        faults: vec![error.to_string()],
        ..Checked::skipped("")
    };
    Ok(match (report, closed) {
        (Ok(report), Ok(())) => Checked::of(&report),
        (Err(error), _) => failed(&error),
        (_, Err(error)) => failed(&error),
    })
}

impl Checked {
    fn skipped(why: &str) -> Self {
        Self {
            ok: true,
            skipped: Some(why.to_owned()).filter(|why| !why.is_empty()),
            persons: 0,
            identifiers: 0,
            rows: 0,
            orphans: 0,
            faults: Vec::new(),
        }
    }

    fn of(report: &VaultReport) -> Self {
        let mut faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        if report.more_faults > 0 {
            faults.push(format!("and {} more faults", count(report.more_faults)));
        }
        Self {
            ok: report.ok(),
            skipped: None,
            persons: report.persons,
            identifiers: report.identifiers,
            rows: report.rows,
            orphans: report.orphans,
            faults,
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for fault in &self.faults {
            writeln!(out, "FAULT vault: {fault}")?;
        }
        match &self.skipped {
            Some(why) => writeln!(out, "note: the vault was not checked: {why}"),
            None if self.ok => writeln!(
                out,
                "Vault: {} persons with {} identifiers in {} rows, nothing is wrong.",
                count(self.persons),
                count(self.identifiers),
                count(self.rows)
            ),
            None => writeln!(out, "Vault: {} faults.", self.faults.len()),
        }
    }
}
