//! That somebody looked, as a person can be told.

use std::time::Duration;

use custody_ledger::{Digest, Entry, Kind, ShardDescriptor};
use custody_proto::event::event::Act;
use custody_proto::sealed::SealedMessage;
use custody_proto::v1;
use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_query::{
    CallerRules, ConsultationMode, ConsultationOptions, ConsultationWriter, QueryServer,
};
use custody_vault::EntryContext;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::evidence::all_of;
use crate::server::{Running, run_server};
use crate::watch::verify;
use crate::world::{Draft, World, party};

const LI: &str = "account:1001";

fn options(mode: ConsultationMode) -> ConsultationOptions {
    ConsultationOptions {
        mode,
        ..ConsultationOptions::new(Digest([7; 32]))
    }
}

async fn run_with(world: World, options: ConsultationOptions) -> (Running, ConsultationWriter) {
    let (ledger, vault) = (world.ledger.clone(), world.vault.clone());
    let (kept, writer) = ConsultationWriter::start(ledger, vault, options).unwrap();
    let state = world.api().state().clone().with_consultations(kept);
    let running = run_server(world, true, QueryServer::new(state)).await;
    (running, writer)
}

fn with_events() -> World {
    let mut world = World::signed();
    let drafts: Vec<Draft> = (0..25)
        .map(|number| Draft::disclosure(LI, &format!("e-{number}"), number, party("dhl", "US")))
        .collect();
    world.commit(0, &drafts);
    world.commit(1, &[Draft::collection("account:2002", "other", 1)]);
    world
}

fn from<T>(caller: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("custody-caller", caller.parse().unwrap());
    metadata.insert("custody-role", "support".parse().unwrap());
    let reason = MetadataValue::from_bytes("complaint of the customer: 客户".as_bytes());
    metadata.insert_bin("custody-reason-bin", reason);
    request
}

/// Everything in the house shard that says that somebody looked.
fn written(world: &World) -> Vec<(u64, Entry)> {
    let house = ShardDescriptor::house().id();
    let blocks = world.ledger.read_blocks(house, 0, usize::MAX).unwrap();
    let entries = blocks.iter().flat_map(|block| block.entries());
    let entries = entries.map(|entry| entry.unwrap());
    entries
        .filter(|(_, entry)| entry.kind() == Some(Kind::Consultation))
        .collect()
}

/// What an entry says, opened as whoever has the key does.
fn opened(world: &World, sequence: u64, entry: &Entry) -> custody_proto::event::Consultation {
    let person = match entry.subject {
        Some(subject) => world.vault.person(&subject.0).unwrap().unwrap(),
        None => world.vault.house(),
    };
    let context = EntryContext {
        ledger: world.ledger.id().0,
        shard: ShardDescriptor::house().id().0,
        sequence,
    };
    let plain = person.open(&context, &entry.sealed).unwrap();
    let event = SealedMessage::from_bytes(&plain).unwrap().reopen().unwrap();
    match event.data.act {
        Some(Act::Consultation(said)) => said,
        _ => panic!("something else"),
    }
}

