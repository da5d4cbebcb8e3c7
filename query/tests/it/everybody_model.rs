//! Questions over everybody, against a plain model: the same sums over all
//! entries that the oracle has for one person.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::{Act, Kind, Outcome, SubjectReference};
use custody_policy::Field;
use custody_proto::v1;
use custody_query::{OversightRecipients, OversightTransfers};

use crate::covered::Covered;
use crate::oracle::{Oracle, Question, distinct, first, last, purposes_of, safeguard};
use crate::person_model::{assert_same, walk};
use crate::world::{Fact, World};

pub(crate) fn check_all_recipients(world: &World, question: &Question, page_size: i32) {
    let mut request = v1::OversightListRequest {
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        page_size,
        ..Default::default()
    };
    let rows = walk(page_size, |token| {
        request.page_token = token;
        let page = world.ask(OversightRecipients(request.clone())).unwrap();
        (page.recipients, page.next_page_token)
    });
    let oracle = Oracle::everybody(world);
    assert_same(&rows, &oracle.recipients(&question.ascending()));
}

pub(crate) fn check_all_transfers(world: &World, question: &Question, page_size: i32) {
    let mut request = v1::OversightListRequest {
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        page_size,
        ..Default::default()
    };
    let rows = walk(page_size, |token| {
        request.page_token = token;
        let page = world.ask(OversightTransfers(request.clone())).unwrap();
        (page.transfers, page.next_page_token)
    });
    let oracle = Oracle::everybody(world);
    assert_same(&rows, &oracle.transfers(&question.ascending()));
}

pub(crate) fn check_record(world: &World, question: &Question) {
    let record = world.ask(v1::GetProcessingRecordRequest {
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        ..Default::default()
    });
    let oracle = Oracle::everybody(world);
    let expected = activities(&oracle, &question.ascending());
    assert_same(&record.unwrap().activities, &expected);
}

pub(crate) fn check_statistics(world: &World, question: &Question) {
    let mut statistics = world
        .ask(v1::GetStatisticsRequest {
            as_of: question.as_of,
            ..Default::default()
        })
        .unwrap();
    statistics.head = None;
    assert_same(
        &[statistics],
        &[counted(&Oracle::everybody(world), question)],
    );
}

fn activities(oracle: &Oracle<'_>, question: &Question) -> Vec<v1::ProcessingActivity> {
    let until = question.recorded_until();
    let mut groups: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
    let mut asked_for = Covered::of(Field::Purpose, &question.filter.purposes);
    for fact in oracle.standing(question) {
        let kinds = [
            Kind::Collection,
            Kind::Use,
            Kind::Disclosure,
            Kind::Transfer,
        ];
        if !kinds.contains(&fact.entry.kind().unwrap()) {
            continue;
        }
        for purpose in purposes_of(fact) {
            if asked_for.takes(purpose) {
                let key = (fact.entry.controller.as_str(), purpose);
                groups.entry(key).or_default().push(fact);
            }
        }
    }
    let shown = groups
        .into_iter()
        .map(|((controller, purpose), facts)| v1::ProcessingActivity {
            controller: controller.to_owned(),
            purpose: purpose.to_owned(),
            categories: distinct(facts.iter().flat_map(|fact| &fact.entry.categories)),
            recipients: distinct(
                facts
                    .iter()
                    .filter_map(|fact| Some(&fact.entry.recipient()?.id)),
            ),
            countries: distinct(facts.iter().map(|fact| oracle.destination(fact, until))),
            safeguards: distinct(facts.iter().map(|fact| safeguard(fact))),
            count: facts.len() as u64,
            first_time: first(&facts),
            last_time: last(&facts),
        });
    shown.collect()
}

