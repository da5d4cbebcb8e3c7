//! A small ledger in memory, made by the definitions and nothing faster.

use std::collections::BTreeMap;

use custody_proof::chain;
use custody_proof::checkpoint::{
    Abandoned, Checkpoint, Counts, Kafka, LedgerCheckpoint, MapRoots, ShardCheckpoint,
    ledger_origin, shard_origin,
};
use custody_proof::entry::{Entry, Kind};
use custody_proof::evidence::{
    ConsistencyProof, EntryEvidence, Evidence, InclusionProof, ShardEvidence, SubjectEvidence,
};
use custody_proof::id::{Digest, LedgerId, ShardId, SubjectReference};
use custody_proof::manifest::{Manifest, ShardLine};
use custody_proof::map::{self, MapProof, Record, ShardMapProof};
use custody_proof::note::{SigningKey, VerifyingKey};
use custody_proof::tree::{Hash, empty_root, leaf_hash, node_hash};

pub(crate) const LEDGER: LedgerId = LedgerId([0xaa; 16]);
/// How many manifests there were before.
pub(crate) const SEQUENCE: usize = 4;

pub(crate) fn reference(number: u8) -> SubjectReference {
    // Some have a start in common, so that paths in the map have a length.
    SubjectReference([number / 4; 16].map(|byte| byte.wrapping_mul(0x35) ^ number))
}

pub(crate) fn key() -> SigningKey {
    key_of(7)
}

pub(crate) fn key_of(seed: u8) -> SigningKey {
    SigningKey::from_seed(&ledger_origin(LEDGER), &[seed; 32]).unwrap()
}

pub(crate) fn trusted() -> Vec<VerifyingKey> {
    vec![key().verifying_key().clone()]
}

/// The root of these leaf hashes (RFC 6962, section 2.1).
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(middle(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The audit path (RFC 6962, section 2.1.1).
pub(crate) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return vec![];
    }
    let middle = middle(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (path(index, left), root(right))
    } else {
        (path(index - middle, right), root(left))
    };
    path.push(sibling);
    path
}

/// The consistency proof (RFC 6962, section 2.1.2).
pub(crate) fn consistency(from: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn sub(from: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
        if from == leaves.len() {
            return if complete { vec![] } else { vec![root(leaves)] };
        }
        let middle = middle(leaves.len());
        let (left, right) = leaves.split_at(middle);
        let (mut proof, sibling) = if from <= middle {
            (sub(from, left, complete), root(right))
        } else {
            (sub(from - middle, right, false), root(left))
        };
        proof.push(sibling);
        proof
    }
    sub(from, leaves, true)
}

fn middle(length: usize) -> usize {
    length.next_power_of_two() / 2
}

/// One shard: whose each entry is.
pub(crate) struct Shard {
    pub(crate) id: ShardId,
    pub(crate) epoch: u32,
    pub(crate) house: bool,
    pub(crate) entries: Vec<Vec<u8>>,
    subjects: Vec<Option<SubjectReference>>,
    /// From how many entries the base map was made.
    base: usize,
    /// Of the key that signs.
    seed: u8,
}

impl Shard {
    pub(crate) fn new(number: u8, epoch: u32, base: usize, whose: &[u8]) -> Self {
        let mut entries = Vec::new();
        let mut subjects = Vec::new();
        for (index, number) in whose.iter().enumerate() {
            // Nobody's entry is number 0.
            let subject = (*number != 0).then(|| reference(*number));
            let mut entry = Entry::new(Kind::Use, index as i64 * 1000);
            entry.offset = Some(index as i64);
            entry.subject = subject;
            entry.service = "shop.example".to_owned();
            entry.sealed = vec![*number; index % 5];
            entries.push(entry.encode().unwrap());
            subjects.push(subject);
        }
        Self {
            id: ShardId([number; 16]),
            epoch,
            house: number == 0x10,
            base: base.min(whose.len()),
            entries,
            subjects,
            seed: 7,
        }
    }

