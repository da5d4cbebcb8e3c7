use proptest::prelude::*;

use super::*;
use crate::id::{Digest, LedgerId, ShardId};

const ORIGIN: &str = "custody/0f";

fn shard_id() -> ShardId {
    ShardId([0xab; 16])
}

fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(name, &[7; 32]).unwrap()
}

fn ledger() -> LedgerCheckpoint {
    LedgerCheckpoint {
        checkpoint: Checkpoint {
            origin: ORIGIN.to_owned(),
            size: 3,
            root: Hash([1; 32]),
            extensions: vec![],
        },
        manifest_leaf: Hash([2; 32]),
    }
}

fn shard() -> ShardCheckpoint {
    ShardCheckpoint {
        checkpoint: Checkpoint {
            origin: shard_origin(ORIGIN, &shard_id(), 2),
            size: 10,
            root: Hash([1; 32]),
            extensions: vec![],
        },
        shard: shard_id(),
        epoch: 2,
        chain: Digest([3; 32]),
        blocks: 4,
        last_block: Digest([4; 32]),
        map: MapRoots {
            size: 10,
            base_size: 7,
            base: Hash([5; 32]),
            recent: Hash([6; 32]),
        },
        kafka: Some(Kafka {
            cluster: "lkc-1".to_owned(),
            topic: "orders %1".to_owned(),
            topic_id: String::new(),
            partition: 0,
            next_offset: 15,
        }),
        counts: Counts {
            entries: 10,
            duplicates: 1,
            rejected: 1,
            control_or_compacted: 1,
            lost_to_retention: 1,
            unknown: 1,
        },
        abandoned: Some(Abandoned {
            epoch: 1,
            size: 12,
            root: Hash([8; 32]),
        }),
    }
}

fn house() -> ShardCheckpoint {
    ShardCheckpoint {
        checkpoint: Checkpoint {
            origin: shard_origin(ORIGIN, &shard_id(), 0),
            extensions: vec!["later this".to_owned(), "later that".to_owned()],
            ..shard().checkpoint
        },
        epoch: 0,
        kafka: None,
        abandoned: None,
        ..shard()
    }
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(LedgerCheckpoint::parse(&ledger().to_text()), Ok(ledger()));
    for checkpoint in [shard(), house()] {
        assert_eq!(
            ShardCheckpoint::parse(&checkpoint.to_text()),
            Ok(checkpoint)
        );
    }
    assert!(
        shard()
            .to_text()
            .contains("\nkafka lkc-1 orders%20%251 - 0 15\n")
    );
}

#[test]
fn a_log_is_signed_by_its_own_key_only() {
    let own = key(ORIGIN);
    let other = key("custody/1f");
    let note = ledger().sign(&[&own]).unwrap();
    let trusted = [own.verifying_key().clone()];
    assert_eq!(LedgerCheckpoint::open(&note, &trusted), Ok(ledger()));
    // The same seed, for another log.
    let note = ledger().sign(&[&other]).unwrap();
    let both = [trusted[0].clone(), other.verifying_key().clone()];
    assert_eq!(
        LedgerCheckpoint::open(&note, &both),
        Err(CheckpointError::Note(NoteError::Untrusted))
    );
    // Who trusts the ledger trusts it for its shards.
    let origin = &shard().checkpoint.origin;
    let note = shard().sign(&[&own.for_name(origin).unwrap()]).unwrap();
    let keys = verifying_keys(origin, &both);
    assert_eq!(keys.len(), 1);
    assert_eq!(ShardCheckpoint::open(&note, &keys), Ok(shard()));
    assert!(ShardCheckpoint::open(&note, &trusted).is_err());
}

#[test]
fn a_ledgers_key_is_for_its_shards_and_nothing_else() {
    let trusted = [key(ORIGIN).verifying_key().clone()];
    let id = shard_id().to_string();
    for (rest, count) in [
        (String::new(), 1),
        (format!("/{id}"), 1),
        (format!("/{id}/1"), 1),
        (format!("/{id}/0"), 0),
        (format!("/{id}/01"), 0),
        (format!("/{id}/1/1"), 0),
        (format!("/{}", id.to_uppercase()), 0),
        (id.clone(), 0),
        ("/".to_owned(), 0),
        ("/other".to_owned(), 0),
    ] {
        let origin = format!("{ORIGIN}{rest}");
        assert_eq!(verifying_keys(&origin, &trusted).len(), count, "{origin}");
    }
    assert_eq!(
        ledger_origin(LedgerId([0x0f; 16])),
        "custody/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
    );
}

