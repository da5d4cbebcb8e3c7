//! Policies, and dry runs of the judge.

use custody_ledger::{Finding, Outcome};
use custody_policy::{EntryRef, Facts, Provenance, Ruleset, Settings, SubjectState, Tag, explain};
use custody_proto::event::{Event, event::Act};
use custody_proto::v1;
use tonic::Code;
use tonic_types::StatusExt;

use crate::world::{Draft, World};

/// A CloudEvent of a case, as a request has it.
fn judged(event: &serde_json::Value) -> v1::JudgedEvent {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    v1::JudgedEvent {
        r#type: text("type"),
        time: Some(text("time").parse().unwrap()),
        event: Some(serde_json::from_value(event["data"].clone()).unwrap()),
        id: text("id"),
        source: text("source"),
    }
}

fn request(event: &serde_json::Value, history: &[serde_json::Value]) -> v1::JudgeRequest {
    let event = judged(event);
    v1::JudgeRequest {
        r#type: event.r#type,
        time: event.time,
        event: event.event,
        id: event.id,
        source: event.source,
        history: history.iter().map(judged).collect(),
        ..Default::default()
    }
}

/// Tags by counting: the same reference gets the same one.
#[derive(Default)]
struct Tags(Vec<(String, String)>);

impl Tags {
    fn of(&mut self, source: &str, id: &str) -> Tag {
        let name = (source.to_owned(), id.to_owned());
        let known = self.0.iter().position(|other| *other == name);
        let number = known.unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        let mut tag = Tag::default();
        tag[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
        tag
    }

    fn parents(&mut self, event: &Event) -> Vec<Tag> {
        let parents = event.derived_from.iter();
        parents
            .map(|parent| self.of(&parent.source, &parent.id))
            .collect()
    }
}

fn kind(event: &v1::JudgedEvent) -> &str {
    let name = event.r#type.strip_prefix("custody.").unwrap();
    name.strip_suffix(".v1").unwrap()
}

/// The judge asked without this crate.
fn explained(
    history: &[v1::JudgedEvent],
    event: &v1::JudgedEvent,
    retention_days: Option<u32>,
) -> custody_policy::Explanation {
    let (mut tags, mut state) = (Tags::default(), SubjectState::default());
    for (sequence, said) in history.iter().enumerate() {
        let data = said.event.as_ref().unwrap();
        let parents = tags.parents(data);
        let facts = Facts::new(kind(said), said.time.unwrap().unix_nanos().unwrap(), data).unwrap();
        let provenance = Provenance {
            at: EntryRef {
                shard: [0; 16],
                sequence: sequence as u64,
            },
            tag: tags.of(&said.source, &said.id),
            request: match &data.act {
                Some(Act::RightsRequest(act)) => Some(tags.of("", &act.request_id)),
                Some(Act::RightsResponse(act)) => Some(tags.of("", &act.request_id)),
                _ => None,
            },
            retracts: match &data.act {
                Some(Act::Retraction(act)) => {
                    let of = act.of.clone().unwrap();
                    Some(tags.of(&of.source, &of.id))
                }
                _ => None,
            },
            parents: &parents,
        };
        state.apply(&facts, provenance);
    }
    let data = event.event.as_ref().unwrap();
    let parents = tags.parents(data);
    let settings = Settings {
        retention_days_after_account_closed: retention_days,
        parents: &parents,
        recorded_ns: i64::MAX,
        ..Settings::default()
    };
    let time_ns = event.time.unwrap().unix_nanos().unwrap();
    let facts = Facts::new(kind(event), time_ns, data).unwrap();
    explain(Ruleset::builtin(), &facts, &state, &settings, None).unwrap()
}

/// Every case of every pack: the answer is what the judge says.
#[test]
fn a_dry_run_says_what_the_judge_says() {
    let world = World::new();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../policy/cases");
    let (mut cases, mut with_history, mut found) = (0, 0, 0);
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let none = Vec::new();
            let history = case["history"].as_array().unwrap_or(&none);
            let mut request = request(&case["event"], history);
            let days = case["config"]["retention_days_after_account_closed"].as_u64();
            let days = days.map(|days| u32::try_from(days).unwrap());
            request.retention_days_after_account_closed = days;
            let expected = explained(&request.history, &judged(&case["event"]), days);
            // Nothing has caught up, and nothing needs to.
            let answer = world.ask(request).unwrap();

            let verdict = expected.verdict.to_stored(Ruleset::builtin());
            let id = &case["id"];
            assert_eq!(answer.judgement, verdict.outcome.name(), "{id}");
            assert_eq!(answer.policy, verdict.policy, "{id}");
            assert_eq!(answer.clauses, verdict.clauses, "{id}");
            assert_eq!(answer.reasoning, expected.steps, "{id}");
            assert_eq!(answer.findings.len(), verdict.findings.len(), "{id}");
            for (shown, finding) in answer.findings.iter().zip(verdict.findings) {
                assert_eq!(shown.code, finding.code.name(), "{id}");
                assert_eq!(shown.class, finding.code.class().name(), "{id}");
                assert_eq!(shown.clauses, finding.clauses, "{id}");
                assert_eq!(shown.arguments, finding.arguments, "{id}");
                let decided: Vec<u64> = shown.decided_by.iter().map(|at| at.sequence).collect();
                let expected: Vec<u64> = finding.decided_by.iter().map(|at| at.sequence).collect();
                assert_eq!(decided, expected, "{id}");
                assert_eq!(shown.cited.len(), shown.clauses.len(), "{id}");
                assert!(shown.cited.iter().all(|clause| !clause.summary.is_empty()));
                found += 1;
            }
            cases += 1;
            with_history += usize::from(!history.is_empty());
        }
    }
    assert!(
        cases > 500 && with_history > 50 && found > 200,
        "{cases} {with_history} {found}"
    );
}

