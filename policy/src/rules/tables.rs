//! The tables that the judge looks things up in.

use smallvec::SmallVec;

use super::termset::TermSet;
use crate::facts::{Facts, ScopeTerm};
use crate::pack::{RetentionTrigger, VersioningRule};
use crate::place::{Place, Region, Specificity};
use crate::term::Term;
use crate::verdict::ClauseRef;

/// To whom and when a clause applies.
#[derive(Clone, Debug)]
pub(crate) struct Applies {
    pub(crate) region: Region,
    pub(crate) from_ns: i64,
    pub(crate) until_ns: i64,
}

impl Applies {
    /// Whether it applies to the event's person at the event's time.
    pub(crate) fn to(&self, facts: &Facts<'_>) -> bool {
        self.at(facts.time_ns)
            && (self.region.is_everywhere()
                || self
                    .region
                    .contains_known(facts.jurisdiction, facts.time_ns))
    }

    /// How closely it names the event's person.
    pub(crate) fn specificity(&self, facts: &Facts<'_>) -> Option<Specificity> {
        if !self.at(facts.time_ns) {
            return None;
        }
        match facts.jurisdiction {
            Some(place) => self.region.specificity(place, facts.time_ns),
            None => self
                .region
                .contains_known(None, facts.time_ns)
                .then_some(Specificity::Everywhere),
        }
    }

    fn at(&self, time_ns: i64) -> bool {
        self.from_ns <= time_ns && time_ns < self.until_ns
    }
}

/// When a clause needs consent.
#[derive(Clone, Debug)]
pub(crate) struct ConsentRule {
    pub(crate) region: Region,
    pub(crate) explicit: bool,
    /// Bases that stand in for it.
    pub(crate) unless: TermSet,
    /// Only for these terms; `None` for all.
    pub(crate) terms: Option<TermSet>,
    /// Further clauses that say so.
    pub(crate) clauses: Vec<ClauseRef>,
}

impl ConsentRule {
    /// Whether consent is needed for this term of the event.
    pub(crate) fn asks(&self, facts: &Facts<'_>, term: Option<Term>) -> bool {
        let of_term = match (&self.terms, term) {
            (None, _) => true,
            (Some(terms), Some(term)) => terms.contains(term),
            (Some(_), None) => false,
        };
        of_term
            && (self.region.is_everywhere()
                || self
                    .region
                    .contains_known(facts.jurisdiction, facts.time_ns))
            && !facts
                .legal_basis
                .is_some_and(|basis| self.unless.contains(basis))
    }
}

/// A set of rules by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSet(pub(crate) Vec<u16>);

impl RuleSet {
    pub(crate) fn contains(&self, rule: u16) -> bool {
        self.0.binary_search(&rule).is_ok()
    }
}

/// A clause that declares a purpose, a category or a recipient.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    /// The term of its code.
    pub(crate) code: Option<Term>,
    pub(crate) covers: TermSet,
    pub(crate) consent: Option<ConsentRule>,
    /// A bit for each role; 0 for all.
    pub(crate) roles: u16,
    pub(crate) anonymised: bool,
    pub(crate) weakens: bool,
    /// Of a category: it goes with every purpose, whatever a purpose lists.
    pub(crate) any_purpose: bool,
    pub(crate) retained: bool,
    /// Of a category: it is declared for a disclosure to these only.
    pub(crate) only_to: Option<TermSet>,
    /// Of a category or a recipient: the purposes that it goes with. Of a
    /// purpose: the categories.
    pub(crate) with: Option<RuleSet>,
    /// Of a purpose: the bases that are listed.
    pub(crate) bases: Option<RuleSet>,
    /// Of a recipient: ids of organisations that the text names.
    pub(crate) parties: Vec<String>,
    /// Of a category: the same data as the version before called it.
    pub(crate) continues: TermSet,
}

/// Numbers of the rules that decide about one term.
pub(crate) type Deciding = SmallVec<[u16; 8]>;

/// The rules of one field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    /// By term number: the rules that cover it.
    pub(crate) by_term: Vec<Box<[u16]>>,
}

impl Rules {
    /// The rules that cover a term, wherever they apply.
    pub(crate) fn covering(&self, term: Term) -> impl Iterator<Item = &Rule> {
        self.by_term
            .get(term.index())
            .into_iter()
            .flat_map(|rules| rules.iter())
            .map(|number| &self.rules[usize::from(*number)])
    }