    /// A house shard with these entries, signed by another key.
    pub(crate) fn house(seed: u8, entries: &[Entry]) -> Self {
        Self {
            id: ShardId([0x10; 16]),
            epoch: 0,
            house: true,
            base: 0,
            entries: entries.iter().map(|it| it.encode().unwrap()).collect(),
            subjects: entries.iter().map(|it| it.subject).collect(),
            seed,
        }
    }

    /// h(i-1) before each entry, and h of the last.
    pub(crate) fn chain(&self) -> Vec<Digest> {
        let mut chain = vec![chain::genesis(LEDGER, self.id.as_bytes())];
        for entry in &self.entries {
            let last = *chain.last().unwrap();
            chain.push(chain::link(last, entry));
        }
        chain
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        let chain = self.chain();
        chain[1..].iter().map(|h| leaf_hash(h.as_bytes())).collect()
    }

    fn records(&self, until: usize) -> BTreeMap<SubjectReference, Record> {
        let chain = self.chain();
        let mut records = BTreeMap::new();
        for (sequence, subject) in self.subjects[..until].iter().enumerate() {
            let Some(reference) = *subject else { continue };
            let record = records.entry(reference).or_insert(Record {
                reference,
                count: 0,
                digest: map::NO_ENTRIES,
            });
            record.count += 1;
            record.digest = map::extend(&record.digest, sequence as u64, &chain[sequence + 1]);
        }
        records
    }

    /// The records of the base map, and of the recent one.
    fn maps(&self) -> (Vec<Record>, Vec<Record>) {
        let base = self.records(self.base);
        let recent = self.records(self.entries.len());
        let changed = recent.values().filter(|record| {
            base.get(&record.reference).map(|base| base.count) != Some(record.count)
        });
        (base.values().copied().collect(), changed.copied().collect())
    }

    pub(crate) fn map_proof(&self, reference: &SubjectReference) -> ShardMapProof {
        let (base, recent) = self.maps();
        let is_recent = recent.iter().any(|record| record.reference == *reference);
        ShardMapProof {
            recent: MapProof::of_sorted(&recent, reference),
            base: (!is_recent).then(|| MapProof::of_sorted(&base, reference)),
        }
    }

    pub(crate) fn checkpoint(&self) -> ShardCheckpoint {
        let (base, recent) = self.maps();
        let size = self.entries.len() as u64;
        ShardCheckpoint {
            checkpoint: Checkpoint {
                origin: shard_origin(&ledger_origin(LEDGER), &self.id, self.epoch),
                size,
                root: root(&self.leaves()),
                extensions: vec![],
            },
            shard: self.id,
            epoch: self.epoch,
            chain: *self.chain().last().unwrap(),
            blocks: u64::from(size > 0),
            last_block: Digest([0xbb; 32]),
            map: MapRoots {
                size,
                base_size: self.base as u64,
                base: map::root_of_sorted(&base),
                recent: map::root_of_sorted(&recent),
            },
            kafka: (!self.house).then(|| Kafka {
                cluster: "lkc-1".to_owned(),
                topic: "personal data".to_owned(),
                topic_id: String::new(),
                partition: 3,
                next_offset: size as i64 + 2,
            }),
            counts: Counts {
                entries: size,
                rejected: if self.house { 0 } else { 2 },
                ..Counts::default()
            },
            abandoned: (self.epoch > 0).then(|| Abandoned {
                epoch: self.epoch - 1,
                size: size + 3,
                root: Hash([0xcc; 32]),
            }),
        }
    }

    pub(crate) fn note(&self) -> String {
        let checkpoint = self.checkpoint();
        let key = key_of(self.seed)
            .for_name(&checkpoint.checkpoint.origin)
            .unwrap();
        checkpoint.sign(&[&key]).unwrap()
    }

    fn evidence(&self, reference: SubjectReference) -> ShardEvidence {
        let (chain, leaves) = (self.chain(), self.leaves());
        let mut entries = Vec::new();
        for (sequence, subject) in self.subjects.iter().enumerate() {
            if *subject == Some(reference) {
                entries.push(EntryEvidence {
                    sequence: sequence as u64,
                    previous: chain[sequence],
                    entry: self.entries[sequence].clone(),
                    path: Some(path(sequence, &leaves)),
                });
            }
        }
        ShardEvidence {
            shard: self.id,
            map: self.map_proof(&reference).encode(),
            entries,
        }
    }
}

