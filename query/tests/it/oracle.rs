//! The same answers worked out plainly, over all entries, without keys,
//! ranges, merging or pages. Shares nothing with the crate but the types.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use custody_ledger::{Act, HouseRecord, Judgement, Outcome, PartyPart, SubjectReference};
use custody_policy::Field;
use custody_proto::{Timestamp, v1};

use crate::covered::Covered;
use crate::later::Later;
use crate::world::{Fact, World};

#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    pub(crate) filter: v1::EntryFilter,
    pub(crate) as_of: Option<v1::AsOf>,
    pub(crate) descending: bool,
}

impl Question {
    pub(crate) fn ascending(&self) -> Self {
        Self {
            descending: false,
            ..self.clone()
        }
    }

    /// The same moment without a filter.
    pub(crate) fn everything(&self) -> Self {
        Self {
            as_of: self.as_of,
            ..Self::default()
        }
    }

    pub(crate) fn recorded_until(&self) -> i64 {
        let as_of = self.as_of.as_ref().and_then(|as_of| as_of.recorded_time);
        as_of.map_or(i64::MAX, |time| time.unix_nanos().unwrap())
    }

    pub(crate) fn happened_until(&self) -> i64 {
        let as_of = self.as_of.as_ref().and_then(|as_of| as_of.event_time);
        as_of.map_or(i64::MAX, |time| time.unix_nanos().unwrap())
    }
}