#[test]
fn offsets_are_accounted_for() {
    assert!(shard().accounts_for_every_offset());
    assert!(house().accounts_for_every_offset());
    let mut wrong = shard();
    wrong.counts.rejected = 0;
    assert!(!wrong.accounts_for_every_offset());
    let mut wrong = house();
    wrong.counts.entries = 9;
    assert!(!wrong.accounts_for_every_offset());
    let mut wrong = shard();
    wrong.counts.unknown = u64::MAX;
    assert!(!wrong.accounts_for_every_offset());
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let text = shard().to_text();
    let malformed = |line| Err(CheckpointError::Malformed { line });
    for (from, to, error) in [
        (" epoch 2", " epoch 02", malformed("shard")),
        (" epoch 2", " epoch 3", malformed("origin")),
        ("chain 03", "chain 3", malformed("chain")),
        ("block 4", "block -4", malformed("block")),
        ("map 10", "map 11", malformed("map")),
        ("map 10 7", "map 10 11", malformed("map")),
        ("map 10 7", "map 10", malformed("map")),
        ("lkc-1", "lkc 1", malformed("kafka")),
        (" 0 15", " -1 15", malformed("kafka")),
        (" 0 15", " 0 -1", malformed("kafka")),
        ("%20", "%2", malformed("kafka")),
        ("counts 10 1", "counts 10", malformed("counts")),
        ("abandoned 1", "abandoned 2", malformed("abandoned")),
        ("\n10\n", "\n010\n", malformed("size")),
        ("\nAQEB", "\n_QEB", malformed("root")),
        ("custody/0f/ab", "custody/0f/bb", malformed("origin")),
        ("custody/0f/", "/", malformed("origin")),
        ("\nchain", "\n\nchain", Err(CheckpointError::Shape)),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from:?}");
        assert_eq!(ShardCheckpoint::parse(&changed), error, "{from:?} {to:?}");
    }
    let text = ledger().to_text();
    for (from, to, line) in [
        ("manifest 02", "manifest 0202 02", "manifest"),
        ("\n3\n", "\n0\n", "size"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_eq!(
            LedgerCheckpoint::parse(&changed),
            Err(CheckpointError::Malformed { line })
        );
    }
    let upper = LedgerCheckpoint {
        manifest_leaf: Hash([0xab; 32]),
        ..ledger()
    };
    let upper = upper.to_text().replace("ab", "AB");
    let malformed = CheckpointError::Malformed { line: "manifest" };
    assert_eq!(LedgerCheckpoint::parse(&upper), Err(malformed));
    for none in ["", "\n", "a\n1\n", "a\n1\nb"] {
        assert_eq!(Checkpoint::parse(none), Err(CheckpointError::Shape));
    }
}

#[test]
fn a_line_that_is_missing_or_there_twice_is_named() {
    let words = [
        "shard",
        "chain",
        "block",
        "map",
        "kafka",
        "counts",
        "abandoned",
    ];
    let lines: Vec<String> = shard().to_text().lines().map(str::to_owned).collect();
    let parse = |lines: &[String]| ShardCheckpoint::parse(&(lines.join("\n") + "\n"));
    for (index, word) in (3..).zip(words) {
        let mut fewer = lines.clone();
        fewer.remove(index);
        match word {
            "kafka" | "abandoned" => assert!(parse(&fewer).is_ok(), "{word}"),
            line => assert_eq!(parse(&fewer), Err(CheckpointError::Missing { line })),
        }
        let mut more = lines.clone();
        more.push(lines[index].clone());
        assert_eq!(parse(&more), Err(CheckpointError::Doubled { line: word }));
    }
    let twice = ledger().to_text() + "manifest\n";
    let doubled = CheckpointError::Doubled { line: "manifest" };
    assert_eq!(LedgerCheckpoint::parse(&twice), Err(doubled));
    assert_eq!(
        LedgerCheckpoint::parse(&ledger().checkpoint.to_text()),
        Err(CheckpointError::Missing { line: "manifest" })
    );
}

#[test]
fn what_reads_otherwise_is_not_signed() {
    let own = key(ORIGIN);
    let unsayable = Err(CheckpointError::Unsayable);
    for extension in ["", "two\nlines", "manifest x"] {
        let mut wrong = ledger();
        wrong.checkpoint.extensions.push(extension.to_owned());
        assert_eq!(wrong.sign(&[&own]), unsayable, "{extension:?}");
        wrong.checkpoint.extensions = vec![];
        wrong.checkpoint.origin = format!("a\n{extension}");
        assert_eq!(wrong.sign(&[&own]), unsayable, "{extension:?}");
    }
    let mut wrong = ledger().checkpoint;
    wrong.extensions.push("two\nlines".to_owned());
    assert_eq!(wrong.sign(&[&own]), unsayable);
    let mut wrong = shard();
    wrong.epoch = 3;
    assert_eq!(wrong.sign(&[&own]), unsayable);
    let mut wrong = shard();
    if let Some(kafka) = &mut wrong.kafka {
        kafka.topic.clear();
    }
    assert_eq!(wrong.sign(&[&own]), unsayable);
    let mut wrong = ledger();
    wrong.checkpoint.extensions.push("a\tb".to_owned());
    assert!(wrong.sign(&[&own]).is_err());
}

proptest! {
    #[test]
    fn what_reads_is_written_again(index in 0..500_usize, with in "[ -~]", cut in any::<bool>()) {
        let text = shard().to_text();
        let index = index % text.len();
        let mut changed = text.clone();
        let end = if cut { index } else { index + 1 };
        changed.replace_range(index..end, &with);
        if let Ok(checkpoint) = ShardCheckpoint::parse(&changed) {
            prop_assert_eq!(checkpoint.to_text(), changed);
        }
    }

    #[test]
    fn no_text_brings_it_down(text in "(\\PC|\n|[0-9]+ |shard |map ){0,60}") {
        let _ = Checkpoint::parse(&text);
        prop_assert!(ShardCheckpoint::parse(&text).is_err());
    }
}
