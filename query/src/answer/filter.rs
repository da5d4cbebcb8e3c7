//! Which entries an answer is about.

use std::collections::{HashMap, HashSet};

use custody_ledger::entry::{EntryView, Kind, Outcome};
use custody_policy::{Field, Term, Vocabulary, country};
use custody_proto::v1;

use super::error::Faults;
use super::flow::Flow;
use super::moment;
use crate::read_model::EventRow;

/// The longest id of a party, a controller or a policy, in bytes.
const MAX_ID_BYTES: usize = 64;

/// A checked `EntryFilter`. An empty member lets everything through.
#[derive(Debug)]
pub(crate) struct Filter {
    /// From when, included.
    pub(crate) from_ns: i64,
    /// Until when, included; `None` where nothing can match.
    pub(crate) last_ns: Option<i64>,
    kinds: HashSet<u8>,
    pub(crate) purposes: Terms,
    pub(crate) categories: Terms,
    recipients: HashSet<String>,
    countries: Vec<String>,
    controllers: HashSet<String>,
    policies: HashSet<String>,
    judgements: HashSet<u8>,
}

impl Filter {
    /// Checks every member. An unknown kind, term or country and an id that
    /// no party can have are refused: they would read as "nobody got
    /// anything".
    pub(crate) fn read(filter: Option<&v1::EntryFilter>, faults: &mut Faults) -> Self {
        let absent = v1::EntryFilter::default();
        let filter = filter.unwrap_or(&absent);
        let from = moment::read(filter.from.as_ref(), "filter.from", faults);
        let to = moment::read(filter.to.as_ref(), "filter.to", faults);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            faults.push("filter.to", "must not be before `filter.from`");
        }
        Self {
            from_ns: from.unwrap_or(i64::MIN),
            last_ns: to.map_or(Some(i64::MAX), |to| to.checked_sub(1)),
            kinds: named(
                &filter.kinds,
                "filter.kinds",
                "is no kind",
                faults,
                |name| Kind::from_name(name).map(Kind::code),
            ),
            purposes: Terms::read(Field::Purpose, &filter.purposes, "filter.purposes", faults),
            categories: Terms::read(
                Field::Category,
                &filter.categories,
                "filter.categories",
                faults,
            ),
            recipients: ids(&filter.recipients, "filter.recipients", faults),
            countries: named(
                &filter.countries,
                "filter.countries",
                "is no country: ISO 3166-1 alpha-2 or ISO 3166-2, in capitals",
                faults,
                |code| country::is_country(code).then(|| code.to_owned()),
            ),
            controllers: ids(&filter.controllers, "filter.controllers", faults),
            policies: named(
                &filter.policies,
                "filter.policies",
                "is no policy's id: `[A-Za-z0-9._-]{1,64}`",
                faults,
                |id| is_id(id, true).then(|| id.to_owned()),
            ),
            judgements: named(
                &filter.judgements,
                "filter.judgements",
                "is none of `not_judged`, `conforms`, `suppressed`, `gap`, `violation`",
                faults,
                |name| {
                    let outcome = Outcome::ALL
                        .into_iter()
                        .find(|outcome| outcome.name() == name)?;
                    Some(outcome as u8)
                },
            ),
        }
    }

    /// Whether nothing is asked for but these members.
    pub(crate) fn asks_only_for(&self, members: &[Member]) -> bool {
        let free = |asks: bool, member: Member| !asks || members.contains(&member);
        (self.from_ns, self.last_ns) == (i64::MIN, Some(i64::MAX))
            && self.kinds.is_empty()
            && self.categories.wanted.is_empty()
            && self.policies.is_empty()
            && self.judgements.is_empty()
            && free(!self.purposes.wanted.is_empty(), Member::Purposes)
            && free(!self.recipients.is_empty(), Member::Recipients)
            && free(!self.countries.is_empty(), Member::Countries)
            && free(!self.controllers.is_empty(), Member::Controllers)
    }

    /// Whether anything is asked for but a time and categories.
    pub(crate) fn asks_for_more_than_categories(&self) -> bool {
        !self.kinds.is_empty()
            || !self.purposes.wanted.is_empty()
            || !self.recipients.is_empty()
            || !self.countries.is_empty()
            || !self.controllers.is_empty()
            || !self.policies.is_empty()
            || !self.judgements.is_empty()
    }

    /// Whether a recipient of this id, which a person does not have, is one of
    /// those asked for.
    pub(crate) fn matches_recipient(&self, id: &str) -> bool {
        self.recipients.is_empty() || self.recipients.contains(id)
    }

    /// The recipients asked for, in order.
    pub(crate) fn recipients(&self) -> Vec<&str> {
        let mut recipients: Vec<&str> = self.recipients.iter().map(String::as_str).collect();
        recipients.sort_unstable();
        recipients
    }

    /// Whether this controller is one of those asked for.
    pub(crate) fn matches_controller(&self, controller: &str) -> bool {
        self.controllers.is_empty() || self.controllers.contains(controller)
    }

    /// Whether it matters where an entry's data went to.
    pub(crate) fn asks_for_countries(&self) -> bool {
        !self.countries.is_empty()
    }

    /// Whether the entry matches, but for its time, which the range that is
    /// read has bounded, and its countries. `outcome` is the judgement in force.
    pub(crate) fn matches(&mut self, row: &EventRow, outcome: Outcome) -> bool {
        let entry = &row.entry;
        self.matches_said(&Said {
            kind_code: entry.kind_code,
            outcome,
            controller: &entry.controller,
            policy: &entry.policy,
            recipient: entry.recipient().map(|party| party.id.as_str()),
        }) && self
            .purposes
            .match_any(entry.purposes.iter().map(String::as_str))
            && self
                .categories
                .match_any(entry.categories.iter().map(String::as_str))
    }

    /// As [`Filter::matches`], of an entry that is read in place.
    pub(crate) fn matches_view(&mut self, view: &EntryView<'_>) -> bool {
        self.matches_said(&Said {
            kind_code: view.kind_code,
            outcome: view.outcome,
            controller: view.controller,
            policy: view.policy,
            recipient: view.recipient().map(|party| party.id),
        }) && self.purposes.match_any(view.purposes.iter())
            && self.categories.match_any(view.categories.iter())
    }

    fn matches_said(&self, said: &Said<'_>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&said.kind_code))
            && (self.judgements.is_empty() || self.judgements.contains(&(said.outcome as u8)))
            && self.matches_controller(said.controller)
            && (self.policies.is_empty() || self.policies.contains(said.policy))
            && (self.recipients.is_empty()
                || said
                    .recipient
                    .is_some_and(|recipient| self.recipients.contains(recipient)))
    }

    /// Whether data went to one of the countries asked for. A country stands
    /// for its subdivisions too: `US` finds what went to `US-CA`.
    pub(crate) fn matches_destination(&self, flow: &Flow) -> bool {
        self.matches_country(&flow.destination)
    }

    /// As [`Filter::matches_destination`].
    pub(crate) fn matches_country(&self, destination: &str) -> bool {
        self.countries.is_empty()
            || self.countries.iter().any(|wanted| {
                destination == wanted || country::country_of(destination) == Some(wanted.as_str())
            })
    }
}

