//! Checkpoints: what is signed was read again, continues what was signed
//! before, and proves what it should.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use custody_ledger::{
    BlockBuilder, FaultInjector, Head, Ledger, LedgerOptions, NotaryOptions, OpenError, ProveError,
    Published, ResumeError, ResumeOptions, ShardId, Step, SubjectReference, VerifyOptions,
    lost_ends, resume, verify,
};
use custody_proof::evidence;
use custody_proof::note::{SigningKey, VerifyingKey};

use crate::fixture::{RULESET, TIME, assert_whole, copy_dir, entry, options, shard};

const WAIT: Duration = Duration::from_secs(20);

fn key() -> SigningKey {
    SigningKey::from_seed("custody/test", &[7; 32]).unwrap()
}

fn keys() -> Vec<VerifyingKey> {
    vec![key().verifying_key().clone()]
}

fn signed_options() -> LedgerOptions {
    LedgerOptions {
        notary: Some(NotaryOptions {
            interval: Duration::from_millis(5),
            ..NotaryOptions::new(key())
        }),
        ..options()
    }
}

fn person(number: u64) -> SubjectReference {
    // Spread like real ones.
    let digest = custody_ledger::chain::digest(b"test person", &[&number.to_le_bytes()]);
    let mut reference = [0; 16];
    reference.copy_from_slice(&digest.as_bytes()[..16]);
    SubjectReference(reference)
}

/// Appends a block of events of these persons.
fn append(ledger: &Ledger, head: &Head, persons: &[u64]) -> Head {
    let mut builder = BlockBuilder::new(ledger.id(), head);
    for number in persons {
        let mut entry = entry(builder.next_offset(), 30);
        entry.subject = Some(person(*number));
        builder.push(&entry).unwrap();
    }
    ledger
        .commit(builder.finish(TIME, RULESET).unwrap())
        .unwrap()
}

fn sizes(ledger: &Ledger) -> Vec<(ShardId, u64)> {
    let shards = ledger.shards();
    shards
        .iter()
        .map(|(_, head)| (head.shard, head.size))
        .collect()
}

/// Waits until everything is signed.
fn signed(ledger: &Ledger) -> Arc<Published> {
    ledger
        .wait_published(&sizes(ledger), WAIT)
        .unwrap_or_else(|| panic!("nothing signed: {:?}", ledger.poisoned()))
}

/// A ledger with two shards, and where each person's entries are.
struct Filled {
    ledger: Ledger,
    heads: Vec<Head>,
    entries: BTreeMap<u64, Vec<(ShardId, u64)>>,
}

impl Filled {
    fn open(dir: &Path, options: LedgerOptions) -> Self {
        let ledger = Ledger::open(dir, options).unwrap();
        let heads = [0, 1].map(|partition| ledger.open_shard(&shard(partition)).unwrap());
        Self {
            ledger,
            heads: heads.to_vec(),
            entries: BTreeMap::new(),
        }
    }

    fn fill(&mut self, rounds: u64) {
        for round in 0..rounds {
            for head in &mut self.heads {
                let persons: Vec<u64> = (0..7).map(|n| (round * 5 + n * n) % 23).collect();
                for (sequence, person) in (head.size..).zip(&persons) {
                    let of_person = self.entries.entry(*person).or_default();
                    of_person.push((head.shard, sequence));
                }
                *head = append(&self.ledger, head, &persons);
            }
        }
    }

    fn evidence(&self, person_number: u64) -> evidence::Evidence {
        let mut entries = self
            .entries
            .get(&person_number)
            .cloned()
            .unwrap_or_default();
        entries.sort();
        self.ledger
            .evidence(&[person(person_number)], &entries)
            .unwrap()
    }
}

#[test]
fn what_is_signed_proves_everything_of_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let mut filled = Filled::open(dir.path(), signed_options());
    filled.fill(25);
    let published = signed(&filled.ledger);
    assert_eq!(published.shards.len(), 3);

    // Every person, and somebody who is not there.
    for number in 0..25 {
        let evidence = filled.evidence(number);
        let verified = evidence::verify(&evidence, &keys()).unwrap();
        let found: Vec<(ShardId, u64)> = verified
            .entries()
            .map(|(_, shard, entry)| (shard, entry.sequence))
            .collect();
        let mut expected = filled.entries.get(&number).cloned().unwrap_or_default();
        expected.sort();
        assert_eq!(found, expected, "person {number}");
        assert_eq!(verified.subjects[0].shards.len(), 3);
        // With one entry left out it proves nothing.
        if !expected.is_empty() {
            let left_out = filled
                .ledger
                .evidence(&[person(number)], &expected[1..])
                .unwrap();
            evidence::verify(&left_out, &keys()).unwrap_err();
        }
    }
    // Every entry.
    for (_, head) in filled.ledger.shards() {
        for sequence in 0..head.size {
            let proof = filled.ledger.prove_inclusion(head.shard, sequence).unwrap();
            let included = proof.verify(&keys()).unwrap();
            assert_eq!(included.entry.sequence, sequence);
        }
        assert!(matches!(
            filled.ledger.prove_inclusion(head.shard, head.size),
            Err(ProveError::NotCovered { .. })
        ));
    }
    // Nobody else's key.
    let other = SigningKey::from_seed("custody/test", &[8; 32]).unwrap();
    let other = [other.verifying_key().clone()];
    evidence::verify(&filled.evidence(1), &other).unwrap_err();

    filled.ledger.close().unwrap();
    assert_whole(dir.path());
}

