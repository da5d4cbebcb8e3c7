//! A log has only grown since a checkpoint that was kept.

use custody_proof::evidence::{ConsistencyProof, EvidenceError};

use crate::world::{Shard, World, consistency, key, trusted};

const ENTRIES: [u8; 7] = [1, 5, 2, 1, 1, 3, 2];

fn shard(epoch: u32, size: usize) -> Shard {
    Shard::new(0x20, epoch, 0, &ENTRIES[..size])
}

fn of_shard(from: usize, to: usize) -> ConsistencyProof {
    let to = shard(0, to);
    ConsistencyProof {
        format: Default::default(),
        shard: Some(to.id),
        from: from as u64,
        to: to.entries.len() as u64,
        path: consistency(from, &to.leaves()),
        checkpoint: None,
    }
}

#[test]
fn the_ledger_log_and_a_shard_grow() {
    let world = World::small();
    for size in 1..=5 {
        let proof = world.consistency(size);
        let again = ConsistencyProof::from_json(proof.to_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(&proof));
        let kept = world.former_note(size);
        let grown = proof.verify(&kept, None, &trusted()).unwrap();
        assert_eq!(grown.later.size, 5);
        assert_eq!(grown.earlier.size, size as u64);
    }
    for (from, to) in [(1, 7), (3, 6), (4, 4)] {
        let proof = of_shard(from, to);
        let (from, to) = (shard(0, from).note(), shard(0, to).note());
        assert!(proof.verify(&from, Some(&to), &trusted()).is_ok());
        // In a later epoch, the same entries go on.
        let to = shard(1, ENTRIES[..proof.to as usize].len()).note();
        assert!(proof.verify(&from, Some(&to), &trusted()).is_ok());
    }
}

#[test]
fn a_log_that_was_changed_is_noticed() {
    let proof = of_shard(3, 6);
    let mut other = ENTRIES;
    other[1] = 3;
    let changed = Shard::new(0x20, 0, 0, &other[..3]).note();
    let (from, to) = (shard(0, 3).note(), shard(0, 6).note());
    assert!(matches!(
        proof.verify(&changed, Some(&to), &trusted()),
        Err(EvidenceError::Consistency(_))
    ));
    let other = |which| Err(EvidenceError::OtherCheckpoint { which });
    let ok = |from: &str, to: Option<&str>, proof: &ConsistencyProof| {
        proof.verify(from, to, &trusted()).map(|_| ())
    };
    assert_eq!(ok(&from, Some(&to), &proof), Ok(()));
    assert_eq!(ok(&to, Some(&to), &proof), other("earlier"));
    assert_eq!(ok(&from, Some(&from), &proof), other("later"));
    assert_eq!(ok(&from, None, &proof), Err(EvidenceError::NoCheckpoint));
    // Of another shard, and of the ledger log.
    let stranger = Shard::new(0x30, 0, 0, &ENTRIES[..3]).note();
    assert_eq!(ok(&stranger, Some(&to), &proof), other("earlier"));
    let world = World::small();
    assert!(matches!(
        ok(&world.former_note(3), Some(&to), &proof),
        Err(EvidenceError::Checkpoint {
            which: "earlier",
            ..
        })
    ));
    assert!(ok(&from, None, &world.consistency(3)).is_err());
    // Of the same shard of another ledger that is trusted too.
    let mut elsewhere = shard(0, 6).checkpoint();
    let own = &elsewhere.checkpoint.origin;
    elsewhere.checkpoint.origin = own.replacen("custody/", "other/", 1);
    let name = |origin: &str| key().for_name(origin).unwrap();
    let note = elsewhere.sign(&[&name(&elsewhere.checkpoint.origin)]);
    let mut both = trusted();
    both.push(name(elsewhere.ledger_origin()).verifying_key().clone());
    assert_eq!(
        proof.verify(&from, Some(&note.unwrap()), &both).map(|_| ()),
        other("later")
    );
    // A checkpoint in the document that is another than the one beside it.
    let mut two = proof.clone();
    two.checkpoint = Some(Shard::new(0x20, 0, 0, &[1, 1, 1, 1, 1, 1]).note());
    assert_eq!(ok(&from, Some(&to), &two), other("later"));
    two.checkpoint = Some(to.clone());
    assert_eq!(ok(&from, Some(&to), &two), Ok(()));
    assert!(proof.verify(&from, Some(&to), &[]).is_err());
}
