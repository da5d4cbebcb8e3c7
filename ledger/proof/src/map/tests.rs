use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::ProofError;

/// The definition, without shortcuts, over a set of records.
fn naive_root(records: &BTreeMap<SubjectReference, Record>, depth: usize) -> Hash {
    if records.is_empty() {
        return EMPTY;
    }
    if records.len() == 1 {
        return leaf_hash(records.values().next().unwrap());
    }
    let side = |right: bool| {
        let half: BTreeMap<_, _> = records
            .iter()
            .filter(|(reference, _)| bit(reference, depth) == right)
            .map(|(reference, record)| (*reference, *record))
            .collect();
        naive_root(&half, depth + 1)
    };
    node_hash(&side(false), &side(true))
}

fn record(reference: [u8; 16], count: u64) -> Record {
    Record {
        reference: SubjectReference(reference),
        count,
        digest: extend(&NO_ENTRIES, count, &Digest([5; 32])),
    }
}

/// References that are random, or differ from a few only late.
fn reference() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![
        any::<[u8; 16]>(),
        (0..3_u8, 0..128_u32, any::<u8>()).prop_map(|(base, bit, low)| {
            let base = u128::from_be_bytes([base * 0x55; 16]);
            (base ^ (u128::from(low) << (bit.min(120)))).to_be_bytes()
        }),
    ]
}

