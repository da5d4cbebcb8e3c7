//! A ledger, a vault and a pipeline to work on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use custody_ingest::RawMessage;
use custody_ingest::duplicates::DuplicateIndex;
use custody_ingest::pipeline::{
    DeadLetter, DeadLetters, Pipeline, PipelineError, PipelineOptions, PipelineParts, ShardFeed,
    StopSignal, Undelivered,
};
use custody_ledger::{
    Entry, EntryRef, Judgement, Kind, Ledger, LedgerOptions, ShardDescriptor, VerifyOptions, verify,
};
use custody_vault::{Vault, VaultOptions};
use parking_lot::Mutex;

pub(crate) const DAY_NS: i64 = 86_400_000_000_000;
pub(crate) const START_NS: i64 = 20_000 * DAY_NS + DAY_NS / 2;

/// Keeps the codes and offsets of what it is given.
#[derive(Default)]
pub(crate) struct Letters(pub(crate) Mutex<Vec<(String, i64, &'static str)>>);

impl DeadLetters for Letters {
    fn deliver(&self, letters: &[DeadLetter], _: &StopSignal) -> Result<(), Undelivered> {
        self.0.lock().extend(letters.iter().map(|letter| {
            (
                letter.message.topic.to_string(),
                letter.message.offset,
                letter.rejection.code(),
            )
        }));
        Ok(())
    }
}

/// A ledger, a vault and a pipeline in a directory.
pub(crate) struct House {
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    pub(crate) pipeline: Pipeline,
    pub(crate) letters: Arc<Letters>,
    pub(crate) now: Arc<AtomicI64>,
}

impl House {
    pub(crate) fn open(data: &Path, now_ns: i64) -> Self {
        Self::with(data, now_ns, PipelineOptions::default())
    }

    pub(crate) fn with(data: &Path, now_ns: i64, options: PipelineOptions) -> Self {
        Self::ticking(data, now_ns, options, || ())
    }

    /// With something done whenever somebody asks for the time.
    pub(crate) fn ticking(
        data: &Path,
        now_ns: i64,
        options: PipelineOptions,
        tick: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let letters = Arc::new(Letters::default());
        let given = Arc::clone(&letters) as Arc<dyn DeadLetters>;
        let mut house = Self::start(data, now_ns, options, given, tick).unwrap();
        house.letters = letters;
        house
    }

    /// With dead letters going elsewhere, and whatever stands against the start.
    pub(crate) fn start(
        data: &Path,
        now_ns: i64,
        options: PipelineOptions,
        dead_letters: Arc<dyn DeadLetters>,
        tick: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, PipelineError> {
        let vault = Vault::open(
            &data.join("vault"),
            &data.join("root.key"),
            VaultOptions::default(),
        )
        .unwrap();
        let barrier = vault.clone();
        let ledger = Ledger::open(
            &data.join("ledger"),
            LedgerOptions {
                segment_bytes: 1 << 20,
                before_commit: Some(Arc::new(move || barrier.flush())),
                ..LedgerOptions::default()
            },
        )
        .unwrap();
        let now = Arc::new(AtomicI64::new(now_ns));
        let clock = Arc::clone(&now);
        let pipeline = Pipeline::start(PipelineParts {
            duplicates: DuplicateIndex::open(&data.join("duplicates"), vault.clone(), 7, now_ns)
                .unwrap(),
            dead_letters,
            state_dir: data.join("state"),
            clock: Arc::new(move || {
                tick();
                clock.load(Ordering::Relaxed)
            }),
            ledger: ledger.clone(),
            options,
            vault: vault.clone(),
        })?;
        Ok(Self {
            ledger,
            vault,
            pipeline,
            letters: Arc::default(),
            now,
        })
    }

    /// Lets everything go as a process does that is killed: what was not
    /// durable is lost, nobody is told, and the files are free.
    pub(crate) fn abandon(self) {
        let ledger = self.ledger.clone();
        drop(self);
        // The shards' threads end on their own.
        drop(ledger);
        std::thread::sleep(Duration::from_millis(50));
    }

    pub(crate) fn close(self) {
        self.pipeline.stop(Duration::from_secs(20)).unwrap();
        self.ledger.close().unwrap();
    }
}

pub(crate) fn shard(partition: i32) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "c".to_owned(),
        topic: "events".to_owned(),
        topic_id: "t".to_owned(),
        partition,
        epoch: 0,
    }
}

pub(crate) fn message(partition: i32, offset: i64, payload: String) -> RawMessage {
    RawMessage {
        topic: Arc::from("events"),
        partition,
        offset,
        timestamp_ms: Some(1_700_000_000_000),
        key: Some(b"account:1".to_vec()),
        headers: Vec::new(),
        payload: Some(payload.into_bytes()),
    }
}

pub(crate) fn event(id: u32, person: u32, note: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e-{id}","source":"//model.example","type":"custody.disclosure.v1","time":"2024-05-01T09:00:00Z","data":{{"subject":{{"ids":["account:{person}"]}},"purposes":["orders"],"note":"{note}","disclosure":{{"recipient":{{"id":"dhl","name":"DHL","country":"DE"}}}}}}}}"#
    )
}

