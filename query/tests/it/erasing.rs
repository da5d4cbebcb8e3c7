//! What an erasure would do, what it does, and what is left of it.

use std::sync::Arc;

use custody_ledger::{Act, Kind};
use custody_proof::evidence::ErasureCertificate;
use custody_proto::v1;
use custody_query::{Ask, Deadline, ErasingOptions, LineageApi, QueryState};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::office::Office;
use crate::requests::asked;
use crate::world::{Draft, START, World, party, signing_key};

const SUBJECT: &str = "account:1001";

struct Desk {
    world: World,
    office: Arc<Office>,
}

impl Desk {
    fn new(drafts: &[Draft]) -> Self {
        let mut world = World::signed();
        world.commit(0, drafts);
        let office = Arc::new(Office::new(world.ledger.clone(), world.vault.clone()));
        let desk = Self { world, office };
        desk.world.catch_up();
        desk
    }

    fn ask<Q: Ask>(&self, question: Q) -> Result<Q::Answer, Status> {
        self.world.catch_up();
        let world = &self.world;
        let state = QueryState::new(world.ledger.clone(), world.vault.clone(), world.model())
            .with_clock(Arc::new(|| START))
            .with_erasing(ErasingOptions {
                mark: false,
                escrow_max_age_days: 30,
            })
            .with_custodian(Arc::<Office>::clone(&self.office));
        LineageApi::new(state).ask(question, Deadline::default())
    }

    fn preview(&self, request: &v1::EraseSubjectRequest) -> v1::ErasurePreview {
        let request = v1::EraseSubjectRequest {
            preview: true,
            ..request.clone()
        };
        let answer = self.ask(request).unwrap();
        assert!(answer.erasure.is_none() && answer.certificate.is_empty());
        answer.erasure_preview.unwrap()
    }

    /// As somebody does who has seen the preview.
    fn erase(&self, request: &v1::EraseSubjectRequest) -> v1::EraseSubjectResponse {
        let confirm = self.preview(request).confirm;
        let request = v1::EraseSubjectRequest {
            confirm,
            ..request.clone()
        };
        self.ask(request).unwrap()
    }
}

fn of(subject: &str) -> v1::EraseSubjectRequest {
    v1::EraseSubjectRequest {
        subject: subject.to_owned(),
        ..Default::default()
    }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn disclosed(event_id: &str, at: i64, recipient: &str) -> Draft {
    Draft::disclosure(SUBJECT, event_id, at, party(recipient, "DE"))
}

/// That a service says to have erased.
fn claimed(event_id: &str, at: i64, controller: &'static str, scope: &[&'static str]) -> Draft {
    let mut draft = Draft::new(SUBJECT, event_id, at, Kind::Erasure, Act::None);
    draft.controller = controller;
    draft.categories = scope.to_vec();
    draft
}

