//! How many entries there are is proved without the entries.

use custody_proof::evidence::{CompletenessProof, EvidenceError};

use crate::world::{LEDGER, World, reference, trusted};

fn proof(numbers: &[u8]) -> CompletenessProof {
    World::small().evidence(numbers).into()
}

fn counts(proof: &CompletenessProof) -> Result<Vec<Vec<u64>>, EvidenceError> {
    // Through JSON, as it comes.
    let again = CompletenessProof::from_json(proof.to_json().as_bytes())?;
    assert_eq!(again, *proof);
    let counted = again.verify(&trusted())?;
    assert_eq!(counted.ledger, LEDGER);
    let subjects = counted.subjects.iter().map(|subject| {
        let shards = subject.shards.iter();
        let count = |record: &Option<custody_proof::map::Record>| {
            record.as_ref().map_or(0, |record| record.count)
        };
        shards.map(|(_, record)| count(record)).collect()
    });
    Ok(subjects.collect())
}

#[test]
fn each_shard_is_counted_also_where_it_has_nothing() {
    let world = World::small();
    let evidence = world.evidence(&[1, 2, 4]);
    let expected: Vec<Vec<u64>> = evidence
        .subjects
        .iter()
        .map(|subject| {
            let shards = subject.shards.iter();
            shards.map(|shard| shard.entries.len() as u64).collect()
        })
        .collect();
    assert_eq!(counts(&evidence.into()).unwrap(), expected);
    assert_eq!(expected[2], [0, 0, 0]);
}

#[test]
fn what_is_left_out_or_of_another_proves_nothing() {
    let after = |change: fn(&mut CompletenessProof)| {
        let mut proof = proof(&[1, 2]);
        change(&mut proof);
        counts(&proof).unwrap_err()
    };
    assert!(matches!(
        after(|p| drop(p.subjects[0].shards.remove(1))),
        EvidenceError::ShardMissing { .. }
    ));
    assert!(matches!(
        after(|p| {
            let more = p.subjects[0].shards[2].clone();
            p.subjects[0].shards.push(more);
        }),
        EvidenceError::ShardNeedless { .. }
    ));
    assert!(matches!(
        after(|p| drop(p.checkpoints.pop())),
        EvidenceError::ShardCount { .. }
    ));
    assert!(matches!(
        after(|p| p.subjects[1].shards[1].map = p.subjects[0].shards[1].map.clone()),
        EvidenceError::Map { .. }
    ));
    assert!(matches!(
        after(|p| p.subjects[0].shards[0].map.clear()),
        EvidenceError::MapBytes { .. }
    ));
    assert!(matches!(
        after(|p| p.subjects[1].reference = reference(1)),
        EvidenceError::SubjectTwice { .. }
    ));
    assert!(matches!(
        after(|p| p.subjects.clear()),
        EvidenceError::NoSubject
    ));
    assert!(matches!(
        after(|p| p.manifest_path.clear()),
        EvidenceError::ManifestPath(_)
    ));
}

#[test]
fn another_document_is_none() {
    let evidence = World::small().evidence(&[1]).to_json();
    assert!(matches!(
        CompletenessProof::from_json(evidence.as_bytes()),
        Err(EvidenceError::Format { .. })
    ));
}
