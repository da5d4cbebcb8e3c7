//! What is not about one term of a purpose, a category or a recipient.

use std::collections::{BTreeMap, BTreeSet};

use super::standing::{broadest, limits, together};
use super::{Change, Found, Key, Side, Topic};
use crate::field::Field;
use crate::law::{self, Mechanism};
use crate::pack::VersioningRule;
use crate::place::{Place, Region};
use crate::rules::{Applies, Tables};
use crate::term::Term;
use crate::verdict::ClauseRef;
use crate::vocabulary::Vocabulary;

const ORIGINS: [&str; 5] = ["subject", "device", "third_party", "public", "inferred"];

/// One thing that a version says, with the clauses that say it.
type Said<T> = (T, Vec<ClauseRef>);

/// A list of what alone is allowed, or `None` for anything.
type Limit = Option<BTreeSet<String>>;

/// Where differences of one class of places go.
struct Here<'f, 's> {
    found: &'f mut Found,
    class: usize,
    place: Place,
    sides: [&'s Side<'s>; 2],
}

/// Whether both versions are for persons there. Where one is not, that is the
/// difference, and nothing else is compared.
pub(super) fn scope(
    found: &mut Found,
    class: usize,
    place: Place,
    before: &Side<'_>,
    after: &Side<'_>,
) -> bool {
    let excluded = |side: &Side<'_>| -> Vec<ClauseRef> {
        let rules = side.tables().exclusions.iter();
        rules
            .filter(|rule| rule.recipients.is_none() && side.holds(&rule.applies, place))
            .map(|rule| rule.clause)
            .collect()
    };
    let (old, new) = (excluded(before), excluded(after));
    if old.is_empty() != new.is_empty() {
        let text = |clauses: &[ClauseRef]| match clauses.is_empty() {
            true => "the policy applies".to_owned(),
            false => "no policy".to_owned(),
        };
        let key = Key {
            topic: Topic::Scope,
            term: None,
            name: "persons".to_owned(),
            change: Change::Different,
            before: text(&old),
            after: text(&new),
            clauses_before: old.clone(),
            clauses_after: new.clone(),
        };
        found.add(class, key);
    }
    old.is_empty() && new.is_empty()
}

pub(super) fn differences(
    found: &mut Found,
    class: usize,
    place: Place,
    before: &Side<'_>,
    after: &Side<'_>,
) {
    let mut here = Here {
        found,
        class,
        place,
        sides: [before, after],
    };
    here.excluded_recipients();
    here.controllers();
    here.origins();
    here.bases();
    here.places();
    here.safeguards();
    here.promises();
    here.versioning();
}