#[test]
fn what_is_seen_is_confirmed_done_and_certified() {
    let mut with_mail = Draft::collection(SUBJECT, "e-1", 1);
    with_mail.ids.push("email:a@example.com".to_owned());
    let desk = Desk::new(&[
        with_mail,
        disclosed("e-2", 2, "dhl"),
        Draft::collection("account:1002", "e-3", 3),
        asked(SUBJECT, "q-1", 0, "r-1", "DE"),
    ]);
    let preview = desk.preview(&of(SUBJECT));
    assert_eq!(preview.persons, 1);
    let kinds: Vec<_> = preview
        .entries_by_kind
        .iter()
        .map(|it| (it.kind.as_str(), it.count, it.sealed))
        .collect();
    assert_eq!(
        kinds,
        [
            ("collection", 1, 1),
            ("disclosure", 1, 1),
            ("rights_request", 1, 1)
        ]
    );
    let schemes: Vec<_> = preview
        .identifiers
        .iter()
        .map(|it| (it.scheme.as_str(), it.count))
        .collect();
    assert_eq!(schemes, [("account", 1), ("email", 1)]);
    assert_eq!(preview.open_requests.len(), 1);
    assert_eq!(preview.open_requests[0].request_id, "r-1");
    assert!(preview.holds.is_empty() && !preview.mark);
    assert!(!preview.stays.is_empty() && !preview.out_of_reach.is_empty());
    assert!(preview.irreversible_from.is_none(), "no share was made");
    // Nothing has happened yet.
    assert!(desk.ask(of(SUBJECT)).is_err());

    let before = desk.world.vault.root().generation;
    let done = desk.erase(&v1::EraseSubjectRequest {
        ticket: "dsr-7".to_owned(),
        ..of(SUBJECT)
    });
    assert_eq!(done.entries, 3);
    assert_eq!(done.recipients, ["dhl"]);
    let erasure = done.erasure.unwrap();
    assert_eq!(
        (
            erasure.state.as_str(),
            erasure.reason.as_str(),
            erasure.ticket.as_str()
        ),
        ("done", "request", "dsr-7")
    );
    assert_eq!(erasure.references, preview.references);

    let certificate = ErasureCertificate::from_json(&done.certificate).unwrap();
    let key = signing_key().verifying_key().clone();
    let proved = certificate.verify(std::slice::from_ref(&key)).unwrap();
    let root = desk.world.vault.root();
    assert_eq!(proved.generation, root.generation);
    assert!(root.generation > before);
    assert_eq!(proved.commitment.0, root.commitment);
    assert_eq!(proved.ticket, "dsr-7");
    assert!(proved.recipients.contains("dhl"));
    let named: Vec<String> = proved.subjects.iter().map(ToString::to_string).collect();
    assert_eq!(named, preview.references);

    // Nobody is known by the identifiers any more, and others are untouched.
    for gone in [SUBJECT, "email:a@example.com"] {
        let request = v1::GetSubjectRequest {
            subject: gone.to_owned(),
            ..Default::default()
        };
        let status = desk.ask(request).unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    let full = v1::ListEventsRequest {
        subject: "account:1002".to_owned(),
        view: v1::EntryView::Full as i32,
        ..Default::default()
    };
    assert!(desk.ask(full).unwrap().entries[0].sealed.is_some());
    // Its request can no longer be told apart, and is still there.
    let requests = desk.ask(v1::ListRequestsRequest::default()).unwrap();
    let row = &requests.requests[0];
    assert_eq!(
        (row.state.as_str(), row.request_id.as_str()),
        ("erased", "")
    );
    assert_eq!(row.reference, preview.references[0]);

    // It is given again, at a later checkpoint.
    let again = desk
        .ask(v1::GetErasureRequest {
            id: erasure.id.clone(),
        })
        .unwrap();
    assert_eq!(again.erasure.as_ref(), Some(&erasure));
    let again = ErasureCertificate::from_json(&again.certificate).unwrap();
    assert_eq!(again.verify(&[key]).unwrap().id, proved.id);
}

#[test]
fn a_token_is_for_what_was_seen() {
    let mut desk = Desk::new(&[disclosed("e-1", 1, "dhl")]);
    let mut request = of(SUBJECT);
    request.confirm = desk.preview(&request).confirm;
    let refused = |desk: &Desk, request: &v1::EraseSubjectRequest, says: &str| {
        let status = desk.ask(request.clone()).unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(reason(&status), says);
        assert!(!status.message().contains("1001"));
    };
    refused(&desk, &of(SUBJECT), "NOT_PREVIEWED");
    let changes: [fn(&mut v1::EraseSubjectRequest); 4] = [
        |request| request.reason = "court".to_owned(),
        |request| request.ticket = "t-1".to_owned(),
        |request| request.mark = Some(true),
        |request| request.confirm.push('A'),
    ];
    for change in changes {
        let mut other = request.clone();
        change(&mut other);
        refused(&desk, &other, "PREVIEW_OUTDATED");
    }
    // What is asked for in other words is the same.
    request.reason = "request".to_owned();
    request.mark = Some(false);
    let held = desk.office.clone();
    {
        use custody_query::Custodian as _;
        held.place_hold("case-1", None, None).unwrap();
        refused(&desk, &request, "PREVIEW_OUTDATED");
        held.lift_hold("case-1", None).unwrap();
    }
    desk.world.commit(0, &[disclosed("e-2", 2, "ups")]);
    refused(&desk, &request, "PREVIEW_OUTDATED");
    request.confirm = desk.preview(&request).confirm;
    // Somebody else's entry changes nothing.
    desk.world
        .commit(1, &[Draft::collection("account:1002", "e-3", 3)]);
    assert!(desk.ask(request).is_ok());
}

#[test]
fn who_claims_to_have_erased_and_who_is_to_be_told() {
    let mut to_person = disclosed("e-9", 4, "");
    if let Act::Disclosure { recipient, .. } = &mut to_person.act {
        recipient.person = true;
    }
    let desk = Desk::new(&[
        disclosed("e-1", 1, "dhl"),
        disclosed("e-2", 2, "ups"),
        disclosed("e-3", 3, "stripe"),
        disclosed("e-4", 4, "wrong"),
        to_person,
        Draft::retraction(SUBJECT, "t-1", 5, "e-4"),
        // After everything that it got; before the last of it; not of all.
        claimed("c-1", 6, "dhl", &[]),
        claimed("c-2", 1, "ups", &[]),
        claimed("c-3", 7, "stripe", &["pd:Financial"]),
        claimed("c-4", 8, "other", &["pd:EmailAddress"]),
    ]);
    let preview = desk.preview(&of(SUBJECT));
    let recipients: Vec<_> = preview
        .recipients
        .iter()
        .map(|it| {
            let id = it.recipient.as_ref().unwrap().id.as_str();
            (id, it.count, it.done, it.erased_at.is_some())
        })
        .collect();
    assert_eq!(
        recipients,
        [
            ("dhl", 1, true, true),
            ("stripe", 1, false, true),
            ("ups", 1, false, true)
        ]
    );
    assert_eq!(preview.disclosures_to_persons, 1);
    let services: Vec<_> = preview
        .services
        .iter()
        .map(|it| (it.service.as_str(), it.count, it.done))
        .collect();
    // The service of all drafts has claimed the last category that it had.
    assert_eq!(services, [("other", 0, true), ("shop.example", 4, true)]);
    let claim = &preview.services[1];
    assert_eq!(claim.scope, ["pd:EmailAddress"]);
}

#[test]
fn a_hold_stands_against_it_until_it_is_lifted() {
    let desk = Desk::new(&[
        disclosed("e-1", 1, "dhl"),
        Draft::collection("account:1002", "e-2", 2),
    ]);
    let place = |matter: &str, subjects: &[&str]| v1::PlaceHoldRequest {
        matter: matter.to_owned(),
        subjects: subjects.iter().map(|it| (*it).to_owned()).collect(),
        until: None,
    };
    desk.ask(place("case-2", &[SUBJECT])).unwrap();
    desk.ask(place("case-1", &["account:1002"])).unwrap();
    let holds = |subject: &str| {
        let subject = subject.to_owned();
        let holds = desk.ask(v1::ListHoldsRequest { subject }).unwrap().holds;
        let matters = holds.into_iter().map(|hold| hold.matter);
        matters.collect::<Vec<_>>()
    };
    assert_eq!(holds(""), ["case-1", "case-2"]);
    assert_eq!(holds(SUBJECT), ["case-2"]);
    assert_eq!(desk.preview(&of(SUBJECT)).holds.len(), 1);

    let waiting = desk.erase(&of(SUBJECT));
    let erasure = waiting.erasure.unwrap();
    assert_eq!(erasure.state, "waiting");
    assert_eq!(erasure.matters, ["case-2"]);
    assert!(waiting.certificate.is_empty());
    let get = v1::GetErasureRequest {
        id: erasure.id.clone(),
    };
    assert!(desk.ask(get.clone()).unwrap().certificate.is_empty());

    let lift = |matter: &str| v1::LiftHoldRequest {
        matter: matter.to_owned(),
        subjects: Vec::new(),
    };
    assert_eq!(
        reason(&desk.ask(lift("case-3")).unwrap_err()),
        "HOLD_NOT_FOUND"
    );
    desk.ask(lift("case-2")).unwrap();
    let done = desk.ask(get).unwrap();
    assert_eq!(done.erasure.unwrap().state, "done");
    assert!(!done.certificate.is_empty());

    let withdraw = v1::WithdrawErasureRequest { id: erasure.id };
    assert_eq!(reason(&desk.ask(withdraw).unwrap_err()), "NOT_NOW");
}

#[test]
fn erasures_come_by_pages_the_newest_first() {
    let accounts: Vec<String> = (0..5).map(|n| format!("account:{}", 1001 + n)).collect();
    let drafts: Vec<Draft> = accounts
        .iter()
        .map(|id| Draft::collection(id, &format!("e-{id}"), 1))
        .collect();
    let desk = Desk::new(&drafts);
    let mut ids: Vec<String> = accounts[..4]
        .iter()
        .map(|id| desk.erase(&of(id)).erasure.unwrap().id)
        .collect();
    ids.reverse();
    let mut request = v1::ListErasuresRequest {
        page_size: 3,
        states: vec!["done".to_owned()],
        ..Default::default()
    };
    let first = desk.ask(request.clone()).unwrap();
    // What comes later is on no later page.
    desk.erase(&of(&accounts[4]));
    request.page_token = first.next_page_token;
    let second = desk.ask(request.clone()).unwrap();
    assert_eq!(second.next_page_token, "");
    let shown: Vec<String> = first
        .erasures
        .into_iter()
        .chain(second.erasures)
        .map(|it| it.id)
        .collect();
    assert_eq!(shown, ids);
    request.states.clear();
    let status = desk.ask(request).unwrap_err();
    assert_eq!(reason(&status), "PAGE_TOKEN_INVALID");
    let unknown = v1::GetErasureRequest {
        id: "00".repeat(16),
    };
    assert_eq!(reason(&desk.ask(unknown).unwrap_err()), "ERASURE_NOT_FOUND");
}

#[test]
fn several_are_erased_in_one_step_and_named_by_their_place() {
    let desk = Desk::new(&[
        Draft::collection(SUBJECT, "e-1", 1),
        Draft::collection("account:1002", "e-2", 2),
        Draft::collection("account:1003", "e-3", 3),
    ]);
    let mut request = of(SUBJECT);
    request.more_subjects = ["account:1002", "account:1009", "account:1008"]
        .map(str::to_owned)
        .to_vec();
    request.preview = true;
    let status = desk.ask(request.clone()).unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let faults = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<&str> = faults.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["more_subjects[1]", "more_subjects[2]"]);
    assert!(!status.message().contains("100"));

    request.more_subjects.truncate(1);
    request.preview = false;
    let before = desk.world.vault.root().generation;
    let done = desk.erase(&request).erasure.unwrap();
    assert_eq!((done.persons, done.references.len()), (2, 2));
    assert_eq!(desk.world.vault.root().generation, before + 1);
    assert!(desk.ask(of("account:1003")).is_err());
    assert_eq!(desk.preview(&of("account:1003")).persons, 1);
}