fn counted(oracle: &Oracle<'_>, question: &Question) -> v1::GetStatisticsResponse {
    let until = question.recorded_until();
    let all = oracle.matching(&question.everything());
    let mut statistics = v1::GetStatisticsResponse::default();
    let mut count = |kind: &str, outcome: Outcome| {
        statistics.entries += 1;
        *statistics
            .entries_by_kind
            .entry(kind.to_owned())
            .or_default() += 1;
        *statistics
            .entries_by_judgement
            .entry(outcome.name().to_owned())
            .or_default() += 1;
    };
    let mut retracted = 0;
    for (fact, gone) in &all {
        if *gone {
            retracted += 1;
        } else {
            count(
                fact.entry.kind().unwrap().name(),
                oracle.outcome(fact, until),
            );
        }
    }
    for registration in &oracle.world.registrations {
        // A registration happens when it is recorded.
        let at = registration.recorded_ns;
        if at <= until && at <= question.happened_until() {
            count("party_registered", Outcome::NotJudged);
        }
    }
    statistics.retracted = retracted;
    statistics
}

/// Who is linked with whom: everybody of a set, and all identifiers of it. Of
/// one person alone it is that person.
pub(crate) trait Links {
    fn set_of(&self, reference: SubjectReference) -> (BTreeSet<SubjectReference>, Vec<String>);
}

/// As the vault knows it.
impl Links for World {
    fn set_of(&self, reference: SubjectReference) -> (BTreeSet<SubjectReference>, Vec<String>) {
        let linked = self.vault.linked(&reference.0).unwrap().into_iter();
        let mut set: BTreeSet<_> = linked.map(SubjectReference).collect();
        set.insert(reference);
        let identity = self.vault.identity(&reference.0).unwrap();
        (set, identity.map(|it| it.identifiers).unwrap_or_default())
    }
}

pub(crate) fn check_affected(
    world: &World,
    links: &impl Links,
    question: &Question,
    request: &v1::FindAffectedSubjectsRequest,
) {
    let mut request = v1::FindAffectedSubjectsRequest {
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        ..request.clone()
    };
    let mut persons = world.ask(request.clone()).unwrap();
    let tokens: Vec<(usize, String)> = persons
        .iter_mut()
        .map(|person| std::mem::take(&mut person.resume_token))
        .enumerate()
        .filter(|(_, token)| !token.is_empty())
        .collect();
    let expected = affected(world, links, question, &request);
    assert_same(&persons, &expected);
    let places: Vec<usize> = tokens.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, (63..persons.len()).step_by(64).collect::<Vec<_>>());
    // A stream that was broken goes on behind the last person of a token.
    if let Some((place, token)) = tokens.last() {
        request.resume_token.clone_from(token);
        let mut rest = world.ask(request).unwrap();
        rest.iter_mut().for_each(|it| it.resume_token.clear());
        assert_same(&rest, &expected[place + 1..]);
    }
}

/// Whoever is linked is one person, under the first reference that was had.
fn affected(
    world: &World,
    links: &impl Links,
    question: &Question,
    request: &v1::FindAffectedSubjectsRequest,
) -> Vec<v1::FindAffectedSubjectsResponse> {
    let oracle = Oracle::everybody(world);
    let mut had: BTreeMap<SubjectReference, Vec<&Fact>> = BTreeMap::new();
    for fact in oracle.standing(&question.ascending()) {
        let has = match &fact.entry.act {
            Act::Use { system, .. } => !request.system.is_empty() && request.system == *system,
            _ => fact.entry.recipient().is_some_and(|party| {
                !request.recipient.is_empty() && party.id == request.recipient
            }),
        };
        if let (true, Some(subject)) = (has, fact.entry.subject) {
            had.entry(subject).or_default().push(fact);
        }
    }
    let mut rows = Vec::new();
    for reference in had.keys() {
        let (set, identifiers) = links.set_of(*reference);
        let facts: Vec<&Fact> = set
            .iter()
            .filter_map(|it| had.get(it))
            .flatten()
            .copied()
            .collect();
        let references: BTreeSet<_> = facts.iter().filter_map(|it| it.entry.subject).collect();
        if references.first() != Some(reference) {
            continue;
        }
        rows.push(v1::FindAffectedSubjectsResponse {
            reference: reference.to_string(),
            identifiers: if request.with_identifiers {
                identifiers
            } else {
                Vec::new()
            },
            categories: distinct(facts.iter().flat_map(|fact| &fact.entry.categories)),
            count: facts.len() as u64,
            first_time: first(&facts),
            last_time: last(&facts),
            resume_token: String::new(),
            references: references.iter().map(ToString::to_string).collect(),
        });
    }
    rows
}
