//! The same answers worked out plainly, over all entries, without keys,
//! ranges, merging or pages. Shares nothing with the crate but the types.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::{Act, HouseRecord, Judgement, Kind, Outcome};
use custody_policy::{Field, Vocabulary};
use custody_proto::{Timestamp, v1};

use crate::world::{Fact, World};

#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    pub(crate) filter: v1::EntryFilter,
    pub(crate) as_of: Option<v1::AsOf>,
    pub(crate) descending: bool,
}

pub(crate) struct Oracle<'a> {
    pub(crate) world: &'a World,
    /// The references of the person and everybody linked, in hexadecimal.
    pub(crate) references: BTreeSet<String>,
}

/// (name, country) as registered, as known at a recorded time.
type Registered = (String, String);

impl Oracle<'_> {
    pub(crate) fn recorded_until(question: &Question) -> i64 {
        let as_of = question
            .as_of
            .as_ref()
            .and_then(|as_of| as_of.recorded_time);
        as_of.map_or(i64::MAX, |time| time.unix_nanos().unwrap())
    }

    fn registered(&self, id: &str, until: i64) -> Registered {
        let mut found = Registered::default();
        for registration in &self.world.registrations {
            if registration.id == id && registration.recorded_ns <= until {
                if found.0.is_empty() {
                    found.0.clone_from(&registration.name);
                }
                if found.1.is_empty() {
                    found.1.clone_from(&registration.country);
                }
            }
        }
        found
    }

    /// Every judgement of an entry with what holds it, oldest first: the last
    /// is in force.
    pub(crate) fn judgements(&self, fact: &Fact, until: i64) -> Vec<(Judgement, Fact)> {
        let mut found = vec![(fact.entry.judgement.clone(), fact.clone())];
        for other in &self.world.facts {
            if let Act::House(HouseRecord::Rejudged {
                shard,
                sequence,
                judgement,
                ..
            }) = &other.entry.act
                && (*shard, *sequence) == (fact.shard, fact.sequence)
                && other.recorded_ns <= until
            {
                found.push((judgement.clone(), other.clone()));
            }
        }
        found
    }

    pub(crate) fn outcome(&self, fact: &Fact, until: i64) -> Outcome {
        if matches!(fact.entry.act, Act::House(HouseRecord::OverdueFound { .. })) {
            return Outcome::Violation;
        }
        let (in_force, _) = self.judgements(fact, until).pop().unwrap();
        Outcome::from_code(in_force.outcome_code).unwrap()
    }

    fn worst(&self, facts: &[Fact], until: i64) -> String {
        let outcomes = facts.iter().map(|fact| self.outcome(fact, until));
        outcomes.max().unwrap().name().to_owned()
    }

    fn is_retracted(&self, fact: &Fact, until: i64) -> bool {
        if let Act::House(HouseRecord::OverdueFound { of, .. }) = &fact.entry.act {
            let began = self.world.facts.iter().find(|other| {
                (other.shard, other.sequence) == (of.shard, of.sequence)
                    && other.entry.subject == fact.entry.subject
            });
            return began.is_some_and(|began| self.is_retracted(began, until));
        }
        self.world.facts.iter().any(|other| {
            let of = match &other.entry.act {
                Act::Retraction { of } => Some(*of),
                _ => None,
            };
            of.is_some() && of == fact.entry.event_tag && other.recorded_ns <= until
        })
    }

    fn destination(&self, fact: &Fact, until: i64) -> String {
        match &fact.entry.act {
            Act::Transfer { to_country, .. } => to_country.clone(),
            Act::Disclosure { recipient, .. } if recipient.country.is_empty() => {
                self.registered(&recipient.id, until).1
            }
            Act::Disclosure { recipient, .. } => recipient.country.clone(),
            _ => String::new(),
        }
    }

    fn abroad(&self, fact: &Fact, until: i64) -> Option<(String, String)> {
        let to = self.destination(fact, until);
        match &fact.entry.act {
            Act::Transfer { from_country, .. } => Some((from_country.clone(), to)),
            Act::Disclosure { .. } => {
                let from = fact.entry.location.clone();
                let known = from.len() >= 2 && to.len() >= 2;
                (known && from[..2] != to[..2]).then_some((from, to))
            }
            _ => None,
        }
    }

    /// The person's entries that match, each with whether it was taken back.
    pub(crate) fn matching(&self, question: &Question) -> Vec<(Fact, bool)> {
        let (filter, until) = (&question.filter, Self::recorded_until(question));
        let happened_until = question.as_of.as_ref().and_then(|as_of| as_of.event_time);
        let nanos = |time: Timestamp| time.unix_nanos().unwrap();
        let any =
            |wanted: &[String], said: &str| wanted.is_empty() || wanted.iter().any(|w| w == said);
        let mut found: Vec<(Fact, bool)> = Vec::new();
        for fact in &self.world.facts {
            let entry = &fact.entry;
            let to = self.destination(fact, until);
            let recipient = entry.recipient().map(|party| party.id.clone());
            let whose = entry.subject.map(|it| it.to_string()).unwrap_or_default();
            let matches = self.references.contains(&whose)
                && fact.recorded_ns <= until
                && happened_until.is_none_or(|time| entry.event_time_ns <= nanos(time))
                && filter
                    .from
                    .is_none_or(|time| entry.event_time_ns >= nanos(time))
                && filter
                    .to
                    .is_none_or(|time| entry.event_time_ns < nanos(time))
                && any(&filter.kinds, entry.kind().unwrap().name())
                && any(&filter.controllers, &entry.controller)
                && any(&filter.policies, &entry.policy)
                && any(&filter.judgements, self.outcome(fact, until).name())
                && (filter.recipients.is_empty()
                    || recipient.is_some_and(|id| filter.recipients.contains(&id)))
                && (filter.countries.is_empty()
                    || filter.countries.iter().any(|wanted| {
                        to == *wanted || to.split('-').next() == Some(wanted.as_str())
                    }))
                && covered(Field::Purpose, &filter.purposes, &entry.purposes)
                && covered(Field::Category, &filter.categories, &entry.categories);
            if matches {
                found.push((fact.clone(), self.is_retracted(fact, until)));
            }
        }
        found.sort_by_key(|(fact, _)| (fact.entry.event_time_ns, fact.shard, fact.sequence));
        if question.descending {
            found.reverse();
        }
        found
    }

    fn counterparty(&self, party: &custody_ledger::PartyPart, until: i64) -> v1::Counterparty {
        let (name, country) = self.registered(&party.id, until);
        v1::Counterparty {
            id: party.id.clone(),
            name: if party.id.is_empty() {
                String::new()
            } else {
                name
            },
            category: party.category.clone(),
            country: if party.country.is_empty() {
                country
            } else {
                party.country.clone()
            },
            person: party.person,
        }
    }

    pub(crate) fn recipients(&self, question: &Question) -> Vec<v1::RecipientRow> {
        let until = Self::recorded_until(question);
        let mut groups: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
        for (fact, retracted) in self.matching(question) {
            let Some(party) = fact.entry.recipient() else {
                continue;
            };
            if retracted {
                continue;
            }
            let mut purposes = fact.entry.purposes.clone();
            if purposes.is_empty() {
                purposes.push(String::new());
            }
            for purpose in purposes {
                if !covered(
                    Field::Purpose,
                    &question.filter.purposes,
                    std::slice::from_ref(&purpose),
                ) {
                    continue;
                }
                let kind = if party.person {
                    party.category.clone()
                } else {
                    String::new()
                };
                let to = self.destination(&fact, until);
                let basis = fact.entry.legal_basis.clone();
                let key = (party.id.clone(), party.person, kind, purpose, basis, to);
                groups.entry(key).or_default().push(fact.clone());
            }
        }
        let rows = groups
            .into_iter()
            .map(
                |((_, _, _, purpose, legal_basis, country), facts)| v1::RecipientRow {
                    recipient: Some(self.counterparty(facts[0].entry.recipient().unwrap(), until)),
                    purpose,
                    legal_basis,
                    country,
                    categories: distinct(
                        facts.iter().flat_map(|fact| fact.entry.categories.clone()),
                    ),
                    count: facts.len() as u64,
                    first_time: first(&facts),
                    last_time: last(&facts),
                    controllers: distinct(facts.iter().map(|fact| fact.entry.controller.clone())),
                    judgement: self.worst(&facts, until),
                    sale: facts
                        .iter()
                        .any(|fact| matches!(fact.entry.act, Act::Disclosure { sale: true, .. })),
                },
            );
        rows.collect()
    }

    pub(crate) fn transfers(&self, question: &Question) -> Vec<v1::TransferRow> {
        let until = Self::recorded_until(question);
        let mut groups: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
        for (fact, retracted) in self.matching(question) {
            let Some((from, to)) = self.abroad(&fact, until) else {
                continue;
            };
            if retracted {
                continue;
            }
            let party = fact.entry.recipient().map(|party| {
                let kind = if party.person {
                    party.category.clone()
                } else {
                    String::new()
                };
                (party.id.clone(), party.person, kind)
            });
            groups
                .entry((from, to, party, safeguard(&fact)))
                .or_default()
                .push(fact.clone());
        }
        let rows = groups
            .into_iter()
            .map(
                |((from_country, to_country, _, safeguard), facts)| v1::TransferRow {
                    from_country,
                    to_country,
                    recipient: facts[0]
                        .entry
                        .recipient()
                        .map(|party| self.counterparty(party, until)),
                    safeguard,
                    categories: distinct(
                        facts.iter().flat_map(|fact| fact.entry.categories.clone()),
                    ),
                    purposes: distinct(facts.iter().flat_map(|fact| fact.entry.purposes.clone())),
                    count: facts.len() as u64,
                    first_time: first(&facts),
                    last_time: last(&facts),
                    judgement: self.worst(&facts, until),
                },
            );
        rows.collect()
    }

    /// Without head, identifiers and references.
    pub(crate) fn subject(&self, question: &Question) -> v1::GetSubjectResponse {
        let until = Self::recorded_until(question);
        let all = self.matching(question);
        let facts: Vec<Fact> = all
            .iter()
            .filter(|(_, gone)| !gone)
            .map(|(fact, _)| fact.clone())
            .collect();
        let mut summary = v1::GetSubjectResponse {
            entries: facts.len() as u64,
            retracted: (all.len() - facts.len()) as u64,
            controllers: distinct(facts.iter().map(|fact| fact.entry.controller.clone())),
            services: distinct(facts.iter().map(|fact| fact.entry.service.clone())),
            categories: distinct(facts.iter().flat_map(|fact| fact.entry.categories.clone())),
            purposes: distinct(facts.iter().flat_map(|fact| fact.entry.purposes.clone())),
            countries: distinct(
                facts
                    .iter()
                    .flat_map(|fact| [fact.entry.location.clone(), self.destination(fact, until)]),
            ),
            ..v1::GetSubjectResponse::default()
        };
        if !facts.is_empty() {
            summary.first_event_time = first(&facts);
            summary.last_event_time = last(&facts);
        }
        let mut recipients = BTreeSet::new();
        for fact in &facts {
            *summary
                .entries_by_kind
                .entry(fact.entry.kind().unwrap().name().to_owned())
                .or_default() += 1;
            *summary
                .entries_by_judgement
                .entry(self.outcome(fact, until).name().to_owned())
                .or_default() += 1;
            if let Some(party) = fact.entry.recipient() {
                let kind = if party.person {
                    party.category.clone()
                } else {
                    String::new()
                };
                recipients.insert((party.id.clone(), party.person, kind));
            }
        }
        summary.recipients = recipients.len() as u64;
        let consultations = summary.entries_by_kind.get("consultation");
        summary.consultations = consultations.copied().unwrap_or_default();
        summary
    }

    pub(crate) fn countries(&self, fact: &Fact, question: &Question) -> (String, String) {
        self.abroad(fact, Self::recorded_until(question))
            .unwrap_or_default()
    }
}