#[test]
fn a_linked_set_is_erased_as_a_whole() {
    let desk = Desk::new(&[
        Draft::collection(SUBJECT, "e-1", 1),
        Draft::collection("account:1002", "e-2", 2),
    ]);
    let link = v1::LinkSubjectsRequest {
        a: SUBJECT.to_owned(),
        b: "account:1002".to_owned(),
        cause: "support-case".to_owned(),
    };
    assert!(desk.ask(link.clone()).unwrap().changed);
    assert!(!desk.ask(link.clone()).unwrap().changed);
    assert_eq!(desk.preview(&of(SUBJECT)).persons, 2);
    let unlink = v1::UnlinkSubjectsRequest {
        a: link.a.clone(),
        b: link.b.clone(),
        cause: "mistake".to_owned(),
    };
    let answer = desk.ask(unlink.clone()).unwrap();
    assert!(answer.changed && !answer.still_linked);
    assert_eq!(desk.preview(&of(SUBJECT)).persons, 1);
    assert!(!desk.ask(unlink).unwrap().changed);

    assert!(desk.ask(link.clone()).unwrap().changed);
    desk.erase(&of("account:1002"));
    assert_eq!(
        desk.ask(of(SUBJECT)).unwrap_err().code(),
        Code::FailedPrecondition
    );
    let preview = v1::EraseSubjectRequest {
        preview: true,
        ..of(SUBJECT)
    };
    assert_eq!(desk.ask(preview).unwrap_err().code(), Code::NotFound);
}

