//! Answers that come with a proof of how much there is.

use std::collections::BTreeMap;

use custody_proof::evidence::CompletenessProof;
use custody_proto::v1;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use tonic::Code;
use tonic_types::StatusExt;

use crate::evidence::{LI, all_of, keys, with_two_references};
use crate::server::run;
use crate::watch::verify;
use crate::world::{Draft, World};

/// What a proof counts of every reference and shard, once it has been checked
/// with nothing but the ledger's key.
fn counted(proof: &v1::ProveCompletenessResponse) -> BTreeMap<(String, String), u64> {
    let document = CompletenessProof::from_json(&proof.document).unwrap();
    let verified = document.verify(&keys()).unwrap();
    let mut counts = BTreeMap::new();
    for subject in verified.subjects {
        for (shard, record) in subject.shards {
            if let Some(record) = record {
                let key = (subject.reference.to_string(), shard.to_string());
                counts.insert(key, record.count);
            }
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_have_as_many_entries_as_are_proved() {
    let mut running = run(with_two_references(), true).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let mut request = v1::ListEventsRequest {
        subject: LI.to_owned(),
        page_size: 2,
        with_proof: true,
        at_least: Some(all_of(&running.world)),
        ..Default::default()
    };
    let (mut proof, mut found, mut heads) = (None, 0, Vec::new());
    loop {
        let page = client
            .list_events(request.clone())
            .await
            .unwrap()
            .into_inner();
        let mut head = page.head.unwrap();
        if proof.is_none() {
            assert_eq!(head.checkpoint, page.proof.as_ref().unwrap().checkpoint);
        }
        assert!(!head.checkpoint.is_empty());
        head.checkpoint.clear();
        heads.push(head);
        found += page.entries.len() as u64;
        assert_eq!(page.proof.is_some(), request.page_token.is_empty());
        proof = proof.or(page.proof);
        // What comes meanwhile is on no page and in no count.
        let number = running.world.facts.len();
        let id = format!("new-{number}");
        running.world.commit(0, &[Draft::collection(LI, &id, 100)]);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(heads.len() > 1 && heads.windows(2).all(|pair| pair[0] == pair[1]));
    let counts = counted(&proof.unwrap());
    assert_eq!(counts.values().sum::<u64>(), found);
    assert_eq!(found, 6);

    let summary = client
        .get_subject(v1::GetSubjectRequest {
            subject: LI.to_owned(),
            with_proof: true,
            at_least: Some(all_of(&running.world)),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let counts = counted(&summary.proof.unwrap());
    assert_eq!(
        counts.values().sum::<u64>(),
        summary.entries + summary.retracted
    );
    assert_eq!(summary.consultations, 1);
    let references: Vec<&String> = counts.keys().map(|(reference, _)| reference).collect();
    assert!(references.iter().all(|it| summary.references.contains(it)));

    let recipients = client
        .list_recipients(v1::ListRecipientsRequest {
            subject: LI.to_owned(),
            with_proof: true,
            at_least: Some(all_of(&running.world)),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(recipients.recipients.len(), 2);
    assert_eq!(counted(&recipients.proof.unwrap()), counts);
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_the_last_checkpoint() {
    let running = run(with_two_references(), true).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    // One with a proof waits until there is one.
    let request = v1::GetSubjectRequest {
        subject: LI.to_owned(),
        with_proof: true,
        at_least: Some(all_of(&running.world)),
        ..Default::default()
    };
    client.get_subject(request.clone()).await.unwrap();
    let request = v1::GetSubjectRequest {
        with_proof: false,
        ..request
    };
    let answer = client.get_subject(request).await.unwrap().into_inner();
    assert!(answer.proof.is_none());
    let note = String::from_utf8(answer.head.unwrap().checkpoint).unwrap();
    assert!(custody_proof::checkpoint::LedgerCheckpoint::open(&note, &keys()).is_ok());
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_signs_nothing_proves_nothing() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let running = run(world, true).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let request = v1::ListEventsRequest {
        subject: LI.to_owned(),
        with_proof: true,
        ..Default::default()
    };
    let status = client.list_events(request).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (Code::FailedPrecondition, "NO_CHECKPOINT")
    );
    verify(running.stop().await);
}
