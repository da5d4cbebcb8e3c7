//! Evidence proves what the ledger has, and all of it.

use proptest::prelude::*;

use custody_proof::evidence::{Evidence, EvidenceError, verify};
use custody_proof::id::{ShardId, SubjectReference};

use crate::world::{LEDGER, Shard, World, reference, trusted};

#[test]
fn everything_that_is_there_is_proved() {
    let world = World::small();
    let evidence = world.evidence(&[1, 2, 4, 5]);
    let again = Evidence::from_json(evidence.to_json().as_bytes()).unwrap();
    assert_eq!(again, evidence);
    let verified = verify(&again, &trusted()).unwrap();
    assert_eq!(verified.ledger, LEDGER);
    assert_eq!(verified.head, world.checkpoint());
    assert_eq!(verified.shards.len(), 3);
    assert!(verified.shards[1].accounts_for_every_offset());
    let found: Vec<(u8, u64)> = verified
        .entries()
        .filter(|(whose, _, _)| *whose == reference(2))
        .map(|(_, shard, entry)| (shard.0[0], entry.sequence))
        .collect();
    assert_eq!(
        found,
        [(0x10, 2), (0x20, 2), (0x20, 6), (0x30, 0), (0x30, 1)]
    );
    // Nothing of 4 is as much proved as something of 1.
    assert!(verified.subjects[2].shards.iter().all(|s| s.count == 0));
    assert_eq!(verified.subjects[2].shards.len(), 3);
    assert!(verified.is_about(&[reference(5), reference(1)]).is_ok());
    let reference = reference(3);
    assert_eq!(
        verified.is_about(&[reference]),
        Err(EvidenceError::NotAbout { reference })
    );
}

#[test]
fn paths_may_be_left_out() {
    let mut evidence = World::small().evidence(&[1]);
    let paths = |evidence: &Evidence| {
        let verified = verify(evidence, &trusted()).unwrap();
        verified.entries().filter(|(.., e)| e.in_log).count()
    };
    assert_eq!(paths(&evidence), 4);
    evidence.subjects[0].shards[1].entries[0].path = None;
    assert!(!evidence.to_json().contains("null"));
    let again = Evidence::from_json(evidence.to_json().as_bytes()).unwrap();
    assert_eq!(paths(&again), 3);
}

#[test]
fn one_entry_is_proved() {
    let world = World::small();
    let included = world.inclusion(1, 3).verify(&trusted()).unwrap();
    assert_eq!(included.ledger, LEDGER);
    assert_eq!(included.shard, world.shards[1].checkpoint());
    assert_eq!(included.entry.sequence, 3);
    assert!(included.entry.in_log);
    assert_eq!(included.entry.entry.subject, Some(reference(1)));
}

#[test]
fn who_is_not_trusted_proves_nothing() {
    let evidence = World::small().evidence(&[1]);
    for keys in [
        vec![],
        // The same key, for another log.
        vec![trusted()[0].for_name("custody/other").unwrap()],
    ] {
        assert!(matches!(
            verify(&evidence, &keys),
            Err(EvidenceError::Ledger(_))
        ));
        assert!(World::small().inclusion(1, 3).verify(&keys).is_err());
    }
}

proptest! {
    /// Against a plain list of what each shard has.
    #[test]
    fn evidence_has_what_the_shards_have(
        whose in prop::collection::vec((prop::collection::vec(0..9_u8, 0..14), 0..14_usize, 0..2_u32), 1..5),
        asked in prop::collection::btree_set(1..12_u8, 1..5),
    ) {
        let shards = (1..).zip(&whose).map(|(number, (whose, base, epoch))| {
            Shard::new(0x10 * number, *epoch, *base, whose)
        });
        let world = World { shards: shards.collect() };
        let asked: Vec<u8> = asked.into_iter().collect();
        let mut expected: Vec<(SubjectReference, ShardId, u64)> = Vec::new();
        for number in &asked {
            for (shard, (whose, _, _)) in world.shards.iter().zip(&whose) {
                for (sequence, entry) in (0..).zip(whose) {
                    if entry == number {
                        expected.push((reference(*number), shard.id, sequence));
                    }
                }
            }
        }
        let json = world.evidence(&asked).to_json();
        let evidence = Evidence::from_json(json.as_bytes()).unwrap();
        let verified = verify(&evidence, &trusted()).unwrap();
        let found: Vec<_> = verified
            .entries()
            .map(|(whose, shard, entry)| (whose, shard, entry.sequence))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
