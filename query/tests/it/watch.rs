//! Streams to watchers, over the wire.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use custody_ledger::{Judgement, Kind, Outcome, ShardDescriptor, VerifyOptions};
use custody_proto::v1;
use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::watch_response::What;
use custody_query::QueryServer;
use proptest::prelude::*;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;

use crate::findings::finding;
use crate::server::{Running, run, run_server};
use crate::world::{Draft, Fact, World, party};

const LI: &str = "account:1001";

/// Closes the ledger and verifies all of it.
pub(crate) fn verify(mut world: World) {
    world.api = None;
    world.ledger.close().unwrap();
    let directory = world.directory().join("ledger");
    let report = custody_ledger::verify(&directory, &VerifyOptions::default()).unwrap();
    assert_eq!(report.faults, Vec::new());
}

fn of_li() -> v1::WatchSubjectRequest {
    v1::WatchSubjectRequest {
        subject: LI.to_owned(),
        ..Default::default()
    }
}

type Stream = Streaming<v1::WatchResponse>;

async fn watch_li(running: &Running, request: v1::WatchSubjectRequest) -> Result<Stream, Status> {
    let mut client = LineageServiceClient::new(running.channel.clone());
    Ok(client.watch_subject(request).await?.into_inner())
}

async fn watch_all(running: &Running, request: v1::WatchRequest) -> Result<Stream, Status> {
    let mut client = OversightServiceClient::new(running.channel.clone());
    Ok(client.watch(request).await?.into_inner())
}

async fn next(stream: &mut Stream) -> v1::WatchResponse {
    let next = tokio::time::timeout(Duration::from_secs(20), stream.message());
    next.await.expect("in time").unwrap().expect("goes on")
}

/// The next that is no progress.
async fn told(stream: &mut Stream) -> (What, String) {
    loop {
        let message = next(stream).await;
        match message.what.unwrap() {
            What::Progress(_) => {}
            what => return (what, message.resume_token),
        }
    }
}

async fn progress(stream: &mut Stream) -> v1::WatchProgress {
    match next(stream).await.what.unwrap() {
        What::Progress(progress) => progress,
        _ => panic!("something new"),
    }
}

/// Where and what, of an entry or a finding.
fn brief(what: &What) -> String {
    let at = |position: &Option<v1::EntryPosition>| {
        let position = position.as_ref().unwrap();
        format!("{}/{}", &position.shard[..4], position.sequence)
    };
    match what {
        What::Entry(entry) => {
            let entry = entry.entry.as_ref().unwrap();
            format!("{} {}", entry.kind, at(&entry.position))
        }
        What::Finding(row) => {
            let entry = row.entry.as_ref().unwrap();
            let code = &row.finding.as_ref().unwrap().code;
            format!("{code} of {} by {}", at(&entry.position), at(&row.found_by))
        }
        What::Progress(_) => "progress".to_owned(),
    }
}

fn place(fact: &Fact) -> String {
    format!("{}/{}", &fact.shard.to_string()[..4], fact.sequence)
}

fn with_finding(id: &str, event_id: &str, at: i64, code: &str) -> Draft {
    let mut draft = Draft::collection(id, event_id, at);
    draft.findings = vec![finding(code), finding("sale")];
    draft.outcome = Outcome::Violation;
    draft.judged_policy = "ALB-2025";
    draft
}