/// A ledger at its fifth manifest.
pub(crate) struct World {
    pub(crate) shards: Vec<Shard>,
}

impl World {
    /// Five persons in three shards: 4 is nowhere, 5 only in the base map.
    pub(crate) fn small() -> Self {
        Self {
            shards: vec![
                Shard::new(0x10, 0, 1, &[0, 0, 2]),
                Shard::new(0x20, 0, 3, &[1, 5, 2, 1, 1, 3, 2]),
                Shard::new(0x30, 1, 0, &[2, 2, 1, 3]),
            ],
        }
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let shards = self.shards.iter().map(|shard| {
            let checkpoint = shard.checkpoint();
            ShardLine {
                shard: shard.id,
                epoch: shard.epoch,
                size: checkpoint.checkpoint.size,
                root: checkpoint.checkpoint.root,
                base: checkpoint.map.base,
                recent: checkpoint.map.recent,
            }
        });
        Manifest {
            ledger: LEDGER,
            sequence: SEQUENCE as u64,
            shards: shards.collect(),
        }
    }

    /// The leaf hashes of the ledger log.
    pub(crate) fn log(&self) -> Vec<Hash> {
        let former = (0..SEQUENCE).map(|n| leaf_hash(&[n as u8; 32]));
        let last = leaf_hash(self.manifest().leaf().as_bytes());
        former.chain([last]).collect()
    }

    pub(crate) fn checkpoint(&self) -> LedgerCheckpoint {
        LedgerCheckpoint {
            checkpoint: Checkpoint {
                origin: ledger_origin(LEDGER),
                size: SEQUENCE as u64 + 1,
                root: root(&self.log()),
                extensions: vec![],
            },
            manifest_leaf: self.manifest().leaf(),
        }
    }

    pub(crate) fn note(&self) -> String {
        self.checkpoint()
            .sign(&[&key_of(self.shards[0].seed)])
            .unwrap()
    }

    /// The checkpoint of the log when it had fewer manifests.
    pub(crate) fn former_note(&self, size: usize) -> String {
        let checkpoint = LedgerCheckpoint {
            checkpoint: Checkpoint {
                size: size as u64,
                root: root(&self.log()[..size]),
                ..self.checkpoint().checkpoint
            },
            manifest_leaf: Hash([size as u8 - 1; 32]),
        };
        checkpoint.sign(&[&key()]).unwrap()
    }

    pub(crate) fn evidence(&self, numbers: &[u8]) -> Evidence {
        let subjects = numbers.iter().map(|number| {
            let reference = reference(*number);
            let shards = self.shards.iter().map(|shard| shard.evidence(reference));
            SubjectEvidence {
                reference,
                shards: shards.collect(),
            }
        });
        Evidence {
            format: Default::default(),
            ledger_checkpoint: self.note(),
            manifest: self.manifest().to_text(),
            manifest_path: path(SEQUENCE, &self.log()),
            checkpoints: self.shards.iter().map(Shard::note).collect(),
            subjects: subjects.collect(),
        }
    }

    pub(crate) fn inclusion(&self, shard: usize, sequence: usize) -> InclusionProof {
        let shard = &self.shards[shard];
        InclusionProof {
            format: Default::default(),
            ledger_checkpoint: self.note(),
            manifest: self.manifest().to_text(),
            manifest_path: path(SEQUENCE, &self.log()),
            checkpoint: shard.note(),
            shard: shard.id,
            sequence: sequence as u64,
            previous: shard.chain()[sequence],
            entry: shard.entries[sequence].clone(),
            path: path(sequence, &shard.leaves()),
        }
    }

    pub(crate) fn consistency(&self, from: usize) -> ConsistencyProof {
        ConsistencyProof {
            format: Default::default(),
            shard: None,
            from: from as u64,
            to: SEQUENCE as u64 + 1,
            path: consistency(from, &self.log()),
            checkpoint: Some(self.note()),
        }
    }
}
