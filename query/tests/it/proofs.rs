//! Single proofs over the wire, and what is refused.

use std::time::Duration;

use custody_proof::checkpoint::{Checkpoint, LedgerCheckpoint};
use custody_proof::evidence::{CompletenessProof, ConsistencyProof, EvidenceError, InclusionProof};
use custody_proof::manifest::Manifest;
use custody_proto::v1;
use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::evidence::{LI, everything_of_li, keys, with_two_references};
use crate::server::run;
use crate::world::{Draft, World};

#[tokio::test(flavor = "multi_thread")]
async fn each_proof_can_be_checked_alone() {
    let running = run(with_two_references(), true).await;
    // Everything is signed once an export has waited for it.
    everything_of_li(&running).await;
    let mut client = EvidenceServiceClient::new(running.channel.clone());
    let world = &running.world;

    let checkpoint = client
        .get_checkpoint(v1::GetCheckpointRequest::default())
        .await
        .unwrap()
        .into_inner();
    let note = String::from_utf8(checkpoint.checkpoint).unwrap();
    let head = LedgerCheckpoint::open(&note, &keys()).unwrap();
    let manifest = Manifest::parse(std::str::from_utf8(&checkpoint.manifest).unwrap()).unwrap();
    assert_eq!(head.manifest_leaf, manifest.leaf());
    assert_eq!(checkpoint.shards.len(), manifest.shards.len());

    for fact in &world.facts {
        let proof = client
            .prove_inclusion(v1::ProveInclusionRequest {
                entry: Some(v1::EntryPosition {
                    shard: fact.shard.to_string(),
                    sequence: fact.sequence,
                    offset: None,
                }),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner();
        let document = InclusionProof::from_json(&proof.document).unwrap();
        let included = document.verify(&keys()).unwrap();
        let mut entry = included.entry.entry;
        entry.sealed.clear();
        assert!(entry == fact.entry);
        assert_eq!(proof.index, fact.sequence);
        assert_eq!(proof.entry, document.entry);
        assert_eq!(proof.path.len(), document.path.len());

        let mut other = document;
        other.entry[40] ^= 1;
        assert!(other.verify(&keys()).is_err());
    }

    let proof = client
        .prove_completeness(v1::ProveCompletenessRequest {
            subject: LI.to_owned(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let document = CompletenessProof::from_json(&proof.document).unwrap();
    let counted = document.verify(&keys()).unwrap();
    let counts = counted.subjects.iter().flat_map(|subject| &subject.shards);
    let proved = counts.map(|(_, record)| record.as_ref().map_or(0, |record| record.count));
    let said: Vec<u64> = proof.parts.iter().map(|part| part.count).collect();
    assert!(proved.eq(said.iter().copied()));
    assert_eq!(said.iter().sum::<u64>(), 6);
    let mut less = document.clone();
    less.subjects[0].shards.pop();
    assert!(matches!(
        less.verify(&keys()),
        Err(EvidenceError::ShardMissing { .. })
    ));
    let mut swapped = document.clone();
    let map = swapped.subjects[0].shards[0].map.clone();
    swapped.subjects[1].shards[0].map = map;
    assert!(swapped.verify(&keys()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_was_kept_is_proved_to_be_continued() {
    let mut running = run(with_two_references(), true).await;
    everything_of_li(&running).await;
    let mut client = EvidenceServiceClient::new(running.channel.clone());
    let get = async |client: &mut EvidenceServiceClient<Channel>| {
        let got = client.get_checkpoint(v1::GetCheckpointRequest::default());
        got.await.unwrap().into_inner()
    };
    let kept = get(&mut client).await;
    let kept_note = String::from_utf8(kept.checkpoint.clone()).unwrap();
    let kept_size = Checkpoint::open(&kept_note, &keys()).unwrap().size;

    running.world.commit(0, &[Draft::collection(LI, "e-7", 20)]);
    everything_of_li(&running).await;
    let request = v1::ProveConsistencyRequest {
        shard: String::new(),
        from_size: kept_size,
        to_size: 0,
        ..Default::default()
    };
    let proof = client
        .prove_consistency(request)
        .await
        .unwrap()
        .into_inner();
    assert!(proof.to_size > kept_size);
    let document = ConsistencyProof::from_json(&proof.document).unwrap();
    let grown = document.verify(&kept_note, None, &keys()).unwrap();
    assert_eq!(grown.later.size, proof.to_size);

    let shard = kept.shards[0].clone();
    let note = String::from_utf8(shard.checkpoint).unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let request = v1::ProveConsistencyRequest {
        shard: shard.shard,
        from_size: size,
        to_size: 0,
        ..Default::default()
    };
    let proof = client
        .prove_consistency(request)
        .await
        .unwrap()
        .into_inner();
    let document = ConsistencyProof::from_json(&proof.document).unwrap();
    document.verify(&note, None, &keys()).unwrap();
}

fn reason(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info().unwrap();
    (status.code(), info.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_is_missing() {
    let running = run(with_two_references(), true).await;
    everything_of_li(&running).await;
    let mut client = EvidenceServiceClient::new(running.channel.clone());
    let shard = running.world.shards[0].id().to_string();
    let inclusion = |shard: &str, sequence| v1::ProveInclusionRequest {
        entry: Some(v1::EntryPosition {
            shard: shard.to_owned(),
            sequence,
            offset: None,
        }),
        ..Default::default()
    };

    let status = client
        .prove_inclusion(inclusion(&shard, 99))
        .await
        .unwrap_err();
    assert_eq!(
        reason(&status),
        (Code::FailedPrecondition, "NOT_COVERED".to_owned())
    );
    let info = status.get_details_error_info().unwrap().metadata;
    assert_eq!(
        (info["asked"].as_str(), info["signed"].as_str()),
        ("99", "4")
    );

    let unknown = "00".repeat(16);
    let status = client
        .prove_inclusion(inclusion(&unknown, 0))
        .await
        .unwrap_err();
    assert_eq!(
        reason(&status),
        (Code::NotFound, "SHARD_UNKNOWN".to_owned())
    );
    let status = client.prove_inclusion(inclusion("x", 0)).await.unwrap_err();
    assert_eq!(
        reason(&status),
        (Code::InvalidArgument, "FIELD_INVALID".to_owned())
    );

    let backwards = v1::ProveConsistencyRequest {
        shard: shard.clone(),
        from_size: 4,
        to_size: 2,
        ..Default::default()
    };
    let status = client.prove_consistency(backwards).await.unwrap_err();
    assert_eq!(
        reason(&status),
        (Code::InvalidArgument, "NOT_EARLIER".to_owned())
    );

    // Visible at once, and never signed: nothing is waited for beyond the
    // caller's own deadline.
    let mut request = Request::new(v1::ExportEvidenceRequest {
        subject: LI.to_owned(),
        at_least: Some(v1::AtLeast {
            shards: vec![v1::ShardHead {
                shard,
                size: 99,
                ..Default::default()
            }],
        }),
    });
    request.set_timeout(Duration::from_millis(500));
    let status = client.export_evidence(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_signs_nothing_says_so() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let running = run(world, true).await;
    let mut client = EvidenceServiceClient::new(running.channel.clone());
    let shard = running.world.shards[0].id().to_string();
    let refused = [
        client
            .prove_inclusion(v1::ProveInclusionRequest {
                entry: Some(v1::EntryPosition {
                    shard,
                    sequence: 0,
                    offset: None,
                }),
                ..Default::default()
            })
            .await
            .unwrap_err(),
        client
            .prove_consistency(v1::ProveConsistencyRequest::default())
            .await
            .unwrap_err(),
        client
            .prove_completeness(v1::ProveCompletenessRequest {
                subject: LI.to_owned(),
                ..Default::default()
            })
            .await
            .unwrap_err(),
        client
            .export_evidence(v1::ExportEvidenceRequest {
                subject: LI.to_owned(),
                at_least: None,
            })
            .await
            .unwrap_err(),
    ];
    for status in refused {
        assert_eq!(
            reason(&status),
            (Code::FailedPrecondition, "NO_CHECKPOINT".to_owned())
        );
    }
    let checkpoint = client.get_checkpoint(v1::GetCheckpointRequest::default());
    let checkpoint = checkpoint.await.unwrap().into_inner();
    assert!(checkpoint.checkpoint.is_empty() && checkpoint.shards.is_empty());
    assert!(checkpoint.head.is_some());
}
