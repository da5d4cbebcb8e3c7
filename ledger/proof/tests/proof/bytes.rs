//! No byte of a document can be changed.

use proptest::prelude::*;

use custody_proof::evidence::{
    ConsistencyProof, ErasureCertificate, Evidence, InclusionProof, verify,
};
use custody_proof::tree::Hash;

use crate::erasure;
use crate::mutated::check;
use crate::world::{World, reference, trusted};

/// Whether a document is good, and about these. That a ledger has nothing of
/// somebody holds of others near by too: a path that ends empty is the same for
/// them. So who asks must say about whom.
fn is_taken(json: &[u8], numbers: &[u8]) -> bool {
    let references: Vec<_> = numbers.iter().copied().map(reference).collect();
    Evidence::from_json(json)
        .and_then(|evidence| verify(&evidence, &trusted()))
        .is_ok_and(|verified| verified.is_about(&references).is_ok())
}

/// That no document which differs from a good one in one place is taken for
/// good: each byte is changed in two ways, cut, and repeated.
fn no_byte_can_be_changed(good: &str, is_taken: impl Fn(&[u8]) -> bool) {
    assert!(is_taken(good.as_bytes()));
    for index in 0..good.len() {
        let bytes = good.as_bytes();
        let (before, after) = (&bytes[..index], &bytes[index + 1..]);
        let byte = bytes[index];
        for change in [&[byte ^ 1][..], &[byte ^ 0x20], &[], &[byte, byte]] {
            let changed = [before, change, after].concat();
            if changed != bytes {
                let here = String::from_utf8_lossy(&bytes[index.saturating_sub(20)..=index]);
                assert!(!is_taken(&changed), "{index}: {change:?} after {here}");
            }
        }
    }
}

#[test]
fn no_byte_of_evidence_can_be_changed() {
    let world = World {
        shards: World::small().shards.into_iter().skip(1).take(1).collect(),
    };
    no_byte_can_be_changed(&world.evidence(&[5, 6]).to_json(), |json| {
        is_taken(json, &[5, 6])
    });
}

#[test]
fn no_byte_of_an_inclusion_proof_can_be_changed() {
    no_byte_can_be_changed(&World::small().inclusion(1, 3).to_json(), |json| {
        InclusionProof::from_json(json).is_ok_and(|proof| proof.verify(&trusted()).is_ok())
    });
}

#[test]
fn no_byte_of_a_certificate_of_erasure_can_be_changed() {
    no_byte_can_be_changed(&erasure::certificate().to_json(), |json| {
        ErasureCertificate::from_json(json)
            .is_ok_and(|certificate| certificate.verify(&erasure::trusted()).is_ok())
    });
}

#[test]
fn no_byte_of_a_consistency_proof_can_be_changed() {
    let world = World::small();
    let kept = world.former_note(3);
    no_byte_can_be_changed(&world.consistency(3).to_json(), |json| {
        ConsistencyProof::from_json(json)
            .is_ok_and(|proof| proof.verify(&kept, None, &trusted()).is_ok())
    });
}

proptest! {
    #[test]
    fn no_byte_of_a_larger_document_can_be_changed(index: prop::sample::Index, byte: u8, count in 0..3_usize) {
        let good = World::small().evidence(&[1, 2, 4, 5]).to_json();
        let mut bytes = good.clone().into_bytes();
        let index = index.index(bytes.len());
        bytes.splice(index..=index, std::iter::repeat_n(byte, count));
        let taken = is_taken(&bytes, &[1, 2, 4, 5]);
        prop_assert_eq!(taken, bytes == good.as_bytes());
    }

    #[test]
    fn no_hash_or_bytes_can_be_others(subject in 0..3_usize, shard in 0..3_usize, index: prop::sample::Index, bit in 0..8_u8) {
        let evidence = World::small().evidence(&[1, 2, 4]);
        let flip = |bytes: &mut [u8]| {
            if !bytes.is_empty() {
                bytes[index.index(bytes.len())] ^= 1 << bit;
            }
        };
        let mut changed = vec![evidence.clone(); 4];
        flip(&mut changed[0].subjects[subject].shards[shard].map);
        for entry in &mut changed[1].subjects[subject].shards[shard].entries {
            flip(&mut entry.entry);
        }
        for entry in &mut changed[2].subjects[subject].shards[shard].entries {
            flip(&mut entry.previous.0);
        }
        for Hash(hash) in &mut changed[3].manifest_path {
            flip(hash);
        }
        for changed in changed {
            prop_assert_eq!(check(&changed).is_ok(), changed == evidence);
        }
    }

    #[test]
    fn no_bytes_bring_it_down(text in "(\\PC|\\{|\\[|\"format\":|\"custody.evidence/v1\"){0,60}", bytes: Vec<u8>) {
        prop_assert!(Evidence::from_json(text.as_bytes()).is_err());
        prop_assert!(Evidence::from_json(&bytes).is_err());
        prop_assert!(InclusionProof::from_json(&bytes).is_err());
        prop_assert!(ConsistencyProof::from_json(&bytes).is_err());
    }
}
