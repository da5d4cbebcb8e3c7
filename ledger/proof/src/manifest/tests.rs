use proptest::prelude::*;

use super::*;

fn line(shard: u8, size: u64) -> ShardLine {
    ShardLine {
        shard: ShardId([shard; 16]),
        epoch: 1,
        size,
        root: Hash([1; 32]),
        base: Hash([2; 32]),
        recent: Hash([3; 32]),
    }
}

fn manifest() -> Manifest {
    Manifest {
        ledger: LedgerId([0xaa; 16]),
        sequence: 12,
        shards: vec![line(1, 0), line(2, u64::MAX), line(0xff, 3)],
    }
}

#[test]
fn what_is_written_is_read() {
    let none = Manifest {
        shards: vec![],
        ..manifest()
    };
    for manifest in [manifest(), none] {
        let again = Manifest::parse(&manifest.to_text()).unwrap();
        assert_eq!(again, manifest);
        assert_eq!(again.leaf(), leaf(&manifest.to_text()));
    }
    assert_eq!(
        manifest().shard(&ShardId([2; 16])),
        Some(&line(2, u64::MAX))
    );
    assert_eq!(manifest().shard(&ShardId([3; 16])), None);
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let text = manifest().to_text();
    let shard_line = "`shard <id> <epoch> <size> <root> <base map> <recent map>`";
    let wrong = |line, expected| Err(ManifestError::Line { line, expected });
    for (from, to, error) in [
        ("/v1", "/v2", Err(ManifestError::Format)),
        ("custody", " custody", Err(ManifestError::Format)),
        ("ledger aa", "ledger AA", wrong(2, "`ledger <id>`")),
        (
            "sequence 12",
            "sequence 012",
            wrong(3, "`sequence <number>`"),
        ),
        ("shard 01", "shard  01", wrong(4, shard_line)),
        (" 1 0 ", " 1 00 ", wrong(4, shard_line)),
        ("AwM=\n", "AwM= \n", wrong(4, shard_line)),
        ("AwM=\n", "AwN=\n", wrong(4, shard_line)),
        ("\nshard ff", "\n\nshard ff", wrong(6, shard_line)),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from:?}");
        assert_eq!(Manifest::parse(&changed), error, "{from:?} {to:?}");
    }
    for end in [&text[..text.len() - 1], ""] {
        assert_eq!(Manifest::parse(end), Err(ManifestError::Format));
    }
    let mut twice = manifest();
    twice.shards.insert(1, line(1, 5));
    let order = ManifestError::Order {
        line: 5,
        shard: ShardId([1; 16]),
    };
    assert_eq!(Manifest::parse(&twice.to_text()), Err(order));
    twice.shards.reverse();
    assert!(Manifest::parse(&twice.to_text()).is_err());
}

proptest! {
    #[test]
    fn another_text_is_another_leaf(index in 0..600_usize, with in "[ -~\n]", cut in any::<bool>()) {
        let text = manifest().to_text();
        let index = index % text.len();
        let mut changed = text.clone();
        let end = if cut { index } else { index + 1 };
        changed.replace_range(index..end, &with);
        if let Ok(manifest) = Manifest::parse(&changed) {
            prop_assert_eq!(manifest.to_text(), changed.clone());
            prop_assert_eq!(manifest.leaf() == self::manifest().leaf(), changed == text);
        }
    }
}