#[test]
fn an_identifier_is_given_back() {
    let desk = Desk::new(&[Draft::collection(SUBJECT, "e-1", 1)]);
    let release = v1::ReleaseIdentifierRequest {
        identifier: SUBJECT.to_owned(),
        from: None,
        cause: "number-returned".to_owned(),
    };
    let released = desk.ask(release.clone()).unwrap();
    assert_eq!(released.reference.len(), 32);
    assert_eq!(*desk.office.causes.lock(), ["number-returned"]);
    let again = desk.world.vault.admit(&[SUBJECT]).unwrap();
    assert!(again.is_new);
    let free_text = v1::ReleaseIdentifierRequest {
        cause: "he called us".to_owned(),
        ..release
    };
    assert_eq!(
        desk.ask(free_text).unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[test]
fn a_node_without_a_pipeline_says_so() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(SUBJECT, "e-1", 1)]);
    world.catch_up();
    fn refused<T>(answer: Result<T, Status>) {
        let status = answer.err().unwrap();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(reason(&status), "NO_PIPELINE");
    }
    let preview = v1::EraseSubjectRequest {
        preview: true,
        ..of(SUBJECT)
    };
    refused(world.ask(preview));
    refused(world.ask(v1::ListErasuresRequest::default()));
    refused(world.ask(v1::GetErasureRequest::default()));
    refused(world.ask(v1::WithdrawErasureRequest::default()));
    refused(world.ask(v1::PlaceHoldRequest::default()));
    refused(world.ask(v1::LiftHoldRequest::default()));
    refused(world.ask(v1::ListHoldsRequest::default()));
    refused(world.ask(v1::LinkSubjectsRequest::default()));
    refused(world.ask(v1::UnlinkSubjectsRequest::default()));
    refused(world.ask(v1::ReleaseIdentifierRequest::default()));
}