fn head_of(world: &World) -> v1::LedgerHead {
    let shards = world.ledger.shards().into_iter();
    v1::LedgerHead {
        shards: shards
            .map(|(_, head)| v1::ShardHead {
                shard: head.shard.to_string(),
                size: head.size,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_about_a_person_comes_as_it_is_recorded() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let mut running = run(world, true).await;
    let mut stream = watch_li(&running, of_li()).await.unwrap();
    let begun = progress(&mut stream).await;
    assert_eq!((begun.behind, begun.references.len()), (0, 1));
    assert_eq!(begun.head.unwrap().shards.len(), 3);

    let at = Instant::now();
    running.world.commit(
        1,
        &[
            Draft::collection("account:2002", "e-2", 2),
            with_finding(LI, "e-3", 3, "consent_missing"),
        ],
    );
    let new = running.world.facts[2].clone();
    let (what, _) = told(&mut stream).await;
    assert!(at.elapsed() < Duration::from_secs(5));
    let What::Entry(entry) = &what else {
        panic!("{}", brief(&what));
    };
    assert_eq!(entry.reference, begun.references[0]);
    assert_eq!(entry.entry.as_ref().unwrap().judgement, "violation");
    let place = place(&new);
    assert_eq!(brief(&what), format!("collection {place}"));
    for code in ["consent_missing", "sale"] {
        let (what, _) = told(&mut stream).await;
        assert_eq!(brief(&what), format!("{code} of {place} by {place}"));
    }

    // Judged again: that is an entry of the house, and its findings are of the
    // entry that was judged.
    let judgement = Judgement {
        outcome_code: Outcome::Gap as u8,
        policy: "ALB-2025".to_owned(),
        findings: vec![finding("undeclared_purpose")],
        ..Judgement::default()
    };
    running.world.rejudge(&new, judgement);
    let house = &ShardDescriptor::house().id().to_string()[..4];
    let (what, _) = told(&mut stream).await;
    assert_eq!(brief(&what), format!("rejudged {house}/0"));
    let (what, _) = told(&mut stream).await;
    let expected = format!("undeclared_purpose of {place} by {house}/0");
    assert_eq!(brief(&what), expected);
    let What::Finding(row) = &what else {
        panic!("a finding");
    };
    assert!(!row.finding.as_ref().unwrap().superseded);
    assert_eq!(row.entry.as_ref().unwrap().judgement, "gap");
    drop(stream);
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_told_as_it_stood_then() {
    let mut world = World::new();
    world.commit(0, &[with_finding(LI, "e-1", 1, "consent_missing")]);
    let new = world.facts[0].clone();
    for code in ["undeclared_purpose", "undeclared_category"] {
        world.rejudge(
            &new,
            Judgement {
                outcome_code: Outcome::Gap as u8,
                policy: "ALB-2025".to_owned(),
                findings: vec![finding(code)],
                ..Judgement::default()
            },
        );
    }
    world.commit(0, &[Draft::retraction(LI, "e-2", 2, "e-1")]);
    let running = run(world, true).await;
    let request = v1::WatchSubjectRequest {
        from: Some(v1::LedgerHead::default()),
        content: v1::WatchContent::WatchFindings.into(),
        ..of_li()
    };
    let mut stream = watch_li(&running, request).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..4 {
        let What::Finding(row) = told(&mut stream).await.0 else {
            panic!("a finding");
        };
        let (finding, entry) = (row.finding.unwrap(), row.entry.unwrap());
        assert!(!finding.superseded && !entry.retracted);
        codes.push(finding.code);
    }
    codes.sort();
    let all = [
        "consent_missing",
        "sale",
        "undeclared_category",
        "undeclared_purpose",
    ];
    assert_eq!(codes, all);
    drop(stream);
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_turns_out_to_be_the_same_person_joins() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    world.commit(0, &[Draft::collection("member:7", "e-2", 2)]);
    let mut running = run(world, true).await;
    let mut stream = watch_li(&running, of_li()).await.unwrap();
    assert_eq!(progress(&mut stream).await.references.len(), 1);
    running
        .world
        .commit(1, &[Draft::collection("member:7", "e-3", 3)]);
    // As ingest does: the link in the vault, in the house, and then the event.
    running.world.vault.admit(&[LI, "member:7"]).unwrap();
    running.world.register("dhl", "DHL", "DE");
    running
        .world
        .commit(1, &[Draft::collection("member:7", "e-4", 4)]);
    let mut references = 1;
    let seen = loop {
        let message = next(&mut stream).await;
        match message.what.unwrap() {
            What::Progress(progress) => references = progress.references.len(),
            what => break brief(&what),
        }
    };
    // Whether the one before the link is new depends on when it was looked at;
    // the one after it is.
    let last = place(running.world.facts.last().unwrap());
    if seen != format!("collection {last}") {
        assert_eq!(
            brief(&told(&mut stream).await.0),
            format!("collection {last}")
        );
    }
    while references < 2 {
        references = progress(&mut stream).await.references.len();
    }
    drop(stream);
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_says_that_it_stands() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let running = run(world, true).await;
    let request = v1::WatchRequest {
        heartbeat_s: 1,
        ..Default::default()
    };
    let mut stream = watch_all(&running, request).await.unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let said = progress(&mut stream).await;
        assert_eq!(said.behind, 0);
        assert!(said.references.is_empty());
    }
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(1) && took < Duration::from_secs(8),
        "{took:?}"
    );
    drop(stream);
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_number_watch_and_a_place_is_given_back() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let server = QueryServer::new(world.api().state().clone()).watchers_at_most(2);
    let running = run_server(world, true, server).await;
    let first = watch_li(&running, of_li()).await.unwrap();
    let second = watch_all(&running, v1::WatchRequest::default())
        .await
        .unwrap();
    let refused = watch_li(&running, of_li()).await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["limit"].as_str()),
        ("TOO_MANY_WATCHERS", "2")
    );
    drop(first);
    let mut again = watch_li(&running, of_li()).await;
    for _ in 0..100 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        again = watch_li(&running, of_li()).await;
    }
    assert!(again.is_ok());
    drop((second, again));
    verify(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_the_server_and_say_so() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let running = run(world, true).await;
    let mut stream = watch_li(&running, of_li()).await.unwrap();
    progress(&mut stream).await;
    let start = Instant::now();
    let world = running.stop().await;
    let ended = stream.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    let info = ended.get_details_error_info().unwrap();
    assert_eq!(info.reason, "SERVER_STOPPING");
    assert!(start.elapsed() < Duration::from_secs(5));
    verify(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_watched_is_refused() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(LI, "e-1", 1)]);
    let running = run(world, true).await;
    let reason = |status: &Status| status.get_details_error_info().unwrap().reason;
    let nobody = v1::WatchSubjectRequest {
        subject: "account:9".to_owned(),
        ..Default::default()
    };
    let status = watch_li(&running, nobody).await.err().unwrap();
    assert_eq!(reason(&status), "SUBJECT_NOT_FOUND");
    for (bad, field) in [
        (
            v1::WatchSubjectRequest {
                heartbeat_s: 301,
                ..of_li()
            },
            "heartbeat_s",
        ),
        (
            v1::WatchSubjectRequest {
                content: 9,
                ..of_li()
            },
            "content",
        ),
        (v1::WatchSubjectRequest { view: 9, ..of_li() }, "view"),
        (
            v1::WatchSubjectRequest {
                subject: "1001".to_owned(),
                ..of_li()
            },
            "subject",
        ),
    ] {
        let status = watch_li(&running, bad).await.err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field);
    }
    let mut stream = watch_li(&running, of_li()).await.unwrap();
    let token = next(&mut stream).await.resume_token;
    // Another heartbeat is the same request, another filter is not.
    let same = v1::WatchSubjectRequest {
        resume_token: token.clone(),
        heartbeat_s: 3,
        ..of_li()
    };
    assert!(watch_li(&running, same).await.is_ok());
    let other = v1::WatchSubjectRequest {
        resume_token: token,
        content: v1::WatchContent::WatchEntries.into(),
        ..of_li()
    };
    let status = watch_li(&running, other).await.err().unwrap();
    assert_eq!(reason(&status), "RESUME_TOKEN_INVALID");

    let mut from = head_of(&running.world);
    from.shards[0].size += 1;
    let mut early = Request::new(v1::WatchRequest {
        from: Some(from),
        ..Default::default()
    });
    early.set_timeout(Duration::from_millis(500));
    let mut client = OversightServiceClient::new(running.channel.clone());
    let status = client.watch(early).await.err().unwrap();
    assert_eq!(reason(&status), "READ_MODEL_BEHIND");
    drop(stream);
    verify(running.stop().await);
}