/// Sums over the Kafka shards of what the verifier found; it must find no fault.
pub(crate) fn totals(data: &Path) -> (u64, u64, u64, u64) {
    let report = verify(&data.join("ledger"), &VerifyOptions::default()).unwrap();
    assert!(report.ok(), "{:?}", report.faults);
    report
        .shards
        .iter()
        .filter(|shard| !shard.descriptor.is_house())
        .fold((0, 0, 0, 0), |sum, shard| {
            (
                sum.0 + shard.entries,
                sum.1 + shard.duplicates,
                sum.2 + shard.rejected,
                sum.3 + shard.gaps.iter().sum::<u64>(),
            )
        })
}

/// An event of a kind about a person, with more fields of its data.
pub(crate) fn said(id: &str, kind: &str, time: &str, ids: &[&str], more: &str) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    let subject = if ids.is_empty() {
        String::new()
    } else {
        format!(
            r#""subject":{{"ids":[{}],"jurisdiction":"DE"}},"#,
            ids.join(",")
        )
    };
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"//model.example","type":"custody.{kind}.v1","time":"{time}","data":{{{subject}"service":"shop.example"{more}}}}}"#
    )
}

pub(crate) const USE: &str = r#","purposes":["orders"],"use":{"operation":"dpv:Analyse"}"#;
pub(crate) const COLLECTION: &str = r#","purposes":["orders"],"categories":[{"term":"custody:contact"}],"collection":{"origin":"subject"}"#;
pub(crate) const ERASURE: &str = r#","erasure":{}"#;

impl House {
    /// Sends messages to a shard and waits until they are durable.
    pub(crate) fn send(&self, partition: i32, said: &[String]) {
        let feed = self.feed(partition);
        let first = feed.next_offset;
        let messages = said.iter().zip(first..);
        feed.send(
            messages
                .map(|(said, offset)| message(partition, offset, said.clone()))
                .collect(),
        )
        .unwrap();
        let end = first + i64::try_from(said.len()).unwrap();
        while feed.durable_offset() < end {
            assert_eq!(self.pipeline.failure(), None);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn feed(&self, partition: i32) -> ShardFeed {
        loop {
            match self.pipeline.open_shard(&shard(partition)) {
                Ok(feed) => return feed,
                // The thread of the feed before is about to end.
                Err(PipelineError::Busy) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until everything is judged again that is to be.
    pub(crate) fn reviewed(&self) {
        self.pipeline.settle(Duration::from_secs(20)).unwrap();
    }

    /// Every entry of a shard with its place.
    pub(crate) fn entries(&self, shard: &ShardDescriptor) -> Vec<(EntryRef, Entry)> {
        let blocks = self.ledger.read_blocks(shard.id(), 0, usize::MAX).unwrap();
        let entries = blocks.iter().flat_map(|block| {
            block.entries().map(|entry| {
                let (sequence, entry) = entry.unwrap();
                let at = EntryRef {
                    shard: block.header.shard,
                    sequence,
                };
                (at, entry)
            })
        });
        entries.collect()
    }

    /// What the house shard says, but for shards, parties and rules.
    pub(crate) fn said_by_the_house(&self) -> Vec<Entry> {
        self.entries(&ShardDescriptor::house())
            .into_iter()
            .map(|(_, entry)| entry)
            .filter(|entry| {
                !matches!(
                    entry.kind(),
                    Some(Kind::ShardOpened | Kind::PartyRegistered | Kind::RulesetAdopted)
                )
            })
            .collect()
    }
}

/// The codes of a judgement's findings.
pub(crate) fn codes(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|f| f.code.as_str()).collect()
}
