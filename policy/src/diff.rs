//! What one version of a policy permits and another does not.
//!
//! Two versions are compared by what the judge would make of an act, not by
//! their words: for each term of the vocabulary and each place in the world it
//! is asked what each version says. Places of which both say the same are
//! taken together. A version is looked at as it stood at its last moment, so
//! that an addendum with a date of its own is in it.

mod places;
mod standing;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use crate::field::Field;
use crate::place::Place;
use crate::rules::{Policy, Ruleset, Tables};
use crate::term::Term;
use crate::verdict::ClauseRef;
use crate::vocabulary::Vocabulary;

use places::Classes;
use standing::{Standing, standing};

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// To whom and what the policy applies.
    Scope,
    /// Who decides.
    Controller,
    /// Where data comes from.
    Origin,
    /// Which data.
    Category,
    /// What for.
    Purpose,
    /// Who gets it.
    Recipient,
    /// On which legal basis.
    Basis,
    /// Where it is kept.
    Storage,
    /// Where it goes.
    Destination,
    /// What sending it abroad rests on.
    Safeguard,
    /// How long it is used.
    Retention,
    /// People under 18.
    Minors,
    /// Selling it.
    Sale,
    /// Which version governs what.
    Versioning,
}

impl Topic {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Controller => "controller",
            Self::Origin => "origin",
            Self::Category => "category",
            Self::Purpose => "purpose",
            Self::Recipient => "recipient",
            Self::Basis => "basis",
            Self::Storage => "storage",
            Self::Destination => "destination",
            Self::Safeguard => "safeguard",
            Self::Retention => "retention",
            Self::Minors => "minors",
            Self::Sale => "sale",
            Self::Versioning => "versioning",
        }
    }
}

/// Which way something changed, for who acts on the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// The first version declares it and the second does not.
    Forbidden,
    /// Both allow it, the second on further conditions.
    Stricter,
    /// The second version declares it and the first does not.
    Permitted,
    /// Both allow it, the second on fewer conditions.
    Looser,
    /// Other conditions, neither more nor fewer.
    Different,
}

impl Change {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Stricter => "stricter",
            Self::Permitted => "permitted",
            Self::Looser => "looser",
            Self::Different => "different",
        }
    }
}

/// One difference between two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub topic: Topic,
    /// The term as it is stored; empty where it is about no term.
    pub term: String,
    /// What it is called.
    pub label: String,
    /// Which way.
    pub change: Change,
    /// For persons where, in words; empty for everywhere.
    pub whom: String,
    /// For persons where: ISO 3166 codes; empty for everywhere.
    pub places: Vec<&'static str>,
    /// What the first version says.
    pub before: String,
    /// What the second version says.
    pub after: String,
    /// Clauses of the first version.
    pub clauses_before: Vec<String>,
    /// Clauses of the second version.
    pub clauses_after: Vec<String>,
    /// Narrower terms that changed in the same way and are not listed.
    pub narrower: usize,
}

/// One of the two versions.
#[derive(Clone, Copy)]
struct Side<'a> {
    rules: &'a Ruleset,
    policy: &'a Policy,
    /// Its last moment.
    time_ns: i64,
    /// When groups of places are looked at: the same for both, so that a
    /// member that left is no difference between the policies.
    groups_ns: i64,
}

/// What became permitted or forbidden from one version to another. `None`
/// where a ruleset has no version of that id. The rulesets may be the same, or
/// two with drafts of one version.
///
/// ```
/// use custody_policy::{Change, Ruleset, Topic, diff};
///
/// let rules = Ruleset::builtin();
/// let changes = diff((rules, "ALB-2020"), (rules, "ALB-2025")).ok_or("no such policy")?;
/// let credit = changes.iter().find(|change| {
///     change.topic == Topic::Purpose && change.term == "custody:credit_scoring"
/// });
/// assert!(credit.is_some_and(|credit| credit.change == Change::Permitted));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn diff(before: (&Ruleset, &str), after: (&Ruleset, &str)) -> Option<Vec<Difference>> {
    let before = Side::of(before.0, before.1)?;
    let after = Side::of(after.0, after.1)?;
    let groups_ns = before.time_ns.max(after.time_ns);
    let before = Side {
        groups_ns,
        ..before
    };
    let after = Side { groups_ns, ..after };

    let classes = Classes::of(&before, &after);
    let mut found = Found::default();
    for (class, place) in classes.iter() {
        if whole::scope(&mut found, class, place, &before, &after) {
            whole::differences(&mut found, class, place, &before, &after);
            by_term(&mut found, class, place, &before, &after);
        }
    }
    let differences = found.into_differences(&before, &after, &classes);
    Some(without_narrower(differences))
}

impl<'a> Side<'a> {
    fn of(rules: &'a Ruleset, id: &str) -> Option<Self> {
        let policy = rules.policy(rules.policy_of(id)?);
        Some(Self {
            rules,
            policy,
            time_ns: last_moment(rules, policy),
            groups_ns: 0,
        })
    }

