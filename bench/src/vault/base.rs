//! What the vault is measured beside, in the same run.

use std::fs::File;
use std::hint::black_box;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use fjall::config::CompressionPolicy;
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use rustix::time::{ClockId, clock_gettime};
use zstd::zstd_safe::{CCtx, CParameter, Strategy};

/// Time, in seconds. On a busy machine only the processor's is the program's
/// own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) wall: f64,
    /// Of all threads of the process.
    pub(super) cpu: f64,
}

impl Spent {
    pub(super) fn of<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Self)> {
        let (wall, cpu) = (now(ClockId::Monotonic), now(ClockId::ProcessCPUTime));
        let done = work()?;
        let spent = Self {
            wall: now(ClockId::Monotonic) - wall,
            cpu: now(ClockId::ProcessCPUTime) - cpu,
        };
        Ok((done, spent))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self {
            wall: self.wall - other.wall,
            cpu: self.cpu - other.cpu,
        }
    }

    pub(super) fn a(self, count: u64) -> Self {
        Self {
            wall: self.wall / count as f64,
            cpu: self.cpu / count as f64,
        }
    }

    /// Of each the median by itself.
    pub(super) fn median(all: &[Self]) -> Self {
        let middle = |of: fn(&Self) -> f64| {
            let mut all: Vec<f64> = all.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            wall: middle(|spent| spent.wall),
            cpu: middle(|spent| spent.cpu),
        }
    }
}

fn now(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// AES-256-GCM under a new random key, and BLAKE3 of the same bytes: the least
/// that sealing under a key of its own with a commitment can cost.
pub(super) fn seal_barely(content: &[u8]) -> Result<()> {
    let failed = |_| anyhow!("the cipher failed");
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(failed)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(failed)?);
    let mut sealed = Vec::with_capacity(content.len() + 16 + 32);
    sealed.extend_from_slice(content);
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key([0; 12]),
            Aad::empty(),
            &mut sealed,
        )
        .map_err(failed)?;
    sealed.extend_from_slice(tag.as_ref());
    sealed.extend_from_slice(blake3::hash(content).as_bytes());
    black_box(sealed);
    Ok(())
}

/// The compressor as the vault sets it (`vault/src/codec.rs`), by itself.
pub(super) struct Codec {
    context: CCtx<'static>,
    out: Vec<u8>,
}

impl Codec {
    pub(super) fn new() -> Result<Self> {
        let failed = |code| anyhow!("zstd: {code}");
        let mut context = CCtx::create();
        for parameter in [
            CParameter::CompressionLevel(3),
            CParameter::Strategy(Strategy::ZSTD_greedy),
            CParameter::SearchLog(3),
            CParameter::MinMatch(5),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ] {
            context.set_parameter(parameter).map_err(failed)?;
        }
        context
            .load_dictionary(include_bytes!("../../../vault/src/dictionary_1.zstd"))
            .map_err(failed)?;
        Ok(Self {
            context,
            out: vec![0; 64 << 10],
        })
    }

    pub(super) fn compress(&mut self, message: &[u8]) -> Result<usize> {
        self.context
            .compress2(self.out.as_mut_slice(), message)
            .map_err(|code| anyhow!("zstd: {code}"))
    }
}

/// So many rows a person, of so many bytes, put into a bare store with the
/// vault's settings: one batch a person, one sync a thousand of them.
pub(super) fn fill_barely(dir: &Path, persons: u64, rows: u64, value_bytes: usize) -> Result<()> {
    let database = Database::builder(dir)
        .cache_size(64 << 20)
        .worker_threads(2)
        .max_journaling_size(256 << 20)
        .manual_journal_persist(true)
        .open()?;
    let space = database.keyspace("rows", || {
        KeyspaceCreateOptions::default()
            .manual_journal_persist(true)
            .max_memtable_size(16 << 20)
            .data_block_compression_policy(CompressionPolicy::disabled())
    })?;
    let mut name = [0; NAME_BYTES];
    let mut value = vec![0; value_bytes];
    rand::fill(&mut value).map_err(|_| anyhow!("no random bytes"))?;
    for person in 1..=persons {
        let mut batch = database.batch();
        for _ in 0..rows {
            rand::fill(&mut name).map_err(|_| anyhow!("no random bytes"))?;
            batch.insert(&space, name, value.as_slice());
        }
        batch.commit()?;
        if person.is_multiple_of(super::FLUSHED_AT_ONCE) || person == persons {
            database.persist(PersistMode::SyncAll)?;
        }
    }
    Ok(())
}

/// Of a row of the vault.
pub(super) const NAME_BYTES: usize = 40;

/// 4 KiB of a file that has its length already.
pub(super) struct Synced(File);

impl Synced {
    pub(super) fn new(path: &Path) -> Result<Self> {
        let mut file = File::create(path).with_context(|| format!("{}", path.display()))?;
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        Ok(Self(file))
    }

    /// Overwrites and syncs it.
    pub(super) fn write(&mut self, byte: u8) -> Result<()> {
        self.0.rewind()?;
        self.0.write_all(&[byte; 4096])?;
        self.0.sync_data()?;
        Ok(())
    }
}