fn marketing(jurisdiction: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "custody.collection.v1", "id": "e-1", "source": "//shop.example",
        "time": "2025-10-09T08:53:20Z",
        "data": {
            "subject": {"ids": ["account:1001"], "jurisdiction": jurisdiction, "role": "buyer"},
            "service": "alibaba.com", "controller": "alibaba-com-singapore",
            "purposes": ["account"], "categories": [{"term": "contact"}],
            "legal_basis": "dpv:ContractPerformance", "location": "US",
            "collection": {"origin": "subject"}
        }
    })
}

#[test]
fn another_version_and_another_moment_can_be_asked_for() {
    let world = World::new();
    let asked = request(&marketing("BR"), &[]);
    let now = world.ask(asked.clone()).unwrap();
    assert_eq!(
        (now.policy.as_str(), now.judgement.as_str()),
        ("ALB-2025", "violation")
    );
    assert_eq!(now.findings[0].code, "storage_elsewhere");
    assert_eq!(now.findings[0].cited[0].id, "ALB-2025.076");
    assert!(!now.findings[0].cited[0].section.is_empty());
    assert_eq!(now.ruleset.len(), 64);
    assert!(!now.reasoning.is_empty() && now.cited.len() == now.clauses.len());

    let mut earlier = asked.clone();
    earlier.as_of = Some("2021-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.ask(earlier).unwrap().policy, "ALB-2020");
    let mut other = asked.clone();
    other.policy = "ALB-2020".to_owned();
    assert_eq!(world.ask(other).unwrap().policy, "ALB-2020");
    // Other kinds only change what is known.
    let mut closed = asked;
    closed.r#type = "custody.account_closed.v1".to_owned();
    closed.event.as_mut().unwrap().act = None;
    assert_eq!(world.ask(closed).unwrap().judgement, "not_judged");
}

#[test]
fn what_cannot_be_judged_is_said_and_never_repeated() {
    let world = World::new();
    let good = request(&marketing("BR"), &[]);
    let fields = |change: fn(&mut v1::JudgeRequest)| -> Vec<String> {
        let mut request = good.clone();
        change(&mut request);
        let status = world.ask(request).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(!status.message().contains("secret"), "{}", status.message());
        let details = status.get_details_bad_request().unwrap();
        details
            .field_violations
            .into_iter()
            .map(|it| it.field)
            .collect()
    };
    assert_eq!(
        fields(|it| it.r#type = "custody.secret.v1".to_owned()),
        ["type"]
    );
    assert_eq!(
        fields(|it| it.r#type = "custody.rejudged.v1".to_owned()),
        ["type"]
    );
    assert_eq!(
        fields(|it| it.r#type = "custody.use.v1".to_owned()),
        ["event"]
    );
    assert_eq!(fields(|it| it.time = None), ["time"]);
    assert_eq!(fields(|it| it.event = None), ["event"]);
    assert_eq!(
        fields(|it| it.event.as_mut().unwrap().act = None),
        ["event"]
    );
    assert_eq!(fields(|it| it.policy = "secret".to_owned()), ["policy"]);
    assert_eq!(
        fields(|it| it.event.as_mut().unwrap().purposes = vec!["secret@example.com".to_owned()]),
        ["event"]
    );
    assert_eq!(
        fields(|it| it.history = vec![v1::JudgedEvent::default()]),
        ["history[0].type", "history[0].time", "history[0].event"]
    );
    assert_eq!(
        fields(|it| it.history = vec![v1::JudgedEvent::default(); 1001]),
        ["history"]
    );
}

#[test]
fn policies_are_listed_with_the_time_that_they_are_in_force() {
    let world = World::new();
    let list = |service: &str, at: Option<&str>| -> Vec<String> {
        let request = v1::ListPoliciesRequest {
            service: service.to_owned(),
            in_force_at: at.map(|at| at.parse().unwrap()),
        };
        let policies = world.ask(request).unwrap().policies;
        policies.into_iter().map(|policy| policy.id).collect()
    };
    assert_eq!(
        list("", None),
        ["AE-2020", "ALB-2020", "ALB-2025", "ALC-2017", "ALC-2023"]
    );
    assert_eq!(list("alibaba.com", None), ["ALB-2020", "ALB-2025"]);
    // The day on which a version takes effect is the first of the next.
    assert_eq!(
        list("alibaba.com", Some("2025-05-29T23:59:59Z")),
        ["ALB-2020"]
    );
    assert_eq!(
        list("alibaba.com", Some("2025-05-30T00:00:00Z")),
        ["ALB-2025"]
    );
    assert!(list("alibaba.com", Some("1999-01-01T00:00:00Z")).is_empty());
    assert!(list("nobodys-shop", None).is_empty());

    let policies = world
        .ask(v1::ListPoliciesRequest::default())
        .unwrap()
        .policies;
    let old = &policies[1];
    assert_eq!((old.family.as_str(), old.succeeds.as_str()), ("ALB", ""));
    assert_eq!(old.ends_at, policies[2].effective_at);
    assert_eq!(policies[2].succeeds, "ALB-2020");
    assert_eq!(policies[2].ends_at, None);
    assert!(
        policies
            .iter()
            .all(|it| it.clauses.is_empty() && it.controllers.is_empty())
    );
    assert!(!policies[2].basis_required.is_empty());
}

#[test]
fn a_policy_has_its_clauses_its_controllers_and_its_scope() {
    let world = World::new();
    let get = |id: &str| world.ask(v1::GetPolicyRequest { id: id.to_owned() });
    let policy = get("ALB-2025").unwrap().policy.unwrap();
    let counted: u64 = policy.clauses_by_treatment.values().sum();
    assert_eq!(counted, policy.clauses.len() as u64);
    assert!(policy.clauses.is_sorted_by(|a, b| a.id < b.id));
    assert!(policy.clauses.iter().all(|it| {
        !it.section.is_empty()
            && !it.summary.is_empty()
            && !it.kind.is_empty()
            && !it.treatment.is_empty()
    }));
    assert!(policy.clauses.iter().any(|it| !it.covers.is_empty()));
    assert!(policy.clauses.iter().any(|it| !it.r#where.is_empty()));
    // Each names a controller, and the one for the rest of the world comes last.
    let controllers = &policy.controllers;
    assert!(
        controllers
            .iter()
            .all(|it| !it.controllers.is_empty() && !it.clause.is_empty())
    );
    assert!(controllers.last().unwrap().r#where.is_empty());
    let named = controllers.iter().flat_map(|it| &it.controllers);
    assert!(named.into_iter().any(|id| id == "alibaba-com-singapore"));

    let dated = ["AE-2020", "ALB-2020", "ALB-2025", "ALC-2017", "ALC-2023"]
        .map(|id| get(id).unwrap().policy.unwrap())
        .into_iter()
        .flat_map(|policy| policy.clauses)
        .filter(|clause| clause.from.is_some() && !clause.addendum.is_empty());
    assert!(dated.count() > 0);

    let status = get("ALB-1999").unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(get("no such id").unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn a_timeline_shows_the_judgement_with_clause_and_section() {
    let mut world = World::new();
    let mut draft = Draft::collection("account:1001", "e-1", 1);
    draft.outcome = Outcome::Violation;
    draft.judged_policy = "ALB-2025";
    draft.late = true;
    let clauses = ["ALB-2025.076", "GONE-1999.001"]
        .map(str::to_owned)
        .to_vec();
    draft.findings = vec![Finding {
        code: "storage_elsewhere".to_owned(),
        clauses,
        arguments: vec!["US".to_owned()],
        suppressed: false,
        decided_by: Vec::new(),
        waiver: String::new(),
    }];
    world.commit(0, &[draft]);
    world.catch_up();
    let mut request = v1::ListEventsRequest {
        subject: "account:1001".to_owned(),
        ..Default::default()
    };
    let plain = world.ask(request.clone()).unwrap().entries.remove(0);
    assert!(plain.findings[0].cited.is_empty());
    assert!(plain.late && plain.superseded_by.is_none());
    assert_eq!(
        (
            plain.judgement.as_str(),
            plain.judgement_at_ingest.as_str(),
            plain.judged_policy.as_str()
        ),
        ("violation", "violation", "ALB-2025")
    );
    request.with_clauses = true;
    let entry = world.ask(request).unwrap().entries.remove(0);
    let cited = &entry.findings[0].cited;
    assert_eq!(entry.findings[0].class, "violation");
    assert!(!cited[0].section.is_empty() && !cited[0].summary.is_empty());
    // A clause that these packs do not have is cited by its id.
    assert_eq!(cited[1].id, "GONE-1999.001");
    assert!(cited[1].section.is_empty() && cited[1].summary.is_empty());
}