#[test]
fn every_checkpoint_continues_the_ones_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut filled = Filled::open(dir.path(), signed_options());
    let mut checkpoints = Vec::new();
    for _ in 0..6 {
        filled.fill(20);
        checkpoints.push(signed(&filled.ledger));
    }
    for older in &checkpoints {
        let from = older.sequence + 1;
        let proof = filled.ledger.prove_consistency(None, from, None).unwrap();
        proof.verify(&older.note, None, &keys()).unwrap();
        for (shard, signed) in &older.shards {
            let from = signed.checkpoint.checkpoint.size;
            let proof = filled
                .ledger
                .prove_consistency(Some(*shard), from, None)
                .unwrap();
            proof.verify(&signed.note, None, &keys()).unwrap();
        }
    }
    filled.ledger.close().unwrap();
    assert_whole(dir.path());

    // To open it is no news: nothing is signed anew.
    let last = checkpoints.last().unwrap();
    for _ in 0..3 {
        let again = Ledger::open(dir.path(), signed_options()).unwrap();
        assert_eq!(&signed(&again), last);
        again.close().unwrap();
    }
    assert_whole(dir.path());
}

/// However it ended, and whatever became of what is derived, the next
/// checkpoint continues the last one.
#[test]
fn it_goes_on_after_an_end_of_any_kind() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("nothing", |_| {}),
        ("no trees", |dir| {
            for entry in fs::read_dir(dir.join("tiles")).unwrap() {
                let entry = entry.unwrap();
                if entry.file_name() != "ledger" {
                    fs::remove_dir_all(entry.path()).unwrap();
                }
            }
        }),
        ("no maps", |dir| {
            fs::remove_dir_all(dir.join("maps")).unwrap()
        }),
        ("torn maps", |dir| {
            for shard in fs::read_dir(dir.join("maps")).unwrap() {
                for file in fs::read_dir(shard.unwrap().path()).unwrap() {
                    let path = file.unwrap().path();
                    let bytes = fs::read(&path).unwrap();
                    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                }
            }
        }),
        ("nothing published", |dir| {
            fs::remove_dir_all(dir.join("public")).unwrap();
        }),
        ("one signed anchor", |dir| {
            fs::remove_file(dir.join("signed.0")).unwrap();
        }),
    ];
    for (what, damage) in damages {
        for closed in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let mut filled = Filled::open(&dir.path().join("a"), signed_options());
            filled.fill(40);
            let before = signed(&filled.ledger);
            if closed {
                filled.ledger.close().unwrap();
            }
            // What a killed process leaves.
            let copy = dir.path().join("b");
            copy_dir(&dir.path().join("a"), &copy);
            damage(&copy);
            if closed {
                // The files are not those that were stamped.
                fs::remove_file(copy.join("stamp")).unwrap();
            }
            let mut again = Filled::open(&copy, signed_options());
            again.entries = filled.entries.clone();
            again.fill(3);
            let after = signed(&again.ledger);
            let proof = again
                .ledger
                .prove_consistency(None, before.sequence + 1, None);
            let proof = proof.unwrap_or_else(|error| panic!("{what}: {error}"));
            proof.verify(&before.note, None, &keys()).unwrap();
            assert!(after.sequence > before.sequence, "{what}");
            for number in 0..25 {
                evidence::verify(&again.evidence(number), &keys())
                    .unwrap_or_else(|error| panic!("{what}, closed {closed}: {error}"));
            }
            again.ledger.close().unwrap();
            assert_whole(&copy);
        }
    }
}

/// Flips a bit of the newest block in the file, between its commit and its
/// being read again.
struct Flip {
    dir: std::path::PathBuf,
    armed: AtomicBool,
}

impl FaultInjector for Flip {
    fn before(&self, step: Step) -> io::Result<()> {
        if step == Step::Recompute && self.armed.swap(false, Ordering::SeqCst) {
            let path = self.dir.join("db.0/db");
            let mut bytes = fs::read(&path)?;
            // Every copy of it: the storage engine may have written several.
            let places: Vec<usize> = (0..bytes.len().saturating_sub(16))
                .filter(|at| bytes[*at..*at + 16] == person(999).0)
                .collect();
            assert!(!places.is_empty());
            for at in places {
                bytes[at + 3] ^= 4;
            }
            fs::write(&path, bytes)?;
        }
        Ok(())
    }
}

