//! A ledger, its notary and a witness, in one process.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ledger::{
    BlockBuilder, Digest, Entry, Kind, Ledger, LedgerOptions, NotaryOptions, ShardDescriptor,
    ShardId,
};
use custody_proof::cosignature::cosigned;
use custody_proof::note::{Limits, Note, SigningKey};

use super::*;
use crate::config;

const PATIENCE: Duration = Duration::from_secs(60);
const ORIGIN: &str = "custody/test";

/// A node in small: a ledger that signs, and the thread that sends.
struct Small {
    ledger: Ledger,
    witnesses: Witnesses,
    standing: Standing,
    shard: ShardId,
}

fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap()
}

fn shard() -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster".to_owned(),
        topic: "events".to_owned(),
        topic_id: "id".to_owned(),
        partition: 0,
        epoch: 0,
    }
}

impl Small {
    fn open(dir: &Path, witnesses: &[&custody_tests::Witness], timeout_s: u64) -> Self {
        let post = Post::default();
        let mut notary = NotaryOptions::new(key());
        notary.interval = Duration::from_millis(10);
        notary.on_signed = Some(post.on_signed());
        let options = LedgerOptions {
            segment_bytes: 64 << 10,
            notary: Some(notary),
            ..LedgerOptions::default()
        };
        let ledger = Ledger::open(&dir.join("ledger"), options).unwrap();
        let config = config::Witness {
            quorum: 1,
            timeout_s,
            list: witnesses
                .iter()
                .map(|witness| config::WitnessAt {
                    url: format!("{}/", witness.url()),
                    key: witness.key().to_string(),
                })
                .collect(),
        };
        let witnesses = Witnesses::start(&config, dir, post, ledger.clone()).unwrap();
        let witnesses = witnesses.unwrap();
        ledger.open_shard(&shard()).unwrap();
        Self {
            standing: witnesses.standing(),
            ledger,
            witnesses,
            shard: shard().id(),
        }
    }

    /// Appends an entry and waits until it is signed.
    fn append(&self, time_ns: i64) {
        let size = self.put(time_ns);
        let covered = self.ledger.wait_published(&[(self.shard, size)], PATIENCE);
        assert!(covered.is_some(), "not signed");
    }

    fn put(&self, time_ns: i64) -> u64 {
        let head = self.ledger.head(self.shard).unwrap();
        let mut block = BlockBuilder::new(self.ledger.id(), &head);
        let mut entry = Entry::new(Kind::Collection, time_ns);
        entry.offset = head.next_offset;
        block.push(&entry).unwrap();
        let built = block.finish(time_ns, Digest([0; 32])).unwrap();
        self.ledger.commit(built).unwrap().size
    }

    /// Waits until the last checkpoint has a cosignature by `witness`.
    fn wait_cosigned(&self, witness: &custody_tests::Witness) -> u64 {
        let keys = [witness.key().clone()];
        wait("a cosignature", || {
            let published = self.ledger.published()?;
            let note = Note::parse_within(&published.note, Limits::CHECKPOINT).unwrap();
            let signed = !cosigned(&note, &keys).unwrap().is_empty();
            signed.then_some(published.sequence)
        })
    }

    fn close(self) {
        self.witnesses.stop();
        self.ledger.close().unwrap();
    }
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn witness(name: &str) -> custody_tests::Witness {
    let witness = custody_tests::Witness::start(name, 3).unwrap();
    witness.trust(key().verifying_key().clone());
    witness
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn checkpoints_are_cosigned_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness("w.example");
    let small = Small::open(dir.path(), &[&witness], 60);
    for time in 1..20 {
        small.append(time);
    }
    let sequence = small.wait_cosigned(&witness);
    assert_eq!(witness.seen(ORIGIN).unwrap().0, sequence + 1);
    assert!(small.standing.check(Instant::now()).0);
    small.close();

    // The size that it saw is remembered, so that nothing is asked twice.
    let asked = witness.asked();
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(100);
    let later = small.wait_cosigned(&witness);
    assert!(later > sequence);
    assert!(witness.asked() > asked);
    small.close();

    // Without the memory the witness tells.
    std::fs::remove_file(dir.path().join("witnesses")).unwrap();
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(101);
    assert!(small.wait_cosigned(&witness) > later);
    small.close();
}

#[test]
fn a_witness_that_is_down_degrades_and_delays_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (up, down) = (witness("up.example"), witness("down.example"));
    down.set_down(true);
    let small = Small::open(dir.path(), &[&down, &up], 60);
    small.append(1);
    small.wait_cosigned(&up);
    let (ok, detail) = small.standing.check(Instant::now());
    assert!(ok, "one of two is enough");
    assert!(
        detail.contains("down.example: it refuses with status 503"),
        "{detail}"
    );