fn covered(field: Field, wanted: &[String], said: &[String]) -> bool {
    let vocabulary = Vocabulary::builtin();
    let term = |text: &String| vocabulary.resolve(field, text).ok();
    wanted.is_empty()
        || wanted.iter().any(|wanted| {
            said.iter().any(|said| match (term(wanted), term(said)) {
                (Some(wanted), Some(said)) => vocabulary.covers(wanted, said),
                _ => false,
            })
        })
}

fn safeguard(fact: &Fact) -> String {
    match &fact.entry.act {
        Act::Disclosure { safeguard, .. } | Act::Transfer { safeguard, .. } => safeguard.clone(),
        _ => String::new(),
    }
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let texts: BTreeSet<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.into_iter().collect()
}

fn first(facts: &[Fact]) -> Option<Timestamp> {
    facts
        .iter()
        .map(|fact| fact.entry.event_time_ns)
        .min()
        .map(Timestamp::from_unix_nanos)
}

fn last(facts: &[Fact]) -> Option<Timestamp> {
    facts
        .iter()
        .map(|fact| fact.entry.event_time_ns)
        .max()
        .map(Timestamp::from_unix_nanos)
}

/// What an answer must show of an entry to be the one meant.
pub(crate) fn key(entry: &v1::Entry) -> (String, u64, String, bool, String, String) {
    let position = entry.position.clone().unwrap();
    (
        position.shard,
        position.sequence,
        entry.kind.clone(),
        entry.retracted,
        entry.from_country.clone(),
        entry.to_country.clone(),
    )
}

/// The same of what was expected.
pub(crate) fn key_of(
    oracle: &Oracle<'_>,
    question: &Question,
    fact: &(Fact, bool),
) -> (String, u64, String, bool, String, String) {
    let (from, to) = oracle.countries(&fact.0, question);
    (
        fact.0.shard.to_string(),
        fact.0.sequence,
        fact.0.entry.kind().map(Kind::name).unwrap().to_owned(),
        fact.1,
        from,
        to,
    )
}