/// What of an entry is compared as it stands.
struct Said<'a> {
    kind_code: u8,
    outcome: Outcome,
    controller: &'a str,
    policy: &'a str,
    /// The recipient's id, where there is a recipient.
    recipient: Option<&'a str>,
}

/// A member of a filter that a kept row may be able to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Purposes,
    Recipients,
    Countries,
    Controllers,
}

/// Terms asked for; narrower ones match too.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    field: Field,
    wanted: Vec<Term>,
    /// What was found of a stored term before.
    known: HashMap<String, bool>,
}

impl Terms {
    fn read(field: Field, texts: &[String], path: &str, faults: &mut Faults) -> Self {
        let mut wanted = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match Vocabulary::builtin().resolve(field, text) {
                Ok(term) => wanted.push(term),
                // Repeats the text only where it looks like a term.
                Err(unknown) => faults.push(format!("{path}[{index}]"), unknown.to_string()),
            }
        }
        Self {
            field,
            wanted,
            known: HashMap::new(),
        }
    }

    pub(crate) fn match_any<'a>(&mut self, mut stored: impl Iterator<Item = &'a str>) -> bool {
        self.wanted.is_empty() || stored.any(|term| self.matches(term))
    }

    /// Whether a stored term is one of those asked for, or a kind of one.
    /// Without terms asked for, every one is.
    pub(crate) fn matches(&mut self, stored: &str) -> bool {
        if self.wanted.is_empty() {
            return true;
        }
        if let Some(known) = self.known.get(stored) {
            return *known;
        }
        let vocabulary = Vocabulary::builtin();
        let matches = match vocabulary.resolve(self.field, stored) {
            Ok(term) => self
                .wanted
                .iter()
                .any(|wanted| vocabulary.covers(*wanted, term)),
            // Stored under a vocabulary that had more terms than this one.
            Err(_) => false,
        };
        self.known.insert(stored.to_owned(), matches);
        matches
    }
}

/// Reads each value by its name and says which ones name nothing.
pub(crate) fn named<T, C: FromIterator<T>>(
    values: &[String],
    path: &str,
    fault: &str,
    faults: &mut Faults,
    read: impl Fn(&str) -> Option<T>,
) -> C {
    let read = values.iter().enumerate().filter_map(|(index, value)| {
        let found = read(value);
        if found.is_none() {
            faults.push(format!("{path}[{index}]"), fault);
        }
        found
    });
    read.collect()
}

pub(crate) fn ids(values: &[String], path: &str, faults: &mut Faults) -> HashSet<String> {
    named(
        values,
        path,
        "is no id: `[a-z0-9._-]{1,64}`",
        faults,
        |id| is_id(id, false).then(|| id.to_owned()),
    )
}

pub(crate) fn is_id(id: &str, capitals: bool) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|b| {
            b.is_ascii_lowercase()
                || b.is_ascii_digit()
                || b"._-".contains(&b)
                || (capitals && b.is_ascii_uppercase())
        })
}
