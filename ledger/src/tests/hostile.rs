//! Every decoder against bytes of somebody who means harm.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::anchor::AnchorState;
use crate::fuzz;
use crate::identity::Identity;
use crate::stamp::Stamp;
use crate::tests::{
    LEDGER, blocks, disclosure, house, house_block, house_entry, judged_late, kafka_shard,
    manifest, new_house_entries, origin, segment_header,
};
use crate::verify::check_block;

/// Reads bytes as everything. What is read must be what is written.
fn decode_all(bytes: &[u8]) {
    custody_proof::fuzz::entry(bytes);
    for (_, target) in fuzz::TARGETS {
        target(bytes);
    }
    let _ = check_block(LEDGER, &origin(), bytes.to_vec());
}

fn valid() -> Vec<Vec<u8>> {
    let anchor = AnchorState {
        generation: 4,
        ledger: LEDGER,
        heads: [(origin().shard, origin())].into(),
    };
    let identity = Identity {
        ledger: LEDGER,
        segment_bytes: 8 << 20,
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("identity"), identity.encode()).unwrap();
    let mut valid = vec![
        disclosure(3).encode().unwrap(),
        house_entry().encode().unwrap(),
        kafka_shard().encode().unwrap(),
        identity.encode(),
        anchor.encode(),
        Stamp::of(dir.path(), LEDGER).unwrap().encode().unwrap(),
        house_block().bytes,
        manifest().encode().unwrap(),
        segment_header().encode().unwrap(),
    ];
    valid.push(judged_late(3).encode().unwrap());
    let house = new_house_entries().into_iter().chain(house::entries());
    valid.extend(house.map(|entry| entry.encode().unwrap()));
    for old in [
        include_str!("../../tests/golden/entry_disclosure_v1.hex"),
        include_str!("../../tests/golden/entry_house_v1.hex"),
    ] {
        valid.push(hex::decode(old.replace('\n', "")).unwrap());
    }
    valid.extend(blocks().into_iter().map(|block| block.bytes));
    valid
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes_are_refused_in_peace(bytes in vec(any::<u8>(), 0..600)) {
        decode_all(&bytes);
    }

    #[test]
    fn mutated_bytes_are_refused_in_peace(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
        tail in vec(any::<u8>(), 0..9),
    ) {
        let valid = valid();
        let mut bytes = valid[which.index(valid.len())].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(tail);
        decode_all(&bytes);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Lengths are what drives allocation: eight bytes of each kind of damage
    /// at every place.
    #[test]
    fn hostile_lengths_are_refused_in_peace(which in any::<prop::sample::Index>(), value in prop_oneof![
        Just(u64::MAX), Just(i64::MAX as u64), Just(1 << 40), Just(u64::from(u32::MAX)), any::<u64>(),
    ]) {
        let valid = valid();
        let valid = &valid[which.index(valid.len())];
        for at in 0..valid.len().saturating_sub(8) {
            let mut bytes = valid.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            decode_all(&bytes);
        }
    }
}
