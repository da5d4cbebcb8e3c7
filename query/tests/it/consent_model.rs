//! What a person consented to and stopped, against a plain model: of each scope
//! everything that was ever said about it, read from its end.

use std::collections::BTreeSet;

use custody_ledger::Kind;
use custody_policy::{Field, Term, Vocabulary};
use custody_proto::{Timestamp, v1};

use crate::entry_model::position;
use crate::oracle::{Oracle, Question};
use crate::payload::Said;
use crate::person_model::{Whose, assert_same};
use crate::world::{Fact, SECOND, START, World};

/// A scope that was spoken of: a term, and the recipients that it is limited to.
type Scope = (String, BTreeSet<&'static str>);

const FIELDS: [Field; 3] = [Field::Purpose, Field::Category, Field::Recipient];

/// As the vocabulary has it in one of the fields that a scope may be of.
fn terms(text: &str) -> Vec<Term> {
    let vocabulary = Vocabulary::builtin();
    let found = FIELDS.map(|field| vocabulary.resolve(field, text).ok());
    found.into_iter().flatten().collect()
}

fn is_within(narrow: &str, broad: &str) -> bool {
    FIELDS.iter().any(|field| {
        let resolve = |text| Vocabulary::builtin().resolve(*field, text);
        match (resolve(broad), resolve(narrow)) {
            (Ok(broad), Ok(narrow)) => Vocabulary::builtin().covers(broad, narrow),
            _ => false,
        }
    })
}

/// Something that was said, with the fact that has it.
struct Statement<'a> {
    fact: &'a Fact,
    said: &'a Said,
    given: bool,
    scope: Scope,
}

impl<'a> Statement<'a> {
    fn of(fact: &'a Fact) -> Option<Self> {
        let said = fact.draft.as_ref()?.said.as_ref()?;
        let (text, recipients) = match said {
            Said::Consent {
                scope, recipients, ..
            } => (scope, recipients.clone()),
            Said::Objection { scope, .. } => (scope, Vec::new()),
        };
        let term = terms(text)[0].curie().to_owned();
        Some(Self {
            fact,
            said,
            given: fact.entry.kind() == Some(Kind::ConsentGiven),
            scope: (term, recipients.into_iter().collect()),
        })
    }

    /// Whether it speaks for a scope: for its term, which `covering` ones are
    /// or are broader than, and for all of its recipients.
    fn speaks_for(&self, (_, recipients): &Scope, covering: &BTreeSet<&str>) -> bool {
        let (mine, for_whom) = &self.scope;
        let for_them = !recipients.is_empty() && recipients.is_subset(for_whom);
        (for_whom.is_empty() || for_them) && covering.contains(mine.as_str())
    }

    fn is_stop(&self) -> bool {
        matches!(self.said, Said::Objection { .. })
    }

    fn ends(&self) -> Option<i64> {
        match self.said {
            Said::Consent { expires, .. } => expires.map(|at| START + at * SECOND),
            Said::Objection { .. } => None,
        }
    }

    fn has_expired(&self, moment: i64) -> bool {
        self.ends().is_some_and(|end| end <= moment)
    }
}

/// The consent or the withdrawal that stands at the end: one that has expired
/// does not undo an earlier one that has not.
fn standing<'a, 'b>(said: &[&'b Statement<'a>], moment: i64) -> Option<&'b Statement<'a>> {
    let (last, before) = said.split_last()?;
    if last.given && last.has_expired(moment) {
        let before = standing(before, moment);
        return before
            .filter(|it| it.given && !it.has_expired(moment))
            .or(Some(last));
    }
    Some(last)
}

pub(crate) fn check_consent(world: &World, whose: &Whose, question: &Question) {
    let mut answer = world
        .ask(v1::GetConsentStateRequest {
            subject: whose.subject.clone(),
            as_of: question.as_of,
            ..Default::default()
        })
        .unwrap();
    answer.head = None;
    let expected = consent(world, whose, question);
    assert_same(&answer.scopes, &expected.scopes);
    assert_same(&[answer], &[expected]);
}

