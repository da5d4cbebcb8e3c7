//! A data directory and the stores in it, opened in the order in which they
//! need each other.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use custody_ingest::duplicates::DuplicateIndex;
use custody_ingest::erase::register;
use custody_ledger::{Ledger, LedgerOptions, NotaryOptions, OnSigned};
use custody_query::{ReadModel, ReadModelOptions};
use custody_vault::Vault;
use rustix::fs::{FlockOperation, flock};

use crate::config::Config;
use crate::error::CommandError;
use crate::output::spinner;
use crate::root_store::open_vault;
use crate::signing;

const LEDGER: &str = "ledger";
const VAULT: &str = "vault";
const READ_MODEL: &str = "read_model";
const DUPLICATES: &str = "duplicates";
const STATE: &str = "state";
const LOCK: &str = "custody.lock";

/// How long signing all of a ledger may take: its trees and maps may have to
/// be made again.
const SIGNING_TIMEOUT: Duration = Duration::from_secs(3600);

/// The ledger's directory in a data directory.
pub fn ledger_dir(data: &Path) -> PathBuf {
    data.join(LEDGER)
}

/// The vault's directory in a data directory.
pub fn vault_dir(data: &Path) -> PathBuf {
    data.join(VAULT)
}

/// How the configuration has the ledger kept. Nothing is signed.
pub(crate) fn ledger_options(config: &Config) -> LedgerOptions {
    let Config { ledger, .. } = config;
    let signed_anchor_dir = Some(&ledger.signed_anchor_dir);
    LedgerOptions {
        segment_bytes: ledger.segment_bytes,
        cache_bytes: ledger.cache_bytes,
        rotate_bytes: ledger.rotate_bytes,
        rotate_age: Duration::from_secs(ledger.rotate_age_s),
        signed_anchor_dir: signed_anchor_dir
            .filter(|dir| !dir.as_os_str().is_empty())
            .cloned(),
        ..LedgerOptions::default()
    }
}

/// An open data directory. One process has it open at a time.
pub struct DataDir {
    dir: PathBuf,
    /// Held for as long as the stores are open.
    _lock: DirLock,
    /// Keys and identifiers.
    pub vault: Vault,
    /// The truth.
    pub ledger: Ledger,
}

impl DataDir {
    /// Opens the stores; makes what is not there. Nothing is signed.
    ///
    /// # Errors
    /// [`CommandError::Store`] where another process has the directory open or
    /// a store cannot be opened.
    pub fn open(config: &Config) -> Result<Self, CommandError> {
        Self::open_with(config, |_| Ok(None))
    }

    /// The same for a process that takes entries in: what it appends is signed,
    /// and `on_signed` is told.
    ///
    /// # Errors
    /// [`CommandError::SigningKeys`], else as [`DataDir::open`].
    pub fn open_signing(
        config: &Config,
        on_signed: Option<OnSigned>,
    ) -> Result<Self, CommandError> {
        Self::open_with(config, |config| {
            let mut signers = signing::signers(config)?;
            let mut options = NotaryOptions::new(signers.remove(0));
            options.signers.extend(signers.into_iter().map(Arc::new));
            options.interval = Duration::from_millis(config.ledger.checkpoint_interval_ms);
            options.on_signed = on_signed;
            Ok(Some(options))
        })
    }

    fn open_with(
        config: &Config,
        notary: impl FnOnce(&Config) -> Result<Option<NotaryOptions>, CommandError>,
    ) -> Result<Self, CommandError> {
        let dir = config.data_dir.clone();
        let write_error = |source| CommandError::Write {
            path: dir.clone(),
            source,
        };
        std::fs::create_dir_all(&dir).map_err(write_error)?;
        let lock = DirLock::take(&dir)?;
        let is_new = !vault_dir(&dir).is_dir();
        let vault = open_vault(config)?;
        if is_new {
            begin_register(config)?;
        }
        let keys = vault.clone();
        let options = LedgerOptions {
            // Keys are durable before the blocks that need them.
            before_commit: Some(Arc::new(move || keys.flush())),
            ..ledger_options(config)
        };
        let open = |options| {
            Ledger::open(&ledger_dir(&dir), options)
                .map_err(CommandError::store("the ledger", &dir))
        };
        // A ledger signs under its id, which a new one gets when it is made.
        if !ledger_dir(&dir).is_dir() {
            open(options.clone())?
                .close()
                .map_err(CommandError::store("the ledger", &dir))?;
        }
        let ledger = open(LedgerOptions {
            notary: notary(config)?,
            ..options
        })?;
        Ok(Self {
            dir,
            _lock: lock,
            vault,
            ledger,
        })
    }

    /// Opens the stores of a directory that holds a ledger.
    ///
    /// # Errors
    /// [`CommandError::NoLedger`], else as [`DataDir::open`].
    pub fn open_existing(config: &Config) -> Result<Self, CommandError> {
        holds_ledger(config)?;
        Self::open(config)
    }

