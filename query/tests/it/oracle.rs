//! The same answers worked out plainly, over all entries, without keys,
//! ranges, merging or pages. Shares nothing with the crate but the types.

use std::collections::{BTreeMap, BTreeSet};
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
    references: Option<Vec<SubjectReference>>,
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
    fn registered(&self, id: &str, until: i64) -> [&'a str; 3] {
        let mut known = [""; 3];
        for registration in &self.world.registrations {
            if registration.id != id || registration.recorded_ns > until {
                continue;
            }
            let said = [
                &registration.name,
                &registration.category,
                &registration.country,
            ];
            for (known, said) in known.iter_mut().zip(said) {
                if known.is_empty() {
                    *known = said;
                }
            }
        }
        known
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

    pub(crate) fn destination(&self, fact: &'a Fact, until: i64) -> &'a str {
        match &fact.entry.act {
            Act::Transfer { to_country, .. } => to_country,
            Act::Disclosure { recipient, .. } if recipient.country.is_empty() => {
                self.registered(&recipient.id, until)[2]
            }
            Act::Disclosure { recipient, .. } => &recipient.country,
            _ => "",
        }
    }

    pub(crate) fn abroad(&self, fact: &'a Fact, until: i64) -> Option<(&'a str, &'a str)> {
        let to = self.destination(fact, until);
        match &fact.entry.act {
            Act::Transfer { from_country, .. } => Some((from_country, to)),
            Act::Disclosure { .. } => {
                let from = fact.entry.location.as_str();
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
                    filter
                        .countries
                        .iter()
                        .any(|wanted| to == wanted || to.split('-').next() == Some(wanted.as_str()))
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
        let [name, category, country] = self.registered(&party.id, until);
        let or = |said: &str, known: &str| if said.is_empty() { known } else { said }.to_owned();
        v1::Counterparty {
            id: party.id.clone(),
            name: name.to_owned(),
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
            for purpose in purposes_of(fact) {
                if asked_for.takes(purpose) {
                    let to = self.destination(fact, until);
                    let basis = fact.entry.legal_basis.as_str();
                    let key = (who(party), purpose, basis, to);
                    groups.entry(key).or_default().push(fact);
                }
            }
        }
        let rows = groups.into_iter();
        let rows = rows.map(|((_, purpose, basis, country), facts)| v1::RecipientRow {
            recipient: Some(self.counterparty(facts[0].entry.recipient().unwrap(), until)),
            purpose: purpose.to_owned(),
            legal_basis: basis.to_owned(),
            country: country.to_owned(),
            categories: distinct(facts.iter().flat_map(|fact| &fact.entry.categories)),
            count: facts.len() as u64,
            first_time: first(&facts),
            last_time: last(&facts),
            controllers: distinct(facts.iter().map(|fact| &fact.entry.controller)),
            judgement: self.worst(&facts, until),
            sale: facts
                .iter()
                .any(|fact| matches!(fact.entry.act, Act::Disclosure { sale: true, .. })),
        });
        rows.collect()
    }

    pub(crate) fn transfers(&self, question: &Question) -> Vec<v1::TransferRow> {
        let until = question.recorded_until();
        let mut groups: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
        for fact in self.standing(question) {
            if let Some((from, to)) = self.abroad(fact, until) {
                let party = fact.entry.recipient().map(who);
                let key = (from, to, party, safeguard(fact));
                groups.entry(key).or_default().push(fact);
            }
        }
        let rows = groups.into_iter();
        let rows = rows.map(|((from, to, _, safeguard), facts)| v1::TransferRow {
            from_country: from.to_owned(),
            to_country: to.to_owned(),
            recipient: facts[0]
                .entry
                .recipient()
                .map(|party| self.counterparty(party, until)),
            safeguard: safeguard.to_owned(),
            categories: distinct(facts.iter().flat_map(|fact| &fact.entry.categories)),
            purposes: distinct(facts.iter().flat_map(|fact| &fact.entry.purposes)),
            count: facts.len() as u64,
            first_time: first(&facts),
            last_time: last(&facts),
            judgement: self.worst(&facts, until),
        });
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
            controllers: distinct(facts.iter().map(|fact| &fact.entry.controller)),
            services: distinct(facts.iter().map(|fact| &fact.entry.service)),
            categories: distinct(facts.iter().flat_map(|fact| &fact.entry.categories)),
            purposes: distinct(facts.iter().flat_map(|fact| &fact.entry.purposes)),
            countries: distinct(
                facts
                    .iter()
                    .flat_map(|fact| [&fact.entry.location, self.destination(fact, until)]),
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
            recipients.extend(fact.entry.recipient().map(who));
        }
        summary.recipients = recipients.len() as u64;
        let consultations = summary.entries_by_kind.get("consultation");
        summary.consultations = consultations.copied().unwrap_or_default();
        summary
    }
}

/// Who it is: an organisation by its id, a person by the category alone.
fn who(party: &PartyPart) -> (&str, bool, &str) {
    let category = if party.person { &party.category } else { "" };
    (&party.id, party.person, category)
}

/// The purposes of an event; an empty one of an event without any.
pub(crate) fn purposes_of(fact: &Fact) -> Vec<&str> {
    let purposes: Vec<&str> = fact.entry.purposes.iter().map(String::as_str).collect();
    if purposes.is_empty() {
        vec![""]
    } else {
        purposes
    }
}

pub(crate) fn safeguard(fact: &Fact) -> &str {
    match &fact.entry.act {
        Act::Disclosure { safeguard, .. } | Act::Transfer { safeguard, .. } => safeguard,
        _ => "",
    }
}

pub(crate) fn distinct<'a, T: AsRef<str> + ?Sized + 'a>(
    texts: impl Iterator<Item = &'a T>,
) -> Vec<String> {
    let texts: BTreeSet<&str> = texts.map(AsRef::as_ref).collect();
    let said = texts.into_iter().filter(|text| !text.is_empty());
    said.map(str::to_owned).collect()
}

pub(crate) fn first(facts: &[&Fact]) -> Option<Timestamp> {
    let times = facts.iter().map(|fact| fact.entry.event_time_ns);
    times.min().map(Timestamp::from_unix_nanos)
}

pub(crate) fn last(facts: &[&Fact]) -> Option<Timestamp> {
    let times = facts.iter().map(|fact| fact.entry.event_time_ns);
    times.max().map(Timestamp::from_unix_nanos)
}