    up.set_down(true);
    small.append(2);
    let late = wait("a quorum that is late", || {
        let (ok, detail) = small
            .standing
            .check(Instant::now() + Duration::from_secs(61));
        (!ok).then_some(detail)
    });
    assert!(late.contains("too few"), "{late}");
    up.set_down(false);
    small.wait_cosigned(&up);
    wait("a quorum again", || {
        let later = Instant::now() + Duration::from_secs(61);
        small.standing.check(later).0.then_some(())
    });
    small.close();
}

#[test]
fn a_witness_without_our_key_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = custody_tests::Witness::start("stranger.example", 3).unwrap();
    let small = Small::open(dir.path(), &[&stranger], 60);
    small.append(1);
    let detail = wait("a refusal", || {
        let (_, detail) = small.standing.check(Instant::now());
        detail.contains("404").then_some(detail)
    });
    assert!(detail.contains("custody keys show"), "{detail}");
    // Nobody contradicts: signing goes on.
    small.append(2);
    assert_eq!(small.ledger.signing_stopped(), None);
    small.close();
}

#[test]
fn a_forked_ledger_is_refused_and_signs_no_more() {
    let (dir, fork) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let witness = witness("w.example");
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(1);
    small.wait_cosigned(&witness);
    small.close();
    copy(dir.path(), fork.path());

    // Both go on, with other events, by the same key.
    let small = Small::open(dir.path(), &[&witness], 60);
    for time in 10..13 {
        small.append(time);
    }
    small.wait_cosigned(&witness);
    small.close();
    let seen = witness.seen(ORIGIN);

    let small = Small::open(fork.path(), &[&witness], 60);
    let mut time = 50;
    let reason = wait("a refusal", || {
        small.put(time);
        time += 1;
        small.standing.halted()
    });
    assert!(reason.starts_with("witness w.example has seen"), "{reason}");
    assert_eq!(small.ledger.signing_stopped(), Some(reason.clone()));
    let (ok, detail) = small.standing.check(Instant::now());
    assert!(!ok && detail.contains(&reason), "{detail}");
    assert_eq!(witness.seen(ORIGIN), seen, "it has not moved");

    // Entries are taken; nothing more is signed.
    let sequence = small.ledger.published().unwrap().sequence;
    let size = small.put(time);
    let waited = small
        .ledger
        .wait_published(&[(small.shard, size)], Duration::from_millis(200));
    assert!(waited.is_none());
    assert_eq!(small.ledger.published().unwrap().sequence, sequence);
    small.close();
}

/// A fork that is larger than what the witness has seen has to prove, and
/// cannot.
#[test]
fn a_larger_fork_cannot_prove_that_it_continues() {
    let (dir, fork) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let witness = witness("w.example");
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(1);
    small.wait_cosigned(&witness);
    small.close();
    copy(dir.path(), fork.path());
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(2);
    small.wait_cosigned(&witness);
    small.close();

    // It grows without the witness, which then is back.
    witness.set_down(true);
    let small = Small::open(fork.path(), &[&witness], 60);
    for time in 50..60 {
        small.append(time);
    }
    witness.set_down(false);
    let reason = wait("a refusal", || {
        small.put(99);
        small.standing.halted()
    });
    assert!(reason.contains("does not continue"), "{reason}");
    small.close();
}

#[test]
fn an_older_copy_that_was_restored_is_refused() {
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let witness = witness("w.example");
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(1);
    small.wait_cosigned(&witness);
    small.close();
    copy(dir.path(), old.path());
    let small = Small::open(dir.path(), &[&witness], 60);
    for time in 2..30 {
        small.append(time);
    }
    let sequence = small.wait_cosigned(&witness);
    small.close();

    let small = Small::open(old.path(), &[&witness], 60);
    small.put(2);
    let reason = wait("a refusal", || small.standing.halted());
    let seen = format!("has seen {} checkpoints", sequence + 1);
    assert!(reason.contains(&seen), "{reason}");
    assert!(reason.contains("an older copy was restored"), "{reason}");
    small.close();
}

/// Whatever a witness claims, what it sends is looked at.
#[test]
fn a_cosignature_by_another_key_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let witness = witness("w.example");
    let other = custody_tests::Witness::start("w.example", 4).unwrap();
    let agent = send::agent();
    let at = config::WitnessAt {
        url: witness.url().to_owned(),
        key: other.key().to_string(),
    };
    let sender = Sender::new(&at, &agent).unwrap();
    let small = Small::open(dir.path(), &[&witness], 60);
    small.append(1);
    small.wait_cosigned(&witness);
    let published: Arc<_> = small.ledger.published().unwrap();
    let size = published.sequence + 1;
    let proof = small
        .ledger
        .prove_consistency(None, size, Some(size))
        .unwrap();
    let answer = sender.send(size, proof.path, &published.note);
    assert!(matches!(answer, Err(SendError::NotCosigned)), "{answer:?}");
    small.close();
}
