//! Questions over everybody, against a plain model: the same sums over all
//! entries that the oracle has for one person.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::{Act, Kind, Outcome};
use custody_proto::v1;
use custody_query::{OversightRecipients, OversightTransfers};

use crate::model::PARTIES;
use crate::oracle::{Oracle, Question, covered_purposes, distinct, first, last, safeguard};
use crate::world::{Fact, World};

fn everybody(world: &World) -> Oracle<'_> {
    let whose = world.facts.iter().map(|fact| {
        let subject = fact.entry.subject.map(|it| it.to_string());
        subject.unwrap_or_default()
    });
    Oracle {
        world,
        references: whose.collect(),
    }
}

/// Entries that match and were not taken back.
fn standing(oracle: &Oracle<'_>, question: &Question) -> Vec<Fact> {
    let matching = oracle.matching(question).into_iter();
    matching
        .filter(|(_, gone)| !gone)
        .map(|(fact, _)| fact)
        .collect()
}

pub(crate) fn check_registers(world: &World, question: &Question, page_size: i32) {
    let oracle = everybody(world);
    let question = &Question {
        descending: false,
        ..question.clone()
    };
    let mut request = v1::OversightListRequest {
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        page_size,
        ..Default::default()
    };
    let mut rows = Vec::new();
    loop {
        let page = world.ask(OversightRecipients(request.clone())).unwrap();
        assert!(page.recipients.len() <= page_size as usize);
        rows.extend(page.recipients);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(rows, oracle.recipients(question));

    let mut rows = Vec::new();
    loop {
        let page = world.ask(OversightTransfers(request.clone())).unwrap();
        rows.extend(page.transfers);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(rows, oracle.transfers(question));

    let record = world.ask(v1::GetProcessingRecordRequest {
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        ..Default::default()
    });
    assert_eq!(record.unwrap().activities, activities(&oracle, question));

    let mut statistics = world
        .ask(v1::GetStatisticsRequest {
            as_of: question.as_of,
            ..Default::default()
        })
        .unwrap();
    statistics.head = None;
    assert_eq!(statistics, counted(&oracle, question));
}

fn activities(oracle: &Oracle<'_>, question: &Question) -> Vec<v1::ProcessingActivity> {
    let until = Oracle::recorded_until(question);
    let mut groups: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    for fact in standing(oracle, question) {
        let kinds = [
            Kind::Collection,
            Kind::Use,
            Kind::Disclosure,
            Kind::Transfer,
        ];
        if !kinds.contains(&fact.entry.kind().unwrap()) {
            continue;
        }
        let mut purposes = fact.entry.purposes.clone();
        if purposes.is_empty() {
            purposes.push(String::new());
        }
        for purpose in purposes {
            if covered_purposes(question, &purpose) {
                let key = (fact.entry.controller.clone(), purpose);
                groups.entry(key).or_default().push(fact.clone());
            }
        }
    }
    let shown = groups
        .into_iter()
        .map(|((controller, purpose), facts)| v1::ProcessingActivity {
            controller,
            purpose,
            categories: distinct(facts.iter().flat_map(|fact| fact.entry.categories.clone())),
            recipients: distinct(
                facts
                    .iter()
                    .filter_map(|fact| Some(fact.entry.recipient()?.id.clone())),
            ),
            countries: distinct(facts.iter().map(|fact| oracle.destination(fact, until))),
            safeguards: distinct(facts.iter().map(safeguard)),
            count: facts.len() as u64,
            first_time: first(&facts),
            last_time: last(&facts),
        });
    shown.collect()
}

fn counted(oracle: &Oracle<'_>, question: &Question) -> v1::GetStatisticsResponse {
    let until = Oracle::recorded_until(question);
    let everything = Question {
        as_of: question.as_of,
        ..Question::default()
    };
    let all = oracle.matching(&everything);
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
    let happened_until = question.as_of.as_ref().and_then(|as_of| as_of.event_time);
    for registration in &oracle.world.registrations {
        // A registration happens when it is recorded.
        let at = registration.recorded_ns;
        if at <= until && happened_until.is_none_or(|time| at <= time.unix_nanos().unwrap()) {
            count("party_registered", Outcome::NotJudged);
        }
    }
    statistics.retracted = retracted;
    statistics
}

pub(crate) fn check_affected(world: &World, question: &Question) {
    let holders = PARTIES.map(|id| (id, "")).into_iter().chain([("", "crm")]);
    for (recipient, system) in holders {
        let request = v1::FindAffectedSubjectsRequest {
            recipient: recipient.to_owned(),
            system: system.to_owned(),
            filter: Some(question.filter.clone()),
            as_of: question.as_of,
            with_identifiers: true,
            ..Default::default()
        };
        let persons = world.ask(request).unwrap();
        assert_eq!(persons, affected(world, question, recipient, system));
    }
}

/// Whoever is linked is one person, under the first reference that was had.
fn affected(
    world: &World,
    question: &Question,
    recipient: &str,
    system: &str,
) -> Vec<v1::FindAffectedSubjectsResponse> {
    let oracle = everybody(world);
    let mut persons: BTreeMap<BTreeSet<[u8; 16]>, Vec<Fact>> = BTreeMap::new();
    let question = Question {
        descending: false,
        ..question.clone()
    };
    for fact in standing(&oracle, &question) {
        let has = match &fact.entry.act {
            Act::Use { system: used, .. } => !system.is_empty() && used == system,
            _ => fact
                .entry
                .recipient()
                .is_some_and(|party| !recipient.is_empty() && party.id == recipient),
        };
        let (true, Some(subject)) = (has, fact.entry.subject) else {
            continue;
        };
        let mut set: BTreeSet<_> = world
            .vault
            .linked(&subject.0)
            .unwrap()
            .into_iter()
            .collect();
        set.insert(subject.0);
        persons.entry(set).or_default().push(fact);
    }
    let mut rows: Vec<_> = persons
        .into_iter()
        .map(|(set, facts)| {
            let references = distinct(
                facts
                    .iter()
                    .map(|fact| fact.entry.subject.unwrap().to_string()),
            );
            let first_one = facts.iter().filter_map(|fact| fact.entry.subject).min();
            assert!(set.contains(&first_one.unwrap().0));
            let identity = world.vault.identity(&first_one.unwrap().0).unwrap();
            v1::FindAffectedSubjectsResponse {
                reference: references[0].clone(),
                identifiers: identity.unwrap().identifiers,
                categories: distinct(facts.iter().flat_map(|fact| fact.entry.categories.clone())),
                count: facts.len() as u64,
                first_time: first(&facts),
                last_time: last(&facts),
                resume_token: String::new(),
                references,
            }
        })
        .collect();
    rows.sort_by_key(|row| row.reference.clone());
    rows
}
