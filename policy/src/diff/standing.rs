//! What a version says of one term for persons in one place.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::{Change, Side, Topic};
use crate::field::Field;
use crate::pack::VersioningRule;
use crate::place::Place;
use crate::rules::{Rule, RuleSet, Rules, TermSet};
use crate::term::Term;
use crate::verdict::ClauseRef;
use crate::vocabulary::Vocabulary;

const ROLES: [&str; 8] = [
    "buyer", "seller", "member", "visitor", "customer", "end_user", "employee", "other",
];

/// A term that is declared, and on which conditions. Of several clauses that
/// declare it each is enough, so that a condition binds where all have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) clauses: Vec<ClauseRef>,
    /// 0: none; 1: also an implied one does; 2: explicit.
    consent: u8,
    /// Bases that stand in for consent.
    unless: BTreeSet<&'static str>,
    /// `None`: everybody.
    roles: Option<BTreeSet<&'static str>>,
    anonymised: bool,
    /// Of a category that the service does not take itself.
    only_to: Option<BTreeSet<&'static str>>,
    /// What it goes with; `None`: everything.
    with: Option<BTreeSet<String>>,
    /// The bases of a closed list; `None`: any.
    bases: Option<BTreeSet<String>>,
    /// Data from before this version needs consent.
    asks_first: bool,
}

/// What a version says of a term; `None` where it does not declare it.
pub(super) fn standing(
    side: &Side<'_>,
    topic: Topic,
    term: Term,
    place: Place,
) -> Option<Standing> {
    let tables = side.tables();
    let (rules, others): (&Rules, &Rules) = match topic {
        Topic::Category => (&tables.categories, &tables.purposes),
        Topic::Purpose => (&tables.purposes, &tables.categories),
        _ => (&tables.recipients, &tables.purposes),
    };
    let deciding = deciding(side, rules, term, place);
    if deciding.is_empty() {
        return None;
    }
    let consents = deciding.iter().map(|rule| consent(side, rule, term, place));
    let (consent, unless) = consents.min_by_key(|(level, _)| *level).unwrap_or_default();
    let closed = tables
        .bases_closed
        .as_ref()
        .is_some_and(|region| region.contains(place, side.groups_ns));
    let codes = |set: &RuleSet, of: &[Rule]| -> BTreeSet<String> {
        let rules = set.0.iter().map(|number| &of[usize::from(*number)]);
        rules.map(|rule| name(side, rule)).collect()
    };
    let promises = tables
        .versioning
        .iter()
        .any(|it| it.what == VersioningRule::ConsentIfReduced && side.holds(&it.applies, place));
    Some(Standing {
        clauses: deciding.iter().map(|rule| rule.clause).collect(),
        consent,
        unless,
        roles: all_limit(&deciding, |rule| {
            (rule.roles != 0).then(|| {
                let said = (1u16..).zip(ROLES);
                said.filter(|(bit, _)| rule.roles >> bit & 1 == 1)
                    .map(|(_, role)| role)
                    .collect()
            })
        }),
        anonymised: deciding.iter().all(|rule| rule.anonymised),
        only_to: all_limit(&deciding, |rule| {
            let to = rule.only_to.as_ref()?;
            Some(broadest(Field::Recipient, to))
        }),
        with: all_limit(&deciding, |rule| {
            rule.with.as_ref().map(|with| codes(with, &others.rules))
        }),
        bases: if closed && topic == Topic::Purpose {
            all_limit(&deciding, |rule| {
                let bases = rule.bases.as_ref()?;
                let numbers = bases
                    .0
                    .iter()
                    .map(|number| &tables.bases[usize::from(*number)]);
                let named = numbers.filter(|basis| side.holds(&basis.applies, place));
                Some(
                    named
                        .flat_map(|basis| broadest(Field::LegalBasis, &basis.covers))
                        .map(str::to_owned)
                        .collect(),
                )
            })
        } else {
            None
        },
        asks_first: promises && topic != Topic::Category && deciding.iter().all(|r| r.weakens),
    })
}

/// The rules that decide about a term, as the judge takes them: the clause
/// whose code it is, else all that cover it.
fn deciding<'a>(side: &Side<'_>, rules: &'a Rules, term: Term, place: Place) -> Vec<&'a Rule> {
    let covering: Vec<&Rule> = rules
        .rules
        .iter()
        .filter(|rule| rule.covers.contains(term) && side.holds(&rule.applies, place))
        .collect();
    if covering.iter().any(|rule| rule.code == Some(term)) {
        covering
            .into_iter()
            .filter(|rule| rule.code == Some(term))
            .collect()
    } else {
        covering
    }
}

fn consent(side: &Side<'_>, rule: &Rule, term: Term, place: Place) -> (u8, BTreeSet<&'static str>) {
    let Some(consent) = &rule.consent else {
        return Default::default();
    };
    let of_term = consent
        .terms
        .as_ref()
        .is_none_or(|terms| terms.contains(term));
    if !of_term || !consent.region.contains(place, side.groups_ns) {
        return Default::default();
    }
    let unless = broadest(Field::LegalBasis, &consent.unless);
    (1 + u8::from(consent.explicit), unless)
}