    fn tables(&self) -> &'a Tables {
        &self.policy.tables
    }

    /// Whether a clause holds for persons there.
    fn holds(&self, applies: &crate::rules::Applies, place: Place) -> bool {
        applies.from_ns <= self.time_ns
            && self.time_ns < applies.until_ns
            && applies.region.contains(place, self.groups_ns)
    }

    fn ids(&self, clauses: &[ClauseRef]) -> Vec<String> {
        let mut ids: Vec<String> = clauses
            .iter()
            .map(|clause| self.rules.clause(*clause).id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

/// The last moment of a version: just before the next one, or, of the latest,
/// when all of its clauses are in force.
fn last_moment(rules: &Ruleset, policy: &Policy) -> i64 {
    let next = rules
        .policies()
        .filter(|other| {
            other.family() == policy.family() && other.effective_ns() > policy.effective_ns()
        })
        .map(Policy::effective_ns)
        .min();
    if let Some(next) = next {
        return next - 1;
    }
    let dates = policy.pack().file.clause.iter();
    let dates = dates.filter_map(|raw| raw.get_ref().from.map(crate::pack::Day::start_ns));
    dates.fold(policy.effective_ns(), i64::max)
}

/// What makes two findings of different places the same difference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    topic: Topic,
    term: Option<Term>,
    name: String,
    change: Change,
    before: String,
    after: String,
    clauses_before: Vec<ClauseRef>,
    clauses_after: Vec<ClauseRef>,
}

/// Differences by what they say, each with the classes of places.
#[derive(Default)]
struct Found(BTreeMap<Key, BTreeSet<usize>>);

impl Found {
    fn add(&mut self, class: usize, key: Key) {
        self.0.entry(key).or_default().insert(class);
    }

    fn into_differences(
        self,
        before: &Side<'_>,
        after: &Side<'_>,
        classes: &Classes,
    ) -> Vec<(Option<Term>, Difference)> {
        let differences = self.0.into_iter().map(|(key, of)| {
            let (whom, places) = classes.describe(&of);
            let difference = Difference {
                topic: key.topic,
                label: key
                    .term
                    .map_or_else(|| key.name.clone(), |term| term.label().to_owned()),
                term: key
                    .term
                    .map(|term| term.curie().to_owned())
                    .unwrap_or_default(),
                change: key.change,
                whom,
                places,
                before: key.before,
                after: key.after,
                clauses_before: before.ids(&key.clauses_before),
                clauses_after: after.ids(&key.clauses_after),
                narrower: 0,
            };
            (key.term, difference)
        });
        differences.collect()
    }
}

/// Purposes, categories and recipients, term by term.
fn by_term(found: &mut Found, class: usize, place: Place, before: &Side<'_>, after: &Side<'_>) {
    for (topic, field) in [
        (Topic::Category, Field::Category),
        (Topic::Purpose, Field::Purpose),
        (Topic::Recipient, Field::Recipient),
    ] {
        for term in Vocabulary::builtin().terms(field) {
            let old = standing(before, topic, term, place);
            let new = standing(after, topic, term, place);
            let Some(change) = Standing::change(old.as_ref(), new.as_ref()) else {
                continue;
            };
            let text = |side: &Side<'_>, standing: Option<&Standing>| {
                standing.map_or_else(|| "not declared".to_owned(), |standing| standing.text(side))
            };
            let clauses = |standing: Option<&Standing>| {
                standing.map(|it| it.clauses.clone()).unwrap_or_default()
            };
            let key = Key {
                topic,
                term: Some(term),
                name: String::new(),
                change,
                before: text(before, old.as_ref()),
                after: text(after, new.as_ref()),
                clauses_before: clauses(old.as_ref()),
                clauses_after: clauses(new.as_ref()),
            };
            found.add(class, key);
        }
    }
}

/// Leaves out a term where a broader one changed in the same way.
fn without_narrower(mut all: Vec<(Option<Term>, Difference)>) -> Vec<Difference> {
    let same = |a: &Difference, b: &Difference| {
        a.topic == b.topic
            && a.change == b.change
            && a.places == b.places
            && a.before == b.before
            && a.after == b.after
            && a.clauses_before == b.clauses_before
            && a.clauses_after == b.clauses_after
    };
    let above: Vec<Option<usize>> = all
        .iter()
        .map(|(term, difference)| {
            let term = (*term)?;
            // The broadest: one that nothing else is above.
            all.iter().position(|(other, broader)| {
                other.is_some_and(|other| {
                    other != term
                        && Vocabulary::builtin().covers(other, term)
                        && same(broader, difference)
                        && !all.iter().any(|(top, broadest)| {
                            top.is_some_and(|top| {
                                top != other
                                    && Vocabulary::builtin().covers(top, other)
                                    && same(broadest, difference)
                            })
                        })
                })
            })
        })
        .collect();
    for index in above.iter().flatten() {
        all[*index].1.narrower += 1;
    }
    let mut kept: Vec<Difference> = all
        .into_iter()
        .zip(above)
        .filter(|(_, above)| above.is_none())
        .map(|((_, difference), _)| difference)
        .collect();
    kept.sort_by(|a, b| {
        (a.topic, a.change, &a.term, &a.label, &a.whom)
            .cmp(&(b.topic, b.change, &b.term, &b.label, &b.whom))
    });
    kept
}

#[cfg(test)]
mod tests;