/// Much more than fits into the connection's windows, taken slowly, while more
/// is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_slowly_falls_behind_and_loses_nothing() {
    let mut world = World::new();
    let commit = |world: &mut World, round: i64| {
        let drafts: Vec<Draft> = (0..100)
            .map(|index| {
                let id = format!("e-{round}-{index}");
                Draft::disclosure(LI, &id, round, party("dhl", "US"))
            })
            .collect();
        world.commit(usize::from(round % 2 == 1), &drafts);
    };
    for round in 0..30 {
        commit(&mut world, round);
    }
    let mut running = run(world, true).await;
    let request = v1::WatchRequest {
        from: Some(v1::LedgerHead::default()),
        ..Default::default()
    };
    let mut stream = watch_all(&running, request).await.unwrap();
    assert_eq!(progress(&mut stream).await.behind, 3000);
    for round in 30..60 {
        commit(&mut running.world, round);
        told(&mut stream).await;
    }
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    for number in 30..6000 {
        let (what, _) = told(&mut stream).await;
        let What::Entry(entry) = what else {
            panic!("an entry");
        };
        let position = entry.entry.unwrap().position.unwrap();
        let last = taken.insert(position.shard, position.sequence);
        assert!(
            last.is_none_or(|last| last + 1 == position.sequence),
            "{number}"
        );
    }
    assert!(taken.values().all(|last| *last == 2999));
    drop(stream);
    verify(running.stop().await);
}