fn li() -> String {
    LI.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_who_looked_when_and_why() {
    let (running, writer) = run_with(with_events(), options(ConsultationMode::Durable)).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let filter = v1::EntryFilter {
        kinds: vec!["disclosure".to_owned()],
        ..Default::default()
    };
    let request = v1::ListRecipientsRequest {
        subject: li(),
        filter: Some(filter),
        ..Default::default()
    };
    client
        .list_recipients(from("li.wei", request))
        .await
        .unwrap();
    // Durable before the answer left.
    assert_eq!(written(&running.world).len(), 1);

    let request = v1::ListEventsRequest {
        subject: li(),
        filter: Some(v1::EntryFilter {
            kinds: vec!["consultation".to_owned()],
            ..Default::default()
        }),
        view: v1::EntryView::Full.into(),
        at_least: Some(all_of(&running.world)),
        with_proof: true,
        ..Default::default()
    };
    let page = client
        .list_events(from("dpo", request))
        .await
        .unwrap()
        .into_inner();
    let [entry] = page.entries.as_slice() else {
        panic!("{} entries", page.entries.len());
    };
    let sealed = entry.sealed.as_ref().unwrap();
    let Some(Act::Consultation(said)) = &sealed.data.as_ref().unwrap().act else {
        panic!("something else");
    };
    assert_eq!(
        (
            said.by.as_str(),
            said.role.as_str(),
            said.reason.as_str(),
            said.count
        ),
        ("li.wei", "support", "complaint of the customer: 客户", 1)
    );
    assert_eq!(
        said.query,
        r#"custody.v1.LineageService/ListRecipients {"filter":{"kinds":["disclosure"]}}"#
    );
    assert!(
        entry.event_time.is_some()
            && sealed
                .source
                .contains(&running.world.ledger.id().to_string())
    );
    // It counts in the proof, as everything about the person does.
    let parts = page.proof.unwrap().parts;
    assert_eq!(parts.iter().map(|part| part.count).sum::<u64>(), 26);

    let request = v1::GetSubjectRequest {
        subject: li(),
        at_least: Some(all_of(&running.world)),
        ..Default::default()
    };
    let summary = client.get_subject(request).await.unwrap().into_inner();
    assert_eq!((summary.consultations, summary.entries), (2, 27));

    // Nothing of it is in clear.
    let blocks = running
        .world
        .ledger
        .read_blocks(ShardDescriptor::house().id(), 0, usize::MAX);
    for block in blocks.unwrap() {
        for secret in [
            &b"1001"[..],
            b"li.wei",
            b"support",
            b"complaint",
            b"ListRecipients",
        ] {
            assert!(
                !block
                    .as_bytes()
                    .windows(secret.len())
                    .any(|bytes| bytes == secret)
            );
        }
    }
    writer.stop();
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_of_personal_data_is_written_down_and_nothing_else() {
    let (running, writer) = run_with(with_events(), options(ConsultationMode::Durable)).await;
    let world = &running.world;
    let mut lineage = LineageServiceClient::new(running.channel.clone());
    let mut oversight = OversightServiceClient::new(running.channel.clone());
    let mut evidence = EvidenceServiceClient::new(running.channel.clone());
    let reference = world.vault.lookup(LI).unwrap().unwrap().persons[0].reference();
    let mut before = 0;
    let mut check = |what: &str, whose: Option<Option<[u8; 16]>>| {
        let written = written(world);
        let expected = before + usize::from(whose.is_some());
        assert_eq!(written.len(), expected, "{what}");
        before = expected;
        if let (Some(whose), Some((sequence, entry))) = (whose, written.last()) {
            assert_eq!(entry.subject.map(|it| it.0), whose, "{what}");
            let said = opened(world, *sequence, entry);
            assert!(said.query.contains(what), "{} of {what}", said.query);
            assert!(said.by == "li.wei" && !said.query.contains("1001"));
        }
    };
    let all = v1::EntryFilter::default();
    let request = v1::GetSubjectRequest {
        subject: li(),
        ..Default::default()
    };
    lineage.get_subject(from("li.wei", request)).await.unwrap();
    check("LineageService/GetSubject", Some(Some(reference)));
    let request = v1::ListEventsRequest {
        subject: li(),
        ..Default::default()
    };
    lineage.list_events(from("li.wei", request)).await.unwrap();
    check("LineageService/ListEvents", Some(Some(reference)));
    let request = v1::ListRecipientsRequest {
        subject: li(),
        ..Default::default()
    };
    lineage
        .list_recipients(from("li.wei", request))
        .await
        .unwrap();
    check("LineageService/ListRecipients", Some(Some(reference)));
    let request = v1::ListTransfersRequest {
        subject: li(),
        ..Default::default()
    };
    lineage
        .list_transfers(from("li.wei", request))
        .await
        .unwrap();
    check("LineageService/ListTransfers", Some(Some(reference)));
    let request = v1::ListFindingsRequest {
        subject: li(),
        ..Default::default()
    };
    lineage
        .list_findings(from("li.wei", request))
        .await
        .unwrap();
    check("LineageService/ListFindings", Some(Some(reference)));
    let request = v1::GetFindingSummaryRequest {
        subject: li(),
        ..Default::default()
    };
    lineage
        .get_finding_summary(from("li.wei", request))
        .await
        .unwrap();
    check("LineageService/GetFindingSummary", Some(Some(reference)));
    let request = v1::GetConsentStateRequest {
        subject: li(),
        ..Default::default()
    };
    lineage
        .get_consent_state(from("li.wei", request))
        .await
        .unwrap();
    check("LineageService/GetConsentState", Some(Some(reference)));
    let request = v1::WatchSubjectRequest {
        subject: li(),
        ..Default::default()
    };
    let stream = lineage
        .watch_subject(from("li.wei", request))
        .await
        .unwrap();
    check("LineageService/WatchSubject", Some(Some(reference)));
    drop(stream);

    let request = v1::OversightListRequest {
        filter: Some(all),
        ..Default::default()
    };
    oversight
        .list_findings(from("li.wei", request))
        .await
        .unwrap();
    check("OversightService/ListFindings", Some(None));
    let request = v1::OversightFindingSummaryRequest::default();
    oversight
        .get_finding_summary(from("li.wei", request))
        .await
        .unwrap();
    check("OversightService/GetFindingSummary", Some(None));
    let stream = oversight
        .watch(from("li.wei", v1::WatchRequest::default()))
        .await
        .unwrap();
    check("OversightService/Watch", Some(None));
    drop(stream);

    let wanted = Some(all_of(world));
    let request = v1::ProveCompletenessRequest {
        subject: li(),
        at_least: wanted.clone(),
    };
    evidence
        .prove_completeness(from("li.wei", request))
        .await
        .unwrap();
    check("EvidenceService/ProveCompleteness", Some(Some(reference)));
    let request = v1::ExportEvidenceRequest {
        subject: li(),
        at_least: wanted.clone(),
    };
    let mut parts = evidence
        .export_evidence(from("li.wei", request))
        .await
        .unwrap()
        .into_inner();
    while parts.message().await.unwrap().is_some() {}
    check("EvidenceService/ExportEvidence", Some(Some(reference)));
    let entry = v1::EntryPosition {
        shard: world.facts[0].shard.to_string(),
        sequence: 0,
        offset: None,
    };
    let request = v1::ProveInclusionRequest {
        entry: Some(entry),
        at_least: wanted,
    };
    evidence
        .prove_inclusion(from("li.wei", request))
        .await
        .unwrap();
    check("EvidenceService/ProveInclusion", Some(Some(reference)));

    evidence
        .get_checkpoint(v1::GetCheckpointRequest::default())
        .await
        .unwrap();
    check("GetCheckpoint", None);
    evidence
        .prove_consistency(v1::ProveConsistencyRequest::default())
        .await
        .ok();
    check("ProveConsistency", None);
    let request = v1::GetSubjectRequest {
        subject: "account:9".to_owned(),
        ..Default::default()
    };
    let status = lineage
        .get_subject(from("li.wei", request))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    check("nobody", None);
    writer.stop();
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_one_listing_are_one_consultation_and_go_on_beside_others() {
    let (running, writer) = run_with(with_events(), options(ConsultationMode::Durable)).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let first = v1::ListEventsRequest {
        subject: li(),
        page_size: 5,
        ..Default::default()
    };
    let mut request = first.clone();
    let (mut rows, mut pages, mut token) = (0, 0, String::new());
    loop {
        let page = client
            .list_events(from("li.wei", request.clone()))
            .await
            .unwrap()
            .into_inner();
        rows += page.entries.len();
        pages += 1;
        // The house shard grows while somebody pages.
        let other = v1::GetConsentStateRequest {
            subject: "account:2002".to_owned(),
            ..Default::default()
        };
        client
            .get_consent_state(from("other", other))
            .await
            .unwrap();
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        token.clone_from(&request.page_token);
    }
    assert_eq!((rows, pages), (25, 5));
    let of_li = |world: &World| {
        let reference = world.vault.lookup(LI).unwrap().unwrap().persons[0].reference();
        let written = written(world).into_iter();
        written
            .filter(|(_, entry)| entry.subject.is_some_and(|it| it.0 == reference))
            .count()
    };
    assert_eq!(of_li(&running.world), 1);

    // Somebody else's look at a page of it is a look of its own, once.
    let page = v1::ListEventsRequest {
        page_token: token,
        ..first.clone()
    };
    for _ in 0..2 {
        client
            .list_events(from("chen", page.clone()))
            .await
            .unwrap();
    }
    assert_eq!(of_li(&running.world), 2);
    // And so is a second listing.
    client.list_events(from("li.wei", first)).await.unwrap();
    assert_eq!(of_li(&running.world), 3);
    writer.stop();
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_best_effort_the_answer_leaves_first_and_the_entry_follows() {
    let (running, writer) = run_with(with_events(), options(ConsultationMode::BestEffort)).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    for _ in 0..200 {
        let request = v1::GetSubjectRequest {
            subject: li(),
            ..Default::default()
        };
        client.get_subject(from("li.wei", request)).await.unwrap();
    }
    // Stopping writes what waits.
    writer.stop();
    let written = written(&running.world);
    assert_eq!(written.len(), 200);
    let house = ShardDescriptor::house().id();
    let blocks = running.world.ledger.head(house).unwrap().blocks;
    assert!(blocks < 100, "in groups, not {blocks} blocks");
    for (sequence, entry) in &written {
        assert_eq!(opened(&running.world, *sequence, entry).by, "li.wei");
    }
    // Who asks after that is answered, and the loss is counted, not silent.
    let request = v1::GetSubjectRequest {
        subject: li(),
        ..Default::default()
    };
    client.get_subject(from("li.wei", request)).await.unwrap();
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_durable_mode_there_is_no_answer_without_a_consultation() {
    let (running, writer) = run_with(with_events(), options(ConsultationMode::Durable)).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    writer.stop();
    let request = v1::GetSubjectRequest {
        subject: li(),
        ..Default::default()
    };
    let status = client
        .get_subject(from("li.wei", request))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "CONSULTATION_NOT_KEPT");
    // What is nobody's is answered.
    let mut evidence = EvidenceServiceClient::new(running.channel.clone());
    evidence
        .get_checkpoint(v1::GetCheckpointRequest::default())
        .await
        .unwrap();
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_say_something_and_does_not_gets_no_answer() {
    let rules = ConsultationOptions {
        callers: CallerRules {
            caller_required: true,
            reason_required: true,
            default_role: "support".to_owned(),
        },
        ..options(ConsultationMode::Durable)
    };
    let (running, writer) = run_with(with_events(), rules).await;
    let mut client = LineageServiceClient::new(running.channel.clone());
    let request = v1::GetSubjectRequest {
        subject: li(),
        ..Default::default()
    };
    let status = client.get_subject(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let fields: Vec<String> = status
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|it| it.field)
        .collect();
    assert_eq!(
        fields,
        ["metadata.custody-caller", "metadata.custody-reason"]
    );
    assert!(written(&running.world).is_empty());
    let mut request = from("li.wei", request);
    request.metadata_mut().remove("custody-role");
    client.get_subject(request).await.unwrap();
    let written = written(&running.world);
    let (sequence, entry) = &written[0];
    assert_eq!(opened(&running.world, *sequence, entry).role, "support");
    writer.stop();
    verify(running.stop().await);
}

/// The ledger's other house entries come in between; every place is right.
#[tokio::test(flavor = "multi_thread")]
async fn consultations_are_sealed_for_their_place_while_others_write_too() {
    let (running, writer) = run_with(with_events(), options(ConsultationMode::Durable)).await;
    let ledger = running.world.ledger.clone();
    let others = std::thread::spawn(move || {
        for number in 0..100 {
            let mut entry = Entry::new(Kind::PartyRegistered, number);
            entry.act = custody_ledger::Act::House(custody_ledger::HouseRecord::PartyRegistered {
                id: format!("p-{number}"),
                name: String::new(),
                category: String::new(),
                country: String::new(),
            });
            ledger
                .append_house(vec![entry], number, Digest([7; 32]))
                .unwrap();
        }
    });
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let mut client = LineageServiceClient::new(running.channel.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..25 {
                let request = v1::GetSubjectRequest {
                    subject: li(),
                    ..Default::default()
                };
                client.get_subject(from("li.wei", request)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task)
            .await
            .unwrap()
            .unwrap();
    }
    others.join().unwrap();
    let written = written(&running.world);
    assert_eq!(written.len(), 100);
    for (sequence, entry) in &written {
        assert_eq!(opened(&running.world, *sequence, entry).by, "li.wei");
    }
    writer.stop();
    verify(running.stop().await);
}