#[test]
fn a_bit_that_flips_on_its_way_to_the_disk_is_found_before_it_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    let flip = Arc::new(Flip {
        dir: dir.path().to_owned(),
        armed: AtomicBool::new(false),
    });
    let mut filled = Filled::open(
        dir.path(),
        LedgerOptions {
            faults: Some(flip.clone()),
            ..signed_options()
        },
    );
    filled.fill(5);
    let before = signed(&filled.ledger);
    flip.armed.store(true, Ordering::SeqCst);
    let head = append(&filled.ledger, &filled.heads[0], &[999]);
    let begun = Instant::now();
    while filled.ledger.poisoned().is_none() && begun.elapsed() < WAIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    let reason = filled.ledger.poisoned().unwrap();
    assert!(
        reason.contains(&format!("block {}", head.blocks - 1)),
        "{reason}"
    );
    assert_eq!(filled.ledger.published(), Some(before));
    filled.ledger.close().unwrap_err();
}

/// Fails one step once armed.
struct FailAt {
    step: Step,
    how: How,
    armed: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    NotDone,
    Done,
    Torn,
}

impl FaultInjector for FailAt {
    fn before(&self, step: Step) -> io::Result<()> {
        self.fail(step, How::NotDone)
    }

    fn after(&self, step: Step) -> io::Result<()> {
        self.fail(step, How::Done)
    }

    fn tears(&self, step: Step) -> bool {
        self.armed.load(Ordering::SeqCst) && step == self.step && self.how == How::Torn
    }
}

impl FailAt {
    fn fail(&self, step: Step, how: How) -> io::Result<()> {
        if self.armed.load(Ordering::SeqCst) && (step, how) == (self.step, self.how) {
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }
}

#[test]
fn a_step_that_fails_signs_nothing_that_does_not_hold() {
    for step in Step::CHECKPOINT {
        for how in [How::NotDone, How::Done, How::Torn] {
            if how == How::Torn && step != Step::SignedAnchor {
                continue;
            }
            let case = format!("{step}, {how:?}");
            let dir = tempfile::tempdir().unwrap();
            let faults = Arc::new(FailAt {
                step,
                how,
                armed: AtomicBool::new(false),
            });
            let mut filled = Filled::open(
                dir.path(),
                LedgerOptions {
                    faults: Some(faults.clone()),
                    ..signed_options()
                },
            );
            filled.fill(5);
            let before = signed(&filled.ledger);
            faults.armed.store(true, Ordering::SeqCst);
            let head = append(&filled.ledger, &filled.heads[0], &[1]);
            let begun = Instant::now();
            while filled.ledger.poisoned().is_none() && begun.elapsed() < WAIT {
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(filled.ledger.poisoned().is_some(), "{case}");
            assert_eq!(filled.ledger.published().as_ref(), Some(&before), "{case}");
            filled.ledger.close().unwrap_err();

            let mut again = Filled::open(dir.path(), signed_options());
            assert_eq!(again.heads[0], head, "{case}");
            again.entries = filled.entries;
            again
                .entries
                .entry(1)
                .or_default()
                .push((head.shard, head.size - 1));
            again.fill(2);
            signed(&again.ledger);
            let proof = again
                .ledger
                .prove_consistency(None, before.sequence + 1, None)
                .unwrap();
            proof.verify(&before.note, None, &keys()).unwrap();
            evidence::verify(&again.evidence(1), &keys()).unwrap();
            again.ledger.close().unwrap();
            assert_whole(dir.path());
        }
    }
}

#[test]
fn a_ledger_put_back_to_an_older_state_is_refused_by_an_anchor_that_lies_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let options = || LedgerOptions {
        signed_anchor_dir: Some(dir.path().join("elsewhere")),
        ..signed_options()
    };
    let mut filled = Filled::open(&dir.path().join("a"), options());
    filled.fill(5);
    signed(&filled.ledger);
    filled.ledger.close().unwrap();
    let older = dir.path().join("older");
    copy_dir(&dir.path().join("a"), &older);

    let mut filled = Filled::open(&dir.path().join("a"), options());
    filled.fill(5);
    signed(&filled.ledger);
    filled.ledger.close().unwrap();

    let error = Ledger::open(&older, options()).unwrap_err();
    assert!(matches!(error, OpenError::LostTail { .. }), "{error}");
    // Refused, it is as it was.
    assert_whole(&older);

    // The operator gives up what is lost; nothing that was signed is signed
    // away: the ledger and the shards go on under other origins.
    let lost = lost_ends(&older, &options()).unwrap();
    assert_eq!(lost.len(), 2, "the house had nothing new");
    let resume_options = ResumeOptions {
        ledger: options(),
        shards: None,
        recorded_time_ns: TIME + 1,
        ruleset: RULESET,
    };
    let only_one = ResumeOptions {
        shards: Some([lost[0].shard].into()),
        ..resume_options.clone()
    };
    assert!(matches!(
        resume(&older, &only_one),
        Err(ResumeError::Another { .. })
    ));
    assert_eq!(resume(&older, &resume_options).unwrap(), lost);
    assert_eq!(resume(&older, &resume_options).unwrap(), Vec::new());
    assert!(
        older
            .join("abandoned")
            .join(format!("{}.0", TIME + 1))
            .exists()
    );

    let mut again = Filled::open(&older, options());
    again.fill(3);
    let published = signed(&again.ledger);
    assert_eq!(published.origin, "custody/test/1");
    for end in &lost {
        let checkpoint = &published.shards[&end.shard].checkpoint;
        assert_eq!((checkpoint.epoch, end.epoch), (1, 1));
        let abandoned = checkpoint.abandoned.unwrap();
        assert_eq!((abandoned.epoch, abandoned.size), (0, end.abandoned.size));
        let head = again.ledger.head(end.shard).unwrap();
        let proof = again
            .ledger
            .prove_inclusion(end.shard, head.size - 1)
            .unwrap();
        proof.verify(&keys()).unwrap();
    }
    again.ledger.close().unwrap();
    assert_whole(&older);
    // And whoever trusts the key finds it in order, under its new names too.
    let report = verify(&older, &with_keys(Some(dir.path().join("elsewhere")))).unwrap();
    assert_eq!(report.faults, Vec::new());
}

fn with_keys(signed_anchor_dir: Option<std::path::PathBuf>) -> VerifyOptions {
    VerifyOptions {
        keys: keys(),
        signed_anchor_dir,
        ..VerifyOptions::default()
    }
}

/// Without what says what was signed, nothing is signed: it could be another
/// history.
#[test]
fn a_signed_anchor_that_is_gone_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let elsewhere = |name: &str| LedgerOptions {
        signed_anchor_dir: Some(dir.path().join(name)),
        ..signed_options()
    };
    let mut filled = Filled::open(&path, elsewhere("mounted"));
    filled.fill(3);
    signed(&filled.ledger);
    filled.ledger.close().unwrap();
    let error = Ledger::open(&path, elsewhere("not_mounted")).unwrap_err();
    assert!(matches!(error, OpenError::SignedAnchor { .. }), "{error}");
    // Nor does its emptiness pass for a ledger that nobody has signed yet.
    let report = verify(&path, &with_keys(Some(dir.path().join("not_mounted")))).unwrap();
    assert!(!report.ok());