fn map() -> impl Strategy<Value = BTreeMap<SubjectReference, Record>> {
    prop::collection::vec((reference(), 1..9_u64), 0..40).prop_map(|records| {
        records
            .into_iter()
            .map(|(reference, count)| (SubjectReference(reference), record(reference, count)))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_say_what_the_model_has(map in map(), others in prop::collection::vec(reference(), 1..20)) {
        let records: Vec<Record> = map.values().copied().collect();
        let root = root_of_sorted(&records);
        prop_assert_eq!(root, naive_root(&map, 0));
        let others = others.into_iter().map(SubjectReference);
        for reference in map.keys().copied().chain(others) {
            let proof = MapProof::of_sorted(&records, &reference);
            let has = map.get(&reference).copied();
            prop_assert_eq!(proof.verify(&root, &reference), Ok(has));
            let bytes = proof.encode();
            prop_assert_eq!(MapProof::decode(&bytes), Ok(proof.clone()));
            prop_assert_eq!(MapProof::new(proof.siblings().to_vec(), *proof.terminal()), Ok(proof));
            for length in 0..bytes.len() {
                prop_assert!(MapProof::decode(&bytes[..length]).is_err());
            }
            prop_assert!(MapProof::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn a_changed_proof_never_verifies(map in map(), key in reference(), pick in any::<prop::sample::Index>(), at in any::<usize>(), bit in 0..8) {
        let records: Vec<Record> = map.values().copied().collect();
        let root = root_of_sorted(&records);
        let present = (!records.is_empty()).then(|| records[pick.index(records.len())].reference);
        for reference in present.into_iter().chain([SubjectReference(key)]) {
            let proof = MapProof::of_sorted(&records, &reference);
            let mut bytes = proof.encode();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            if let Ok(changed) = MapProof::decode(&bytes) {
                prop_assert!(changed.verify(&root, &reference).is_err());
            }
            // A proof says nothing about anybody who is elsewhere.
            for other in &records {
                let claimed = proof.verify(&root, &other.reference);
                prop_assert!(claimed.is_err() || claimed == Ok(Some(*other)));
            }
            // No other end.
            for end in records.iter().map(|record| Terminal::Leaf(*record)).chain([Terminal::Empty]) {
                if end == *proof.terminal() { continue; }
                if let Ok(changed) = MapProof::new(proof.siblings().to_vec(), end) {
                    prop_assert!(changed.verify(&root, &reference).is_err());
                }
            }
            // No level more or less.
            for level in (0..proof.siblings().len()).step_by(1 + proof.siblings().len() / 8) {
                let mut siblings = proof.siblings().to_vec();
                let taken = siblings.remove(level);
                if let Ok(changed) = MapProof::new(siblings, *proof.terminal()) {
                    prop_assert!(changed.verify(&root, &reference).is_err());
                }
                let mut siblings = proof.siblings().to_vec();
                siblings.insert(level, taken);
                if let Ok(changed) = MapProof::new(siblings, *proof.terminal()) {
                    prop_assert!(changed.verify(&root, &reference).is_err());
                }
            }
        }
    }

    #[test]
    fn a_shard_proof_asks_the_base_exactly_where_recent_has_nothing(
        recent in map(), base in map(), others in prop::collection::vec(reference(), 1..5)
    ) {
        let sorted = |map: &BTreeMap<_, Record>| map.values().copied().collect::<Vec<_>>();
        let (recent_records, base_records) = (sorted(&recent), sorted(&base));
        let roots = (root_of_sorted(&base_records), root_of_sorted(&recent_records));
        let others = others.into_iter().map(SubjectReference);
        for reference in recent.keys().chain(base.keys()).copied().chain(others) {
            let of = |records: &[Record]| MapProof::of_sorted(records, &reference);
            let has = recent.get(&reference).or(base.get(&reference)).copied();
            let proof = ShardMapProof {
                recent: of(&recent_records),
                base: (!recent.contains_key(&reference)).then(|| of(&base_records)),
            };
            prop_assert_eq!(proof.verify(&roots.0, &roots.1, &reference), Ok(has));
            prop_assert_eq!(ShardMapProof::decode(&proof.encode()), Ok(proof.clone()));
            let wrong = ShardMapProof {
                recent: proof.recent.clone(),
                base: proof.base.is_none().then(|| of(&base_records)),
            };
            let expected = if wrong.base.is_some() { ProofError::BaseNeedless } else { ProofError::BaseMissing };
            prop_assert_eq!(wrong.verify(&roots.0, &roots.1, &reference), Err(expected));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_are_the_only_ones(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = MapProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes.clone());
        }
        if let Ok(proof) = ShardMapProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
        }
    }
}

#[test]
fn paths_of_128_bits() {
    let mut last = [0xab; 16];
    let records = [record(last, 1), {
        last[15] ^= 1;
        last[15] |= 1;
        record(last, 2)
    }];
    let mut records = records.to_vec();
    records[0].reference.0[15] &= 0xfe;
    let root = root_of_sorted(&records);
    for (n, has) in records.iter().enumerate() {
        let proof = MapProof::of_sorted(&records, &has.reference);
        assert_eq!(proof.siblings().len(), MAX_DEPTH);
        assert_eq!(proof.verify(&root, &has.reference), Ok(Some(*has)), "{n}");
        assert_eq!(proof.encode().len(), 1 + 16 + 32 + 57);
    }
    // Absent, and of the same path but for its last bit but one.
    let mut absent = records[0].reference;
    absent.0[15] ^= 2;
    let proof = MapProof::of_sorted(&records, &absent);
    assert_eq!(proof.verify(&root, &absent), Ok(None));
}

#[test]
fn what_no_map_has_is_refused() {
    let hash = Hash([1; 32]);
    let leaf = Terminal::Leaf(record([0; 16], 1));
    assert_eq!(
        MapProof::new(vec![hash, EMPTY], leaf),
        Err(ProofError::Shape)
    );
    assert_eq!(
        MapProof::new(vec![hash, EMPTY], Terminal::Empty),
        Err(ProofError::Shape)
    );
    assert_eq!(
        MapProof::new(vec![hash; 128], Terminal::Empty),
        Err(ProofError::Shape)
    );
    assert_eq!(MapProof::new(vec![hash; 129], leaf), Err(ProofError::Shape));
    assert!(MapProof::new(vec![hash; 128], leaf).is_ok());
    // The same proofs, as bytes.
    assert!(
        MapProof::decode(&[1, 0, 0]).is_err(),
        "the deepest sibling is empty"
    );
    assert!(MapProof::decode(&[0, 2]).is_err(), "an unknown end");
    assert!(MapProof::decode(&[129]).is_err(), "too deep");
    let mut marked = vec![1, 0x80];
    marked.extend([0; 33]);
    assert!(
        MapProof::decode(&marked).is_err(),
        "an empty sibling, marked as not empty"
    );
    let mut beyond = vec![1, 0xc0];
    beyond.extend([1; 32]);
    beyond.push(0);
    assert!(MapProof::decode(&beyond).is_err(), "a bit beyond the end");
    beyond[1] = 0x80;
    assert!(MapProof::decode(&beyond).is_ok());
    assert!(
        ShardMapProof::decode(&[2, 0, 0]).is_err(),
        "an unknown kind"
    );
}

#[test]
fn a_record_in_the_wrong_place_proves_nothing() {
    // A root that no honest map has: the record lies left, and belongs right.
    let misplaced = record([0x80; 16], 1);
    let beside = Hash([7; 32]);
    let root = node_hash(&leaf_hash(&misplaced), &beside);
    let proof = MapProof::new(vec![beside], Terminal::Leaf(misplaced)).unwrap();
    let left = SubjectReference([0; 16]);
    assert_eq!(proof.verify(&root, &left), Err(ProofError::Path));
    assert_eq!(
        proof.verify(&root, &misplaced.reference),
        Err(ProofError::Root)
    );
}

/// FORMAT: these bytes do not change.
#[test]
fn golden() {
    let records = [record([0x11; 16], 1), record([0x91; 16], 2)];
    assert_eq!(
        hex::encode(records[0].to_bytes()),
        "11111111111111111111111111111111\
         0100000000000000\
         90145c9d3b3fb6aefeedc06a31c4ad4489cba4c727c9724506a6c41f83ebfa3e"
    );
    assert_eq!(Record::from_bytes(&records[0].to_bytes()), records[0]);
    assert_eq!(
        root_of_sorted(&records).to_string(),
        "f2dfca5abe8b6a233fea8b2fc8d84112bb54b5114eda6c895d0b6e3bff9a2e85"
    );
    let proof = MapProof::of_sorted(&records, &records[1].reference);
    assert_eq!(
        blake3::hash(&proof.encode()).to_string(),
        "b0a6a92dfa26876cdc76cab72cacbfed123ca21e5bc92f3a2e917aaf96064b85"
    );
}

#[test]
fn the_digest_depends_on_order_and_sequence() {
    let (a, b) = (Digest([1; 32]), Digest([2; 32]));
    let fold = |entries: &[(u64, Digest)]| {
        (entries.iter()).fold(NO_ENTRIES, |acc, (sequence, entry)| {
            extend(&acc, *sequence, entry)
        })
    };
    let all = [
        fold(&[]),
        fold(&[(0, a)]),
        fold(&[(0, a), (1, b)]),
        fold(&[(0, b), (1, a)]),
        fold(&[(1, a), (0, b)]),
        fold(&[(0, a), (2, b)]),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(all[n + 1..].iter().all(|other| other != one));
    }
}

/// Random persons, sorted.
fn persons(count: u64) -> Vec<Record> {
    let mut records: Vec<Record> = (0..count)
        .map(|n| {
            let hash = blake3::hash(&n.to_le_bytes());
            let reference = hash.as_bytes().first_chunk().copied().unwrap();
            record(reference, n + 1)
        })
        .collect();
    records.sort_by_key(|record| record.reference);
    records
}

/// The mean and the largest length of an encoded proof, of those present and
/// of those absent, where `recent` of the persons changed lately.
fn proof_sizes(count: u64, recent: usize) -> (usize, usize) {
    let base = persons(count);
    let recent: Vec<Record> = base.iter().step_by(base.len() / recent).copied().collect();
    let roots = (root_of_sorted(&base), root_of_sorted(&recent));
    let present = base
        .iter()
        .skip(1)
        .step_by(base.len() / 4)
        .map(|record| record.reference);
    let absent = (0..4_u8).map(|n| SubjectReference([n * 63 + 1; 16]));
    let sizes: Vec<usize> = present
        .chain(absent)
        .map(|reference| {
            let recent = MapProof::of_sorted(&recent, &reference);
            let in_recent = recent.verify(&roots.1, &reference).unwrap().is_some();
            let base = (!in_recent).then(|| MapProof::of_sorted(&base, &reference));
            let proof = ShardMapProof { recent, base };
            proof.verify(&roots.0, &roots.1, &reference).unwrap();
            proof.encode().len()
        })
        .collect();
    let largest = sizes.iter().copied().max().unwrap();
    (sizes.iter().sum::<usize>() / sizes.len(), largest)
}

#[test]
fn a_proof_of_a_hundred_thousand_persons_is_small() {
    let (mean, largest) = proof_sizes(100_000, 10_000);
    println!("proofs of 100,000 persons, 10,000 of them recent: {mean} bytes, at most {largest}");
    assert!(mean < 1536 && largest < 1536);
}

#[test]
#[ignore = "hashes a million persons many times: run with --release"]
fn a_proof_of_a_million_persons_is_small() {
    for recent in [1_000, 10_000, 100_000, 250_000] {
        let (mean, largest) = proof_sizes(1_000_000, recent);
        println!(
            "proofs of 1,000,000 persons, {recent} of them recent: {mean} bytes, at most {largest}"
        );
        assert!(mean < 1536);
    }
}