/// Of an entry: whose, whether it is a disclosure, how much is found in it.
type Said = (u8, bool, u8);

/// What a test says that happened, and what it chooses to hear of.
#[derive(Clone, Debug)]
struct Plan {
    blocks: Vec<(usize, Vec<Said>)>,
    /// Which entries are judged again, by index.
    rejudged: Vec<usize>,
    whom: u8,
    kinds: Vec<&'static str>,
    content: v1::WatchContent,
    /// After how many messages the client is cut off.
    cuts: Vec<usize>,
}

const PERSONS: [&str; 3] = [LI, "account:2002", "account:3003"];

fn plans() -> impl Strategy<Value = Plan> {
    let draft = (0..3u8, any::<bool>(), 0..4u8);
    let block = (0..2usize, prop::collection::vec(draft, 0..6));
    let contents = prop::sample::select(vec![
        v1::WatchContent::Unspecified,
        v1::WatchContent::WatchEntries,
        v1::WatchContent::WatchFindings,
    ]);
    let kinds = prop::sample::select(vec![
        vec![],
        vec!["disclosure"],
        vec!["collection", "rejudged"],
    ]);
    (
        prop::collection::vec(block, 1..8),
        prop::collection::vec(any::<usize>(), 0..4),
        0..4u8,
        kinds,
        contents,
        prop::collection::vec(1..5usize, 0..6),
    )
        .prop_map(|(blocks, rejudged, whom, kinds, content, cuts)| Plan {
            blocks,
            rejudged,
            whom,
            kinds,
            content,
            cuts,
        })
}

/// What a watcher must hear of one shard, by the test's own account.
fn expected(world: &World, plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let whose = (plan.whom < 3).then(|| {
        let identity = world.vault.lookup(PERSONS[usize::from(plan.whom)]);
        identity.unwrap().map(|it| it.persons[0].reference())
    });
    let mut shards: BTreeMap<String, Vec<&Fact>> = BTreeMap::new();
    for fact in &world.facts {
        shards.entry(fact.shard.to_string()).or_default().push(fact);
    }
    let takes = |fact: &Fact| {
        let kind = fact.entry.kind().unwrap().name();
        plan.kinds.is_empty() || plan.kinds.contains(&kind)
    };
    for (shard, facts) in shards {
        let lines = expected.entry(shard[..4].to_owned()).or_default();
        for fact in facts {
            let subject = fact.entry.subject.map(|it| it.0);
            if whose.is_some_and(|whose| whose != subject) {
                continue;
            }
            let here = place(fact);
            let kind = fact.entry.kind().unwrap();
            if plan.content != v1::WatchContent::WatchFindings && takes(fact) {
                lines.push(format!("{} {here}", kind.name()));
            }
            if plan.content == v1::WatchContent::WatchEntries {
                continue;
            }
            if let custody_ledger::Act::House(custody_ledger::HouseRecord::Rejudged {
                shard,
                sequence,
                judgement,
                ..
            }) = &fact.entry.act
            {
                let judged = world
                    .facts
                    .iter()
                    .find(|it| (it.shard, it.sequence) == (*shard, *sequence));
                let judged = judged.unwrap();
                if takes(judged) {
                    let there = place(judged);
                    let codes = judgement.findings.iter();
                    lines.extend(codes.map(|it| format!("{} of {there} by {here}", it.code)));
                }
            } else if takes(fact) {
                let codes = fact.entry.judgement.findings.iter();
                lines.extend(codes.map(|it| format!("{} of {here} by {here}", it.code)));
            }
        }
    }
    expected.retain(|_, lines| !lines.is_empty());
    expected
}