/// What all rules allow together; `None` where one sets no limit.
fn all_limit<T: Ord>(
    rules: &[&Rule],
    limit: impl Fn(&Rule) -> Option<BTreeSet<T>>,
) -> Option<BTreeSet<T>> {
    let limits: Option<Vec<BTreeSet<T>>> = rules.iter().map(|rule| limit(rule)).collect();
    Some(limits?.into_iter().flatten().collect())
}

/// The terms of a set that no other one of it is above.
pub(super) fn broadest(field: Field, set: &TermSet) -> BTreeSet<&'static str> {
    let vocabulary = Vocabulary::builtin();
    let terms: Vec<Term> = vocabulary
        .terms(field)
        .filter(|t| set.contains(*t))
        .collect();
    let below = |term: &Term| {
        terms
            .iter()
            .any(|other| other != term && vocabulary.covers(*other, *term))
    };
    terms
        .iter()
        .filter(|term| !below(term))
        .map(|term| term.curie())
        .collect()
}

/// What a rule is called in a tie: its code, or its clause.
fn name(side: &Side<'_>, rule: &Rule) -> String {
    match rule.code {
        Some(code) => code.curie().to_owned(),
        None => side.rules.clause(rule.clause).id.clone(),
    }
}

/// How the second of two limits stands to the first; `None` where neither
/// contains the other.
pub(super) fn limits<T: Ord>(
    before: Option<&BTreeSet<T>>,
    after: Option<&BTreeSet<T>>,
) -> Option<Ordering> {
    match (before, after) {
        (None, None) => Some(Ordering::Equal),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(_), None) => Some(Ordering::Less),
        (Some(before), Some(after)) if before == after => Some(Ordering::Equal),
        (Some(before), Some(after)) if after.is_subset(before) => Some(Ordering::Greater),
        (Some(before), Some(after)) if after.is_superset(before) => Some(Ordering::Less),
        _ => None,
    }
}

/// The change that several conditions make together. `Greater` is stricter.
pub(super) fn together(parts: &[Option<Ordering>]) -> Option<Change> {
    let has = |wanted: Option<Ordering>| parts.contains(&wanted);
    let (stricter, looser) = (has(Some(Ordering::Greater)), has(Some(Ordering::Less)));
    match (stricter, looser, has(None)) {
        (false, false, false) => None,
        (true, false, false) => Some(Change::Stricter),
        (false, true, false) => Some(Change::Looser),
        _ => Some(Change::Different),
    }
}

impl Standing {
    pub(super) fn change(before: Option<&Self>, after: Option<&Self>) -> Option<Change> {
        let (before, after) = match (before, after) {
            (None, None) => return None,
            (None, Some(_)) => return Some(Change::Permitted),
            (Some(_), None) => return Some(Change::Forbidden),
            (Some(before), Some(after)) => (before, after),
        };
        let unless = if before.consent == after.consent {
            // More bases in place of consent: looser.
            limits(Some(&after.unless), Some(&before.unless))
        } else {
            Some(Ordering::Equal)
        };
        together(&[
            Some(after.consent.cmp(&before.consent)),
            unless,
            limits(before.roles.as_ref(), after.roles.as_ref()),
            Some(after.anonymised.cmp(&before.anonymised)),
            limits(before.only_to.as_ref(), after.only_to.as_ref()),
            limits(before.with.as_ref(), after.with.as_ref()),
            limits(before.bases.as_ref(), after.bases.as_ref()),
        ])
    }

    pub(super) fn text(&self, side: &Side<'_>) -> String {
        let mut parts = Vec::new();
        let unless = |kind: &str| {
            if self.unless.is_empty() {
                format!("with {kind}")
            } else {
                format!("with {kind}, or on {}", list(&self.unless))
            }
        };
        match self.consent {
            0 => {}
            1 => parts.push(unless("consent")),
            _ => parts.push(unless("explicit consent")),
        }
        if let Some(roles) = &self.roles {
            parts.push(format!("for {}", list(roles)));
        }
        if self.anonymised {
            parts.push("anonymised".to_owned());
        }
        if let Some(only_to) = &self.only_to {
            parts.push(format!("to {}", list(only_to)));
        }
        if let Some(with) = &self.with {
            parts.push(format!("with {}", list(with)));
        }
        if let Some(bases) = &self.bases {
            parts.push(format!("on {}", list(bases)));
        }
        if self.asks_first {
            parts.push(format!("older data than {} with consent", side.policy.id()));
        }
        if parts.is_empty() {
            "declared".to_owned()
        } else {
            format!("declared, only {}", parts.join("; "))
        }
    }
}

fn list<T: AsRef<str>>(items: &BTreeSet<T>) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    }
}