    let again = Ledger::open(&path, elsewhere("mounted")).unwrap();
    signed(&again);
    again.close().unwrap();
    let report = verify(&path, &with_keys(Some(dir.path().join("mounted")))).unwrap();
    assert_eq!(report.faults, Vec::new());
}

/// Cut short after the signed anchor was told, it is refused until it is done.
#[test]
fn a_resumption_that_was_cut_short_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = || LedgerOptions {
        signed_anchor_dir: Some(dir.path().join("elsewhere")),
        ..signed_options()
    };
    let path = dir.path().join("a");
    let mut filled = Filled::open(&path, options());
    filled.fill(3);
    signed(&filled.ledger);
    filled.ledger.close().unwrap();
    let older = dir.path().join("older");
    copy_dir(&path, &older);
    let mut filled = Filled::open(&path, options());
    filled.fill(3);
    signed(&filled.ledger);
    filled.ledger.close().unwrap();

    let lost = lost_ends(&older, &options()).unwrap();
    let resume_options = |faults| ResumeOptions {
        ledger: LedgerOptions {
            faults,
            ..options()
        },
        shards: None,
        recorded_time_ns: TIME + 1,
        ruleset: RULESET,
    };
    for step in [Step::Write, Step::Anchor] {
        let faults = Arc::new(FailAt {
            step,
            how: How::NotDone,
            armed: AtomicBool::new(true),
        });
        resume(&older, &resume_options(Some(faults))).unwrap_err();
        let error = Ledger::open(&older, options()).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Unresumed { .. } | OpenError::LostTail { .. }
            ),
            "{step}: {error}"
        );
    }
    let done = resume(&older, &resume_options(None)).unwrap();
    assert!(!done.is_empty() && done.len() <= lost.len());
    let mut again = Filled::open(&older, options());
    again.fill(2);
    signed(&again.ledger);
    again.ledger.close().unwrap();
    assert_whole(&older);
}