fn consent(world: &World, whose: &Whose, question: &Question) -> v1::GetConsentStateResponse {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    let facts = oracle.standing(&question.everything());
    // Now, where no moment is asked for: behind what a test lets expire, but
    // for what does so when it is over.
    let now = START + 10 * 365 * 86_400 * SECOND;
    let moment = question.happened_until().min(now);
    let said = facts.iter().filter_map(|fact| Statement::of(fact));
    let said: Vec<Statement<'_>> = said.collect();
    let scopes: BTreeSet<Scope> = said.iter().map(|it| it.scope.clone()).collect();
    let states: Vec<_> = scopes
        .iter()
        .map(|scope| {
            let covering = said.iter().map(|it| it.scope.0.as_str());
            let covering: BTreeSet<&str> = covering.collect();
            let covering: BTreeSet<&str> = covering
                .into_iter()
                .filter(|broad| is_within(&scope.0, broad))
                .collect();
            let about = said.iter().filter(|it| it.speaks_for(scope, &covering));
            let about: Vec<&Statement<'_>> = about.collect();
            state(scope, &about, moment)
        })
        .collect();

    let of_kind = |kind| facts.iter().filter(move |it| it.entry.kind() == Some(kind));
    let restricted = of_kind(Kind::Restriction).next_back();
    let lifted = of_kind(Kind::RestrictionLifted).next_back();
    let restricted = restricted.filter(|since| {
        let time = since.entry.event_time_ns;
        lifted.is_none_or(|lifted| lifted.entry.event_time_ns < time)
    });
    let in_force = states.iter().filter(|it| it.state == "given");
    let stopped = states.iter().filter(|it| it.state == "stopped");
    v1::GetConsentStateResponse {
        consents: in_force
            .map(|it| v1::ConsentInForce {
                scope: it.scope.clone(),
                recipients: it.recipients.clone(),
                since: it.since,
                expires_at: it.until,
            })
            .collect(),
        objections: stopped.map(|it| it.scope.clone()).collect(),
        restricted: restricted.is_some(),
        head: None,
        restricted_since: restricted.map(|it| Timestamp::from_unix_nanos(it.entry.event_time_ns)),
        restricted_by: restricted.map(|it| position(it)),
        scopes: states,
    }
}

/// How a scope stands after everything that was said about it.
fn state(scope: &Scope, about: &[&Statement<'_>], moment: i64) -> v1::ScopeState {
    let last_consent = about.iter().rposition(|it| it.given);
    let last_stop = about.iter().rposition(|it| it.is_stop());
    let is_stopped = last_stop.is_some_and(|stop| last_consent.is_none_or(|it| it < stop));
    let decides = if is_stopped {
        about[last_stop.unwrap()]
    } else {
        let consents: Vec<_> = about.iter().filter(|it| !it.is_stop()).copied().collect();
        standing(&consents, moment).unwrap()
    };
    let time = decides.fact.entry.event_time_ns;
    let (state, since) = match (is_stopped, decides.given, decides.has_expired(moment)) {
        (true, ..) => ("stopped", time),
        (false, false, _) => ("withdrawn", time),
        (false, true, true) => ("expired", decides.ends().unwrap()),
        (false, true, false) => ("given", time),
    };
    let (method, by, how) = match decides.said {
        Said::Consent {
            method, given_by, ..
        } => (
            ["", "explicit", "implied"][*method],
            ["subject", "subject", "guardian", "other"][*given_by],
            "",
        ),
        Said::Objection { kind, by, .. } => (
            "",
            ["subject", "subject", "guardian"][*by],
            ["", "opt_out", "objection"][*kind],
        ),
    };
    v1::ScopeState {
        scope: scope.0.clone(),
        state: state.to_owned(),
        recipients: scope.1.iter().map(|id| (*id).to_owned()).collect(),
        since: Some(Timestamp::from_unix_nanos(since)),
        until: decides
            .ends()
            .filter(|_| state == "given")
            .map(Timestamp::from_unix_nanos),
        entry: Some(position(decides.fact)),
        method: method.to_owned(),
        expressed_by: by.to_owned(),
        stopped_as: how.to_owned(),
        service: "shop.example".to_owned(),
    }
}