pub(crate) struct Oracle<'a> {
    pub(crate) world: &'a World,
    later: Arc<Later>,
    /// The references of the person and everybody linked; `None`: everybody,
    /// and what is nobody's.
    references: Option<HashSet<SubjectReference>>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn of(
        world: &'a World,
        references: impl IntoIterator<Item = SubjectReference>,
    ) -> Self {
        Self {
            world,
            later: world.later(),
            references: Some(references.into_iter().collect()),
        }
    }

    pub(crate) fn everybody(world: &'a World) -> Self {
        Self {
            world,
            later: world.later(),
            references: None,
        }
    }

    fn is_asked_for(&self, fact: &Fact) -> bool {
        self.references.as_ref().is_none_or(|references| {
            let subject = fact.entry.subject;
            subject.is_some_and(|subject| references.contains(&subject))
        })
    }

    /// The same fact, for as long as the others.
    pub(crate) fn fact(&self, fact: &Fact) -> &'a Fact {
        let number = self.later.places[&(fact.shard, fact.sequence)];
        &self.world.facts[number]
    }

    /// Name, category and country as registered: what was said first stands.
    fn registered(&self, id: &str, until: i64) -> (String, String, String) {
        let (mut name, mut category, mut country) = Default::default();
        for registration in &self.world.registrations {
            if registration.id != id || registration.recorded_ns > until {
                continue;
            }
            for (known, said) in [
                (&mut name, &registration.name),
                (&mut category, &registration.category),
                (&mut country, &registration.country),
            ] {
                if String::is_empty(known) {
                    known.clone_from(said);
                }
            }
        }
        (name, category, country)
    }

    /// Every judgement of an entry with what holds it, oldest first: the last
    /// is in force.
    pub(crate) fn judgements(&self, fact: &'a Fact, until: i64) -> Vec<(&'a Judgement, &'a Fact)> {
        let mut found = vec![(&fact.entry.judgement, fact)];
        let later = self.later.rejudged.get(&(fact.shard, fact.sequence));
        for number in later.into_iter().flatten() {
            let other = &self.world.facts[*number];
            if let Act::House(HouseRecord::Rejudged { judgement, .. }) = &other.entry.act
                && other.recorded_ns <= until
            {
                found.push((judgement, other));
            }
        }
        found
    }

    pub(crate) fn outcome(&self, fact: &'a Fact, until: i64) -> Outcome {
        if matches!(fact.entry.act, Act::House(HouseRecord::OverdueFound { .. })) {
            return Outcome::Violation;
        }
        let (in_force, _) = self.judgements(fact, until).pop().unwrap();
        Outcome::from_code(in_force.outcome_code).unwrap()
    }

    fn worst(&self, facts: &[&'a Fact], until: i64) -> String {
        let outcomes = facts.iter().map(|fact| self.outcome(fact, until));
        outcomes.max().unwrap().name().to_owned()
    }

    fn is_retracted(&self, fact: &Fact, until: i64) -> bool {
        if let Act::House(HouseRecord::OverdueFound { of, .. }) = &fact.entry.act {
            let began = self.later.places.get(&(of.shard, of.sequence));
            return began.is_some_and(|number| {
                let began = &self.world.facts[*number];
                began.entry.subject == fact.entry.subject && self.is_retracted(began, until)
            });
        }
        let tag = fact.entry.event_tag;
        let since = tag.and_then(|tag| self.later.retracted.get(&tag));
        since.is_some_and(|since| *since <= until)
    }

    pub(crate) fn destination(&self, fact: &Fact, until: i64) -> String {
        match &fact.entry.act {
            Act::Transfer { to_country, .. } => to_country.clone(),
            Act::Disclosure { recipient, .. } if recipient.country.is_empty() => {
                self.registered(&recipient.id, until).2
            }
            Act::Disclosure { recipient, .. } => recipient.country.clone(),
            _ => String::new(),
        }
    }

    pub(crate) fn abroad(&self, fact: &Fact, until: i64) -> Option<(String, String)> {
        match &fact.entry.act {
            Act::Transfer { from_country, .. } => {
                Some((from_country.clone(), self.destination(fact, until)))
            }
            Act::Disclosure { .. } => {
                let (from, to) = (fact.entry.location.clone(), self.destination(fact, until));
                let known = from.len() >= 2 && to.len() >= 2;
                (known && from[..2] != to[..2]).then_some((from, to))
            }
            _ => None,
        }
    }

    /// The person's entries that match, each with whether it was taken back.
    pub(crate) fn matching(&self, question: &Question) -> Vec<(&'a Fact, bool)> {
        let (filter, until) = (&question.filter, question.recorded_until());
        let happened_until = question.happened_until();
        let nanos = |time: Timestamp| time.unix_nanos().unwrap();
        let from = filter.from.map_or(i64::MIN, nanos);
        let to = filter.to.map(nanos);
        let any =
            |wanted: &[String], said: &str| wanted.is_empty() || wanted.iter().any(|w| w == said);
        let mut purposes = Covered::of(Field::Purpose, &filter.purposes);
        let mut categories = Covered::of(Field::Category, &filter.categories);
        let mut found: Vec<(&Fact, bool)> = Vec::new();
        for fact in &self.world.facts {
            let entry = &fact.entry;
            let time = entry.event_time_ns;
            let matches = self.is_asked_for(fact)
                && fact.recorded_ns <= until
                && time <= happened_until
                && time >= from
                && to.is_none_or(|to| time < to)
                && any(&filter.kinds, entry.kind().unwrap().name())
                && any(&filter.controllers, &entry.controller)
                && any(&filter.policies, &entry.policy)
                && (filter.judgements.is_empty()
                    || any(&filter.judgements, self.outcome(fact, until).name()))
                && (filter.recipients.is_empty()
                    || entry
                        .recipient()
                        .is_some_and(|party| filter.recipients.contains(&party.id)))
                && (filter.countries.is_empty() || {
                    let to = self.destination(fact, until);
                    filter.countries.iter().any(|wanted| {
                        to == *wanted || to.split('-').next() == Some(wanted.as_str())
                    })
                })
                && purposes.any(&entry.purposes)
                && categories.any(&entry.categories);
            if matches {
                found.push((fact, self.is_retracted(fact, until)));
            }
        }
        found.sort_by_key(|(fact, _)| (fact.entry.event_time_ns, fact.shard, fact.sequence));
        if question.descending {
            found.reverse();
        }
        found
    }

    /// Entries that match and were not taken back.
    pub(crate) fn standing(&self, question: &Question) -> Vec<&'a Fact> {
        let matching = self.matching(question).into_iter();
        matching
            .filter(|(_, gone)| !gone)
            .map(|(fact, _)| fact)
            .collect()
    }

    pub(crate) fn counterparty(&self, party: &PartyPart, until: i64) -> v1::Counterparty {
        let (name, category, country) = self.registered(&party.id, until);
        let or = |said: &String, known| if said.is_empty() { known } else { said.clone() };
        v1::Counterparty {
            id: party.id.clone(),
            name,
            category: or(&party.category, category),
            country: or(&party.country, country),
            person: party.person,
        }
    }

    pub(crate) fn recipients(&self, question: &Question) -> Vec<v1::RecipientRow> {
        let until = question.recorded_until();
        let mut groups: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
        let mut asked_for = Covered::of(Field::Purpose, &question.filter.purposes);
        for fact in self.standing(question) {
            let Some(party) = fact.entry.recipient() else {
                continue;
            };
            let mut purposes = fact.entry.purposes.clone();
            if purposes.is_empty() {
                purposes.push(String::new());
            }
            for purpose in purposes {
                if !asked_for.takes(&purpose) {
                    continue;
                }
                let kind = if party.person {
                    party.category.clone()
                } else {
                    String::new()
                };
                let to = self.destination(fact, until);
                let basis = fact.entry.legal_basis.clone();
                let key = (party.id.clone(), party.person, kind, purpose, basis, to);
                groups.entry(key).or_default().push(fact);
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
        let until = question.recorded_until();
        let mut groups: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
        for fact in self.standing(question) {
            let Some((from, to)) = self.abroad(fact, until) else {
                continue;
            };
            let party = fact.entry.recipient().map(|party| {
                let kind = if party.person {
                    party.category.clone()
                } else {
                    String::new()
                };
                (party.id.clone(), party.person, kind)
            });
            groups
                .entry((from, to, party, safeguard(fact)))
                .or_default()
                .push(fact);
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
        let until = question.recorded_until();
        let all = self.matching(question);
        let facts: Vec<&Fact> = all
            .iter()
            .filter(|(_, gone)| !gone)
            .map(|(fact, _)| *fact)
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
}

pub(crate) fn safeguard(fact: &Fact) -> String {
    match &fact.entry.act {
        Act::Disclosure { safeguard, .. } | Act::Transfer { safeguard, .. } => safeguard.clone(),
        _ => String::new(),
    }
}

pub(crate) fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let texts: BTreeSet<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.into_iter().collect()
}

pub(crate) fn first(facts: &[&Fact]) -> Option<Timestamp> {
    let times = facts.iter().map(|fact| fact.entry.event_time_ns);
    times.min().map(Timestamp::from_unix_nanos)
}

pub(crate) fn last(facts: &[&Fact]) -> Option<Timestamp> {
    let times = facts.iter().map(|fact| fact.entry.event_time_ns);
    times.max().map(Timestamp::from_unix_nanos)
}