    /// The same for a process that appends to it: what it appends is signed.
    ///
    /// # Errors
    /// [`CommandError::NoLedger`], else as [`DataDir::open_signing`].
    pub fn open_existing_signing(config: &Config) -> Result<Self, CommandError> {
        holds_ledger(config)?;
        Self::open_signing(config, None)
    }

    /// The same, and waits until everything in it is signed.
    ///
    /// # Errors
    /// [`CommandError::NoLedger`]; [`CommandError::Stopped`] where it cannot be
    /// signed; else as [`DataDir::open_signing`].
    pub fn open_signed(config: &Config) -> Result<Self, CommandError> {
        holds_ledger(config)?;
        let data = Self::open_signing(config, None)?;
        let bar = spinner("signing");
        let heads = data.ledger.shards();
        let sizes: Vec<_> = heads
            .iter()
            .map(|(_, head)| (head.shard, head.size))
            .collect();
        let signed = data.ledger.wait_published(&sizes, SIGNING_TIMEOUT);
        bar.finish_and_clear();
        if signed.is_some() {
            return Ok(data);
        }
        let reason = data.ledger.poisoned();
        let reason = reason.unwrap_or_else(|| "it takes too long".to_owned());
        data.close()?;
        Err(CommandError::Stopped {
            what: "signing",
            reason,
        })
    }

    /// Opens the read model. It may be behind the ledger.
    ///
    /// # Errors
    /// [`CommandError::Store`].
    pub fn read_model(&self) -> Result<ReadModel, CommandError> {
        let dir = self.dir.join(READ_MODEL);
        ReadModel::open(&dir, &self.ledger, &ReadModelOptions::default())
            .map_err(CommandError::store("the read model", &self.dir))
    }

    /// Where the read model lies.
    pub fn read_model_dir(&self) -> PathBuf {
        self.dir.join(READ_MODEL)
    }

    /// Opens the index of duplicates. It may be behind the ledger.
    ///
    /// # Errors
    /// [`CommandError::Store`].
    pub fn duplicates(
        &self,
        window_days: u32,
        now_ns: i64,
    ) -> Result<DuplicateIndex, CommandError> {
        DuplicateIndex::open(
            &self.dir.join(DUPLICATES),
            self.vault.clone(),
            window_days,
            now_ns,
        )
        .map_err(CommandError::store("the index of duplicates", &self.dir))
    }

    /// Where the index of duplicates lies.
    pub fn duplicates_dir(&self) -> PathBuf {
        self.dir.join(DUPLICATES)
    }

    /// Where the states of persons lie.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join(STATE)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Makes everything durable and closes the stores. Whatever reads from
    /// them must have been dropped.
    ///
    /// # Errors
    /// [`CommandError::Store`].
    pub fn close(self) -> Result<(), CommandError> {
        // The ledger's last commits still call on the vault.
        self.ledger
            .close()
            .map_err(CommandError::store("the ledger", &self.dir))?;
        self.vault
            .close()
            .map_err(CommandError::store("the vault", &self.dir))
    }
}

/// The register of erasures of a new vault, so that who restores a backup can
/// tell a register that is missing from one that names nobody.
fn begin_register(config: &Config) -> Result<(), CommandError> {
    let path = config.register_path();
    register::begin(&path).map_err(CommandError::store("the register", &config.data_dir))
}

fn holds_ledger(config: &Config) -> Result<(), CommandError> {
    if ledger_dir(&config.data_dir).is_dir() {
        return Ok(());
    }
    Err(CommandError::NoLedger {
        dir: config.data_dir.clone(),
    })
}

/// The data directory is this process's for as long as this is held. The
/// stores have locks of their own; this one says it once, for all.
pub(crate) struct DirLock(#[allow(dead_code)] File);

impl DirLock {
    /// Of a directory that holds a ledger.
    ///
    /// # Errors
    /// [`CommandError::NoLedger`], [`CommandError::InUse`].
    pub(crate) fn take_existing(config: &Config) -> Result<Self, CommandError> {
        holds_ledger(config)?;
        Self::take(&config.data_dir)
    }

    fn take(dir: &Path) -> Result<Self, CommandError> {
        let path = dir.join(LOCK);
        let write_error = |source: io::Error| CommandError::Write {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(write_error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.set_len(0).map_err(write_error)?;
                writeln!(file, "{}", std::process::id()).map_err(write_error)?;
                Ok(Self(file))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(CommandError::InUse {
                dir: dir.to_owned(),
                process: io::read_to_string(&file)
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            }),
            Err(error) => Err(write_error(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_has_it_open() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: dir.path().join("data"),
            ..Config::default()
        };
        let error = DataDir::open_existing(&config).err().unwrap();
        assert!(matches!(error, CommandError::NoLedger { .. }), "{error}");

        let open = DataDir::open(&config).unwrap();
        let error = DataDir::open_existing(&config).err().unwrap();
        let pid = std::process::id().to_string();
        assert!(
            matches!(&error, CommandError::InUse { process, .. } if *process == pid),
            "{error}"
        );
        open.close().unwrap();
        DataDir::open_existing(&config).unwrap().close().unwrap();
    }
}