fn shard_of(line: &str) -> String {
    let place = line.rsplit(' ').next().unwrap();
    place.split('/').next().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However often the client is cut off, and wherever: it hears of
    /// everything, once, in the order of each shard.
    #[test]
    fn a_client_that_is_cut_off_goes_on_without_loss_or_repetition(plan in plans()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(cut_off(plan));
    }
}

async fn cut_off(plan: Plan) {
    let mut world = World::new();
    for id in PERSONS {
        world.vault.admit(&[id]).unwrap();
    }
    let mut number = 0;
    for (at, (shard, drafts)) in plan.blocks.iter().enumerate() {
        let drafts: Vec<Draft> = drafts
            .iter()
            .map(|(whose, discloses, findings)| {
                number += 1;
                let (id, event) = (PERSONS[usize::from(*whose)], format!("e-{number}"));
                let mut draft = if *discloses {
                    Draft::disclosure(id, &event, number, party("dhl", "US"))
                } else {
                    Draft::collection(id, &event, number)
                };
                let codes = ["consent_missing", "sale", "minor"];
                draft.findings = codes[..usize::from(*findings)]
                    .iter()
                    .map(|code| finding(code))
                    .collect();
                draft
            })
            .collect();
        if !drafts.is_empty() {
            world.commit(*shard, &drafts);
        }
        if let Some(index) = plan.rejudged.get(at)
            && !world.facts.is_empty()
        {
            let of = world.facts[index % world.facts.len()].clone();
            if of.entry.kind() != Some(Kind::Rejudged) {
                let judgement = Judgement {
                    policy: "ALB-2025".to_owned(),
                    findings: vec![finding("restricted"), finding("objected")],
                    ..Judgement::default()
                };
                world.rejudge(&of, judgement);
            }
        }
    }
    let expected = expected(&world, &plan);
    let total: usize = expected.values().map(Vec::len).sum();
    let running = run(world, true).await;
    let filter = Some(v1::EntryFilter {
        kinds: plan.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        ..Default::default()
    });
    let mut token = String::new();
    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut cuts = plan.cuts.iter().copied();
    let mut left = total;
    loop {
        let mut stream = if plan.whom < 3 {
            let request = v1::WatchSubjectRequest {
                subject: PERSONS[usize::from(plan.whom)].to_owned(),
                filter: filter.clone(),
                content: plan.content.into(),
                from: Some(v1::LedgerHead::default()),
                resume_token: token.clone(),
                ..Default::default()
            };
            watch_li(&running, request).await.unwrap()
        } else {
            let request = v1::WatchRequest {
                filter: filter.clone(),
                content: plan.content.into(),
                from: Some(v1::LedgerHead::default()),
                resume_token: token.clone(),
                ..Default::default()
            };
            watch_all(&running, request).await.unwrap()
        };
        let take = cuts.next().unwrap_or(left).min(left);
        for _ in 0..take {
            let (what, resume) = told(&mut stream).await;
            let line = brief(&what);
            heard.entry(shard_of(&line)).or_default().push(line);
            token = resume;
        }
        left -= take;
        if left == 0 {
            // Nothing more comes: with the next look it is at the end.
            let request_is_at_its_end = tokio::time::timeout(Duration::from_millis(150), async {
                told(&mut stream).await
            });
            assert!(request_is_at_its_end.await.is_err());
            break;
        }
    }
    assert_eq!(heard, expected);
    verify(running.stop().await);
}
