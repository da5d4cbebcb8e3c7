//! Evidence over the wire, checked with nothing but the ledger's key.

use std::collections::BTreeSet;

use custody_ledger::{ShardDescriptor, ShardId};
use custody_proof::evidence::{CompletenessProof, Evidence, EvidenceError, verify};
use custody_proof::manifest::Manifest;
use custody_proof::note::VerifyingKey;
use custody_proto::v1;
use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::server::{Running, run};
use crate::world::{Draft, World, party, signing_key};

pub(crate) const LI: &str = "account:1001";

pub(crate) fn keys() -> Vec<VerifyingKey> {
    vec![signing_key().verifying_key().clone()]
}

/// Li is in both Kafka shards and in the house, under two references that were
/// linked later; others are beside.
pub(crate) fn with_two_references() -> World {
    let mut world = World::signed();
    world.commit(
        0,
        &[
            Draft::collection(LI, "e-1", 1),
            Draft::collection("account:2002", "e-2", 2),
            Draft::disclosure(LI, "e-3", 3, party("dhl", "US")),
        ],
    );
    world.commit(
        1,
        &[
            Draft::collection("account:3003", "e-4", 9),
            // Earlier than those of the other shard.
            Draft::collection("member:7", "e-5", 0),
        ],
    );
    let mut both = Draft::disclosure(LI, "e-6", 5, party("gls", "DE"));
    both.ids = vec![LI.to_owned(), "member:7".to_owned()];
    world.commit(1, &[both]);
    // Recorded last, and the first that happened: the order of the log is not
    // that of answers.
    world.commit(0, &[Draft::collection(LI, "e-0", -5)]);
    world.consult(LI, 6);
    world.consult("account:2002", 7);
    world
}

/// At least everything that is in the ledger now.
pub(crate) fn all_of(world: &World) -> v1::AtLeast {
    let shards = world.ledger.shards().into_iter();
    v1::AtLeast {
        shards: shards
            .map(|(_, head)| v1::ShardHead {
                shard: head.shard.to_string(),
                size: head.size,
                ..Default::default()
            })
            .collect(),
    }
}

/// The document, put together of its parts.
async fn export(
    client: &mut EvidenceServiceClient<Channel>,
    request: v1::ExportEvidenceRequest,
) -> Result<Vec<u8>, Status> {
    let mut parts = client.export_evidence(request).await?.into_inner();
    let mut document = Vec::new();
    while let Some(part) = parts.message().await? {
        assert!((1..=64 << 10).contains(&part.chunk.len()));
        document.extend(part.chunk);
    }
    Ok(document)
}

pub(crate) async fn everything_of_li(running: &Running) -> Vec<u8> {
    let mut client = EvidenceServiceClient::new(running.channel.clone());
    let request = v1::ExportEvidenceRequest {
        subject: LI.to_owned(),
        at_least: Some(all_of(&running.world)),
    };
    export(&mut client, request).await.unwrap()
}