impl Here<'_, '_> {
    fn both<T>(&self, say: impl Fn(&Side<'_>, Place) -> T) -> (T, T) {
        let [before, after] = self.sides;
        (say(before, self.place), say(after, self.place))
    }

    fn add(
        &mut self,
        (topic, term, name): (Topic, Option<Term>, &str),
        change: Change,
        before: Said<String>,
        after: Said<String>,
    ) {
        let key = Key {
            topic,
            term,
            name: name.to_owned(),
            change,
            before: before.0,
            after: after.0,
            clauses_before: before.1,
            clauses_after: after.1,
        };
        self.found.add(self.class, key);
    }

    /// Something that a version says or does not say.
    fn flag(
        &mut self,
        about: (Topic, Option<Term>, &str),
        (old, new): (Said<bool>, Said<bool>),
        (added, removed): (Change, Change),
        (yes, no): (&str, &str),
    ) {
        if old.0 == new.0 {
            return;
        }
        let change = if new.0 { added } else { removed };
        let text = |said: bool| if said { yes } else { no }.to_owned();
        self.add(about, change, (text(old.0), old.1), (text(new.0), new.1));
    }

    /// A list of what alone is allowed.
    fn limit(&mut self, about: (Topic, Option<Term>, &str), said: (Said<Limit>, Said<Limit>)) {
        let (old, new) = said;
        if let Some(change) = together(&[limits(old.0.as_ref(), new.0.as_ref())]) {
            self.add(about, change, shown(old), shown(new));
        }
    }

    fn excluded_recipients(&mut self) {
        let of = |side: &Side<'_>, place| -> BTreeMap<&'static str, Vec<ClauseRef>> {
            let mut of: BTreeMap<&'static str, Vec<ClauseRef>> = BTreeMap::new();
            for rule in &side.tables().exclusions {
                if let (Some(set), true) = (&rule.recipients, side.holds(&rule.applies, place)) {
                    for term in broadest(Field::Recipient, set) {
                        of.entry(term).or_default().push(rule.clause);
                    }
                }
            }
            of
        };
        let (old, new) = self.both(of);
        let all: BTreeSet<&'static str> = old.keys().chain(new.keys()).copied().collect();
        for curie in all {
            let term = Vocabulary::builtin().resolve_quietly(Field::Recipient, curie);
            let said = |of: &BTreeMap<&'static str, Vec<ClauseRef>>| {
                (
                    of.contains_key(curie),
                    of.get(curie).cloned().unwrap_or_default(),
                )
            };
            self.flag(
                (Topic::Scope, term, ""),
                (said(&old), said(&new)),
                (Change::Different, Change::Different),
                (
                    "disclosures there are outside the policy",
                    "the policy applies",
                ),
            );
        }
        let processors = |side: &Side<'_>, _| {
            let tables = side.tables();
            (tables.processor_excluded, tables.processor_clauses.clone())
        };
        let said = self.both(processors);
        self.flag(
            (Topic::Scope, None, "what is done on behalf of others"),
            said,
            (Change::Different, Change::Different),
            ("outside the policy", "the policy applies"),
        );
    }

    fn controllers(&mut self) {
        let said = self.both(|side, place| -> Said<Limit> {
            let mut rules = side.tables().controllers.iter();
            match rules.find(|rule| side.holds(&rule.applies, place)) {
                Some(rule) => (Some(rule.ids.iter().cloned().collect()), vec![rule.clause]),
                None => (None, Vec::new()),
            }
        });
        self.limit((Topic::Controller, None, "the controller"), said);
    }

    fn origins(&mut self) {
        for (bit, origin) in (1u8..).zip(ORIGINS) {
            let said = self.both(|side, place| {
                let rules = side.tables().origins.iter();
                let clauses: Vec<ClauseRef> = rules
                    .filter(|rule| rule.origins >> bit & 1 == 1 && side.holds(&rule.applies, place))
                    .map(|rule| rule.clause)
                    .collect();
                (!clauses.is_empty(), clauses)
            });
            self.flag(
                (Topic::Origin, None, origin),
                said,
                (Change::Permitted, Change::Forbidden),
                ("declared", "not declared"),
            );
        }
    }

    fn bases(&mut self) {
        for term in Vocabulary::builtin().terms(Field::LegalBasis) {
            let said = self.both(|side, place| {
                let rules = side.tables().bases.iter();
                let clauses: Vec<ClauseRef> = rules
                    .filter(|rule| rule.covers.contains(term) && side.holds(&rule.applies, place))
                    .map(|rule| rule.clause)
                    .collect();
                (!clauses.is_empty(), clauses)
            });
            self.flag(
                (Topic::Basis, Some(term), ""),
                said,
                (Change::Permitted, Change::Forbidden),
                ("named", "not named"),
            );
        }
        self.required(Topic::Basis, "a legal basis for each act", |tables| {
            tables.basis_required.as_ref()
        });
        self.required(
            Topic::Basis,
            "a basis of the purpose's own list",
            |tables| tables.bases_closed.as_ref(),
        );
    }

    /// Something that the head asks for in a region.
    fn required(&mut self, topic: Topic, name: &str, region: impl Fn(&Tables) -> Option<&Region>) {
        let said = self.both(|side, place| {
            let asked = region(side.tables()).is_some_and(|it| it.contains(place, side.groups_ns));
            (asked, Vec::new())
        });
        self.flag(
            (topic, None, name),
            said,
            (Change::Stricter, Change::Looser),
            ("required", "not required"),
        );
    }

    fn places(&mut self) {
        let said = self.both(|side, place| -> Said<Limit> {
            let in_time = |applies: &Applies| side.holds(applies, place);
            let rules = side
                .tables()
                .storage
                .iter()
                .filter(|rule| in_time(&rule.applies));
            let close = |applies: &Applies| applies.region.specificity(place, side.groups_ns);
            let Some(closest) = rules.clone().filter_map(|rule| close(&rule.applies)).max() else {
                return (None, Vec::new());
            };
            let binding = rules.filter(|rule| close(&rule.applies) == Some(closest));
            let countries = binding.clone().flat_map(|rule| &rule.countries);
            (
                Some(countries.map(|country| country.code().to_owned()).collect()),
                binding.map(|rule| rule.clause).collect(),
            )
        });
        self.limit((Topic::Storage, None, "where data is kept"), said);

        let of = |side: &Side<'_>, place| -> BTreeMap<String, Said<Limit>> {
            let mut of: BTreeMap<String, Said<Limit>> = BTreeMap::new();
            for rule in &side.tables().destinations {
                if rule.closed && side.holds(&rule.applies, place) {
                    let to: Vec<&str> = broadest(Field::Recipient, &rule.recipients)
                        .into_iter()
                        .collect();
                    let said = of.entry(to.join(", ")).or_default();
                    let countries = rule.countries.iter().map(|place| place.code().to_owned());
                    said.0.get_or_insert_default().extend(countries);
                    said.1.push(rule.clause);
                }
            }
            of
        };
        let (old, new) = self.both(of);
        let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for to in all {
            let name = if to.is_empty() {
                "where data goes".to_owned()
            } else {
                format!("where data goes with {to}")
            };
            let said = |of: &BTreeMap<String, Said<Limit>>| of.get(to).cloned().unwrap_or_default();
            self.limit((Topic::Destination, None, &name), (said(&old), said(&new)));
        }
    }

    fn safeguards(&mut self) {
        self.required(
            Topic::Safeguard,
            "a mechanism for data that leaves",
            |tables| tables.safeguard_required.as_ref(),
        );
        let (old, new) = self.both(|side, place| {
            let region = side.tables().safeguard_required.as_ref();
            region.is_some_and(|region| region.contains(place, side.groups_ns))
        });
        if !old || !new {
            return;
        }
        for term in Vocabulary::builtin().terms(Field::Safeguard) {
            let said = self.both(|side, place| -> Said<bool> {
                let rules = side.tables().safeguards.iter();
                let named: Vec<_> = rules
                    .filter(|rule| rule.covers.contains(term) && side.holds(&rule.applies, place))
                    .collect();
                let clauses = named.iter().map(|rule| rule.clause).collect();
                let counts = match named.first() {
                    Some(rule) => rule.counts,
                    None => {
                        let mechanism = law::mechanism(term);
                        !term.is_local()
                            && matches!(mechanism, Mechanism::Safeguard | Mechanism::Derogation)
                    }
                };
                (counts, clauses)
            });
            self.flag(
                (Topic::Safeguard, Some(term), ""),
                said,
                (Change::Permitted, Change::Forbidden),
                ("data may leave on it", "no mechanism"),
            );
        }
    }

    fn promises(&mut self) {
        let strict = (Change::Stricter, Change::Looser);
        let said = self.both(|side, place| {
            singles(side, place, &side.tables().minors, |takes_none| *takes_none)
        });
        let words = ("takes none", "does not say that it takes none");
        self.flag(
            (Topic::Minors, None, "data of people under 18"),
            said,
            strict,
            words,
        );
        let said = self.both(|side, place| singles(side, place, &side.tables().no_sale, |()| true));
        let words = ("promises not to sell", "no promise not to sell");
        self.flag((Topic::Sale, None, "selling data"), said, strict, words);
        let said =
            self.both(|side, place| singles(side, place, &side.tables().retention, |_| true));
        let words = ("the operator's period runs", "no period runs");
        self.flag(
            (Topic::Retention, None, "after an account is closed"),
            said,
            strict,
            words,
        );
    }

    fn versioning(&mut self) {
        for (rule, name, strict) in [
            (
                VersioningRule::Retroactive,
                "the latest version governs earlier data",
                false,
            ),
            (
                VersioningRule::EffectiveOnPosting,
                "in force when posted",
                false,
            ),
            (
                VersioningRule::ConsentIfReduced,
                "asks before weaker terms govern earlier data",
                true,
            ),
            (
                VersioningRule::ConsentIfRequired,
                "asks where the law requires it",
                false,
            ),
            (VersioningRule::Notice, "tells of changes", false),
        ] {
            let said = self.both(|side, place| {
                singles(side, place, &side.tables().versioning, |what| *what == rule)
            });
            let changes = match strict {
                true => (Change::Stricter, Change::Looser),
                false => (Change::Different, Change::Different),
            };
            self.flag(
                (Topic::Versioning, None, name),
                said,
                changes,
                ("said", "not said"),
            );
        }
    }
}

/// Whether a clause with one more thing to say says it.
fn singles<T>(
    side: &Side<'_>,
    place: Place,
    all: &[crate::rules::Single<T>],
    says: impl Fn(&T) -> bool,
) -> Said<bool> {
    let clauses: Vec<ClauseRef> = all
        .iter()
        .filter(|single| says(&single.what) && side.holds(&single.applies, place))
        .map(|single| single.clause)
        .collect();
    (!clauses.is_empty(), clauses)
}

fn shown((limit, clauses): Said<Limit>) -> Said<String> {
    let text = match limit {
        None => "any".to_owned(),
        Some(items) => items.into_iter().collect::<Vec<_>>().join(", "),
    };
    (text, clauses)
}