    /// The numbers of the rules that decide about a term: those whose code it
    /// is, else all that cover it.
    pub(crate) fn deciding(&self, term: Term, facts: &Facts<'_>) -> Deciding {
        let mut deciding = Deciding::new();
        let mut exact = false;
        let covering = self.by_term.get(term.index()).into_iter().flatten();
        for number in covering {
            let rule = &self.rules[usize::from(*number)];
            let is_code = rule.code == Some(term);
            if exact && !is_code || !rule.applies.to(facts) {
                continue;
            }
            if is_code && !exact {
                exact = true;
                deciding.clear();
            }
            deciding.push(*number);
        }
        deciding
    }

    /// The clauses of the rules that decide about a term.
    pub(crate) fn deciding_clauses(
        &self,
        term: Term,
        facts: &Facts<'_>,
    ) -> impl Iterator<Item = ClauseRef> {
        self.deciding(term, facts)
            .into_iter()
            .map(|number| self.rules[usize::from(number)].clause)
    }
}

/// A clause that names a basis.
#[derive(Clone, Debug)]
pub(crate) struct BasisRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) covers: TermSet,
    /// The use of the service is taken for it.
    pub(crate) implied: bool,
}

/// A clause that names countries.
#[derive(Clone, Debug)]
pub(crate) struct PlacesRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) countries: Vec<Place>,
    pub(crate) closed: bool,
    /// Of a closed list: it is closed for these and for no recipient; empty
    /// for all.
    pub(crate) recipients: TermSet,
}

impl PlacesRule {
    /// Whether a place is one of the countries, or in one.
    pub(crate) fn names(&self, place: Place) -> bool {
        self.countries.iter().any(|country| place.is_in(*country))
    }
}

/// For whom or what the policy is not.
#[derive(Clone, Debug)]
pub(crate) struct ExclusionRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    /// Disclosures to these; `None` for everything that it applies to.
    pub(crate) recipients: Option<TermSet>,
}

/// Who decides.
#[derive(Clone, Debug)]
pub(crate) struct ControllerRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) ids: Vec<String>,
}

/// Where data comes from: a bit an origin.
#[derive(Clone, Debug)]
pub(crate) struct OriginRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) origins: u8,
}

/// What a transfer rests on.
#[derive(Clone, Debug)]
pub(crate) struct SafeguardRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) covers: TermSet,
    pub(crate) counts: bool,
}

/// What a person may claim.
#[derive(Clone, Debug)]
pub(crate) struct RightRule {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) rights: Vec<Term>,
    pub(crate) stops: Vec<ScopeTerm>,
}

/// A clause with one more thing to say.
#[derive(Clone, Debug)]
pub(crate) struct Single<T> {
    pub(crate) clause: ClauseRef,
    pub(crate) applies: Applies,
    pub(crate) what: T,
}

/// Everything of one policy version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) processor_excluded: bool,
    pub(crate) processor_clauses: Vec<ClauseRef>,
    pub(crate) exclusions: Vec<ExclusionRule>,
    pub(crate) controllers: Vec<ControllerRule>,
    pub(crate) origins: Vec<OriginRule>,
    pub(crate) purposes: Rules,
    pub(crate) categories: Rules,
    pub(crate) recipients: Rules,
    pub(crate) bases: Vec<BasisRule>,
    pub(crate) storage: Vec<PlacesRule>,
    pub(crate) destinations: Vec<PlacesRule>,
    pub(crate) safeguards: Vec<SafeguardRule>,
    pub(crate) retention: Vec<Single<RetentionTrigger>>,
    pub(crate) rights: Vec<RightRule>,
    pub(crate) minors: Vec<Single<bool>>,
    pub(crate) no_sale: Vec<Single<()>>,
    pub(crate) versioning: Vec<Single<VersioningRule>>,
    pub(crate) breach: Vec<Single<()>>,
    /// Where each act needs a basis.
    pub(crate) basis_required: Option<Region>,
    /// Where the lists of bases are closed.
    pub(crate) bases_closed: Option<Region>,
    /// Whose data needs a mechanism to leave.
    pub(crate) safeguard_required: Option<Region>,
}

impl Tables {
    /// The clauses of a versioning rule.
    pub(crate) fn versioning(&self, rule: VersioningRule) -> impl Iterator<Item = ClauseRef> + '_ {
        self.versioning
            .iter()
            .filter(move |single| single.what == rule)
            .map(|single| single.clause)
    }
}