/// Where the entries of these references are, as the tests know it.
fn places(world: &World, references: &[[u8; 16]]) -> BTreeSet<(ShardId, u64)> {
    let facts = world.facts.iter().filter(|fact| {
        let subject = fact.entry.subject.unwrap();
        references.contains(&subject.0)
    });
    facts.map(|fact| (fact.shard, fact.sequence)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_everything_of_a_person_and_proves_it() {
    let running = run(with_two_references(), true).await;
    let document = everything_of_li(&running).await;
    let evidence = Evidence::from_json(&document).unwrap();
    let verified = verify(&evidence, &keys()).unwrap();

    let world = &running.world;
    let identity = world.vault.lookup(LI).unwrap().unwrap();
    let references: Vec<[u8; 16]> = identity.persons.iter().map(|p| p.reference()).collect();
    assert_eq!(references.len(), 2);
    let proved: Vec<[u8; 16]> = verified.subjects.iter().map(|s| s.reference.0).collect();
    assert_eq!(proved, references);
    assert_eq!(verified.ledger, world.ledger.id());
    assert_eq!(verified.shards.len(), 3);

    let mut found = BTreeSet::new();
    for subject in &verified.subjects {
        assert_eq!(subject.shards.len(), 3, "also where there is nothing");
        for shard in &subject.shards {
            assert_eq!(shard.count, shard.entries.len() as u64);
            for entry in &shard.entries {
                assert!(entry.in_log);
                found.insert((shard.shard, entry.sequence));
            }
        }
    }
    assert_eq!(found, places(world, &references));
    let house = ShardDescriptor::house().id();
    let shards: BTreeSet<ShardId> = found.iter().map(|(shard, _)| *shard).collect();
    assert_eq!((found.len(), shards.len()), (6, 3));
    assert!(shards.contains(&house));

    let other = signing_key().for_name("other.example").unwrap();
    let refused = verify(&evidence, &[other.verifying_key().clone()]);
    assert!(
        matches!(refused, Err(EvidenceError::Ledger(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_left_out_or_changed_is_found() {
    let running = run(with_two_references(), true).await;
    let document = everything_of_li(&running).await;
    let whole = Evidence::from_json(&document).unwrap();
    let refused =
        |evidence: &Evidence, what: &str| verify(evidence, &keys()).expect_err(what).to_string();

    for subject in 0..whole.subjects.len() {
        for shard in 0..whole.subjects[subject].shards.len() {
            for entry in 0..whole.subjects[subject].shards[shard].entries.len() {
                let mut less = whole.clone();
                less.subjects[subject].shards[shard].entries.remove(entry);
                refused(&less, "an entry is missing");
            }
            let mut less = whole.clone();
            less.subjects[subject].shards.remove(shard);
            refused(&less, "a shard is missing");
        }
    }
    for shard in 0..whole.checkpoints.len() {
        let mut less = whole.clone();
        less.checkpoints.remove(shard);
        for subject in &mut less.subjects {
            subject.shards.remove(shard);
        }
        let mut manifest = Manifest::parse(&less.manifest).unwrap();
        manifest.shards.remove(shard);
        less.manifest = manifest.to_text();
        refused(&less, "a shard is missing everywhere");
    }

    // A prime, so that every kind of field is met.
    for at in (0..document.len()).step_by(101) {
        let mut changed = document.clone();
        changed[at] ^= 1;
        let read = Evidence::from_json(&changed);
        let verified = read.and_then(|evidence| verify(&evidence, &keys()));
        assert!(verified.is_err(), "byte {at} of {}", document.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_not_there_is_proved_absent() {
    let world = with_two_references();
    // Known, and nothing was said of them.
    world.vault.admit(&["account:4004"]).unwrap();
    let running = run(world, true).await;
    let mut client = EvidenceServiceClient::new(running.channel.clone());

    let request = v1::ExportEvidenceRequest {
        subject: "account:4004".to_owned(),
        at_least: Some(all_of(&running.world)),
    };
    let document = export(&mut client, request).await.unwrap();
    let verified = verify(&Evidence::from_json(&document).unwrap(), &keys()).unwrap();
    let [subject] = verified.subjects.as_slice() else {
        panic!("one reference");
    };
    assert!(subject.shards.len() == 3 && subject.shards.iter().all(|shard| shard.count == 0));

    let proof = client
        .prove_completeness(v1::ProveCompletenessRequest {
            subject: "account:4004".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(proof.parts.len(), 3);
    assert!(
        proof
            .parts
            .iter()
            .all(|part| part.count == 0 && part.digest.is_empty())
    );
    let document = CompletenessProof::from_json(&proof.document).unwrap();
    let counted = document.verify(&keys()).unwrap();
    assert!(
        counted.subjects[0]
            .shards
            .iter()
            .all(|(_, record)| record.is_none())
    );

    // What nobody has a key for has no reference that could be proved absent.
    let request = v1::ExportEvidenceRequest {
        subject: "account:9".to_owned(),
        at_least: None,
    };
    let status = export(&mut client, request).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (Code::NotFound, "SUBJECT_NOT_FOUND")
    );
}
