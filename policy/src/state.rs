//! What is known of a person when an event is judged.
//!
//! A [`SubjectState`] is made from the person's own events, in the order in
//! which they arrived, and from the mark that the person may start with:
//! replaying them makes it again.
//! It holds what was said and when, not what follows from it: what is in
//! force is asked for a moment, so that an event that arrives late is judged
//! by its own time on what is known by then.

mod ask;
mod codec;

use std::collections::HashMap;

use custody_proto::event::{collection, objection, rights_response};
use smallvec::SmallVec;

use crate::facts::{EventKind, Facts, ScopeTerm};
use crate::term::Term;
use crate::verdict::EntryRef;
use crate::vocabulary::Vocabulary;

pub(crate) use ask::{ConsentAnswer, Erased, Focus};
pub use codec::StateError;

/// The latest collections of which the event's tag is remembered, for
/// `derived_from`. Older ones count as the category's oldest collection.
const TAGGED_COLLECTIONS: usize = 64;

/// Oldest collections kept for each category, so that one that is retracted
/// leaves another.
const OLDEST_COLLECTIONS: usize = 2;

/// Statements kept. Beyond it those that later ones of the same scope have
/// overtaken are dropped, then the earliest.
const STATEMENTS: usize = 256;

/// Bytes of party ids that statements may hold together, for the same reason.
const STATEMENT_BYTES: usize = 64 << 10;

/// Moments kept of each kind that only needs the latest ones.
const MOMENTS: usize = 64;

/// Erasures, and rights requests, kept.
const CLAIMS: usize = 256;

/// Retractions kept whose event had not come yet.
const RETRACTED: usize = 64;

const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// A person's tag of an event: keyed, so that it means nothing to others.
pub type Tag = [u8; 16];

/// Where what is learnt comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provenance<'a> {
    /// The entry.
    pub at: EntryRef,
    /// The event's tag.
    pub tag: Tag,
    /// The tag of the rights request that the event opens or answers.
    pub request: Option<Tag>,
    /// The tag of the event that this one retracts.
    pub retracts: Option<Tag>,
    /// Tags of the events that its data came from.
    pub parents: &'a [Tag],
}

/// What the person said about what may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementKind {
    Given,
    Withdrawn,
    OptedOut,
    Objected,
}

/// A consent, its withdrawal, an opt-out or an objection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    pub(crate) time_ns: i64,
    pub(crate) expires_ns: Option<i64>,
    pub(crate) explicit: bool,
    pub(crate) scope: SmallVec<[ScopeTerm; 4]>,
    /// Party ids; empty for everybody.
    pub(crate) recipients: Vec<String>,
    pub(crate) at: EntryRef,
    pub(crate) tag: Tag,
}

/// Something that happened at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) time_ns: i64,
    pub(crate) at: EntryRef,
    pub(crate) tag: Tag,
}

/// A service said that it erased its copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErasureClaim {
    pub(crate) moment: Moment,
    /// Empty where it was not said: every service.
    pub(crate) service: String,
    /// Empty for all categories.
    pub(crate) scope: SmallVec<[Term; 4]>,
}

/// When a category was collected first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstCollection {
    pub(crate) category: Term,
    pub(crate) moment: Moment,
}

/// A right that the person claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightsRequestState {
    /// The request's tag.
    pub request: Tag,
    /// Which right.
    pub right: Option<Term>,
    /// When it was made, nanoseconds since 1970 UTC.
    pub received_ns: i64,
    /// Where the person was, ISO 3166; empty where not said.
    pub jurisdiction: String,
    /// Whether the time to answer was extended.
    pub extended: bool,
    /// When it was answered.
    pub answered_ns: Option<i64>,
    /// The entry of the request.
    pub at: EntryRef,
    tag: Tag,
}

/// What is known of one person: made from the person's own events in the order
/// in which they arrived, and from the mark that the person may start
/// [with](Self::erased_on), so that replaying them makes it again. It holds what
/// was said and when; what is in force is asked for a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectState {
    statements: Vec<Statement>,
    restricted: Vec<Moment>,
    unrestricted: Vec<Moment>,
    erasures: Vec<ErasureClaim>,
    /// From when on the person counts as erased by everybody, because an
    /// identifier of theirs was somebody's who was erased then.
    marked_ns: Option<i64>,
    /// Collections from the person: they lift an erasure's mark.
    fresh: Vec<Moment>,
    closed: Vec<Moment>,
    /// Collections from the person for an account: they open it again.
    opened: Vec<Moment>,
    /// Since when the person is known to be under 18, and when that was
    /// corrected.
    minor: Vec<Moment>,
    adult: Vec<Moment>,
    first: Vec<FirstCollection>,
    /// The oldest comes first.
    collections: Vec<Moment>,
    /// Whether collections were dropped from the list above.
    collections_dropped: bool,
    requests: Vec<RightsRequestState>,
    /// Tags of events that were taken back before they came.
    retracted: Vec<Tag>,
    latest_ns: Option<i64>,
    /// Before this time something was forgotten.
    known_since_ns: Option<i64>,
}

impl SubjectState {
    /// What is known of a person who comes with an identifier of somebody who was
    /// erased on this day, in days since 1970-01-01 UTC: everybody has erased
    /// their data, from the day's first moment on. A mark tells no hour, so that
    /// what happened earlier on that day counts as after it. A collection from
    /// the person or a consent lifts it, as it does a service's claim.
    pub fn erased_on(day: i32) -> Self {
        let mut state = Self::default();
        state.mark_erased_on(day);
        state
    }

    /// The same of somebody of whom something is known already: of two days the
    /// later one counts, and what is known stays in the order in which it came.
    pub fn mark_erased_on(&mut self, day: i32) {
        let since_ns = i64::from(day).saturating_mul(DAY_NS);
        self.marked_ns = self.marked_ns.max(Some(since_ns));
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The latest time of an event that was taken in and is judged itself: an
    /// event before it is late.
    pub fn latest_ns(&self) -> Option<i64> {
        self.latest_ns
    }

    /// Since when everything is known, nanoseconds since 1970 UTC; `None`
    /// where nothing was forgotten. Events before it cannot be judged again:
    /// what was in force then may have been dropped.
    pub fn known_since_ns(&self) -> Option<i64> {
        self.known_since_ns
    }

    /// The rights that the person claimed, in the order of arrival.
    pub fn requests(&self) -> &[RightsRequestState] {
        &self.requests
    }

    /// When the account was closed, if it is closed at `time_ns`.
    pub fn account_closed(&self, time_ns: i64) -> Option<(i64, EntryRef)> {
        let asked = AsOf {
            time_ns,
            entry: None,
        };
        self.closed_as_of(asked)
    }

    pub(crate) fn closed_as_of(&self, asked: AsOf) -> Option<(i64, EntryRef)> {
        let closed = latest(&self.closed, asked)?;
        let opened = latest(&self.opened, asked);
        opened
            .is_none_or(|opened| opened.time_ns <= closed.time_ns)
            .then_some((closed.time_ns, closed.at))
    }

    /// Whether an event of this kind can alter what the judge says of other
    /// events of the person.
    pub fn changes_judgement(facts: &Facts<'_>) -> bool {
        match facts.kind {
            EventKind::ConsentGiven
            | EventKind::ConsentWithdrawn
            | EventKind::Objection
            | EventKind::Restriction
            | EventKind::RestrictionLifted
            | EventKind::Erasure
            | EventKind::Retraction
            | EventKind::AccountClosed
            | EventKind::Collection => true,
            EventKind::Rectification => true,
            EventKind::Use
            | EventKind::Disclosure
            | EventKind::Transfer
            | EventKind::Anonymisation
            | EventKind::RightsRequest
            | EventKind::RightsResponse
            | EventKind::Other => facts.minor,
        }
    }

    /// Takes in an event, after it was judged itself.
    pub fn apply(&mut self, facts: &Facts<'_>, from: Provenance<'_>) {
        if facts.kind.is_judged() {
            self.latest_ns = self.latest_ns.max(Some(facts.time_ns));
        }
        if self.retracted.contains(&from.tag) {
            return;
        }
        let moment = Moment {
            time_ns: facts.time_ns,
            at: from.at,
            tag: from.tag,
        };
        match facts.kind {
            EventKind::ConsentGiven => self.state(StatementKind::Given, facts, moment),
            EventKind::ConsentWithdrawn => self.state(StatementKind::Withdrawn, facts, moment),
            EventKind::Objection => {
                let kind = if facts.objection == Some(objection::Kind::OptOut) {
                    StatementKind::OptedOut
                } else {
                    StatementKind::Objected
                };
                self.state(kind, facts, moment);
            }
            EventKind::Restriction => {
                let horizon = keep_latest(&mut self.restricted, moment);
                self.forget_before(horizon);
            }
            EventKind::RestrictionLifted => {
                let horizon = keep_latest(&mut self.unrestricted, moment);
                self.forget_before(horizon);
            }
            EventKind::Erasure => self.erased(facts, moment),
            EventKind::AccountClosed => {
                let horizon = keep_latest(&mut self.closed, moment);
                self.forget_before(horizon);
            }
            EventKind::Collection => self.collect(facts, moment),
            EventKind::RightsRequest => self.requested(facts, from),
            EventKind::RightsResponse => self.responded(facts, from),
            EventKind::Retraction => {
                if let Some(tag) = from.retracts {
                    self.retract(tag);
                }
            }
            EventKind::Rectification => {
                if !facts.minor && !self.minor.is_empty() {
                    let horizon = keep_latest(&mut self.adult, moment);
                    self.forget_before(horizon);
                }
            }
            EventKind::Use
            | EventKind::Disclosure
            | EventKind::Transfer
            | EventKind::Anonymisation
            | EventKind::Other => {}
        }
        let asked = AsOf {
            time_ns: facts.time_ns,
            entry: None,
        };
        if facts.minor && self.minor(asked).is_none() {
            let horizon = keep_latest(&mut self.minor, moment);
            self.forget_before(horizon);
        }
    }

    /// Takes in what is known of another reference of the same person.
    pub fn merge(&mut self, other: &Self) {
        self.statements.extend_from_slice(&other.statements);
        self.statements.sort_by_key(|statement| statement.time_ns);
        for (mine, theirs) in [
            (&mut self.restricted, &other.restricted),
            (&mut self.unrestricted, &other.unrestricted),
            (&mut self.fresh, &other.fresh),
            (&mut self.closed, &other.closed),
            (&mut self.opened, &other.opened),
            (&mut self.minor, &other.minor),
            (&mut self.adult, &other.adult),
            (&mut self.collections, &other.collections),
        ] {
            mine.extend_from_slice(theirs);
            mine.sort_by_key(|moment| moment.time_ns);
        }
        self.erasures.extend_from_slice(&other.erasures);
        self.marked_ns = self.marked_ns.max(other.marked_ns);
        for first in &other.first {
            self.keep_first(*first);
        }
        self.requests.extend_from_slice(&other.requests);
        self.retracted.extend_from_slice(&other.retracted);
        self.collections_dropped |= other.collections_dropped;
        self.latest_ns = self.latest_ns.max(other.latest_ns);
        self.known_since_ns = self.known_since_ns.max(other.known_since_ns);
    }

    fn forget_before(&mut self, horizon_ns: Option<i64>) {
        self.known_since_ns = self.known_since_ns.max(horizon_ns);
    }

    fn erased(&mut self, facts: &Facts<'_>, moment: Moment) {
        self.erasures.push(ErasureClaim {
            moment,
            service: facts.service.to_owned(),
            scope: facts
                .scope
                .iter()
                .filter_map(|term| term.category)
                .collect(),
        });
        if self.erasures.len() > CLAIMS {
            // The earliest half goes: what was used since is judged by the
            // later ones.
            self.erasures.sort_by_key(|claim| claim.moment.time_ns);
            self.erasures.drain(..CLAIMS / 2);
            let horizon = self.erasures.first().map(|claim| claim.moment.time_ns);
            self.forget_before(horizon);
        }
    }

    fn state(&mut self, kind: StatementKind, facts: &Facts<'_>, moment: Moment) {
        self.statements.push(Statement {
            kind,
            time_ns: moment.time_ns,
            expires_ns: facts
                .consent
                .and_then(|consent| consent.expires_at)
                .and_then(|time| time.unix_nanos()),
            explicit: facts.is_explicit(),
            scope: facts.scope.clone(),
            recipients: facts
                .consent
                .map(|consent| consent.recipients.clone())
                .unwrap_or_default(),
            at: moment.at,
            tag: moment.tag,
        });
        let ids =
            |statement: &Statement| -> usize { statement.recipients.iter().map(String::len).sum() };
        let bytes: usize = self.statements.iter().map(ids).sum();
        if self.statements.len() > STATEMENTS || bytes > STATEMENT_BYTES {
            self.forget_statements(bytes.saturating_sub(STATEMENT_BYTES / 2));
        }
    }

    /// Drops statements that later ones of the same scope have overtaken, then
    /// the earliest, down to half of what is kept and by so many bytes.
    fn forget_statements(&mut self, mut bytes: usize) {
        self.statements.sort_by_key(|statement| statement.time_ns);
        let mut dropped_until: Option<i64> = None;
        let mut later: HashMap<Vec<&'static str>, i64> = HashMap::new();
        let mut overtaken = vec![false; self.statements.len()];
        for (index, statement) in self.statements.iter().enumerate().rev() {
            // A consent to some does not overtake one to others.
            if !statement.recipients.is_empty() || statement.expires_ns.is_some() {
                continue;
            }
            let scope = statement.scope.iter().filter_map(|term| term.any());
            let mut key: Vec<&'static str> = scope.map(|term| term.curie()).collect();
            key.sort_unstable();
            match later.get(&key) {
                Some(time_ns) => {
                    overtaken[index] = true;
                    dropped_until = dropped_until.max(Some(*time_ns));
                }
                None => {
                    later.insert(key, statement.time_ns);
                }
            }
        }
        let mut flags = overtaken.into_iter();
        self.statements
            .retain(|_| !flags.next().unwrap_or_default());
        let mut earliest = 0;
        for statement in &self.statements {
            let over = self.statements.len() - earliest > STATEMENTS / 2;
            if bytes == 0 && !over {
                break;
            }
            let size: usize = statement.recipients.iter().map(String::len).sum();
            bytes = bytes.saturating_sub(size);
            earliest += 1;
        }
        self.statements.drain(..earliest);
        if earliest > 0 {
            let first = self.statements.first().map(|first| first.time_ns);
            dropped_until = dropped_until.max(first.or(self.latest_ns));
        }
        self.forget_before(dropped_until);
    }

    fn collect(&mut self, facts: &Facts<'_>, moment: Moment) {
        if facts.origin == Some(collection::Origin::Subject) {
            let horizon = keep_latest(&mut self.fresh, moment);
            let is_erased = !self.erasures.is_empty() || self.marked_ns.is_some();
            self.forget_before(horizon.filter(|_| is_erased));
            let vocabulary = Vocabulary::builtin();
            if facts.purposes.iter().any(|p| vocabulary.is_account(*p)) {
                let horizon = keep_latest(&mut self.opened, moment);
                self.forget_before(horizon);
            }
        }
        for category in &facts.categories {
            self.keep_first(FirstCollection {
                category: *category,
                moment,
            });
        }
        if self.collections.len() >= TAGGED_COLLECTIONS {
            self.collections.remove(0);
            self.collections_dropped = true;
        }
        self.collections.push(moment);
    }

    fn keep_first(&mut self, found: FirstCollection) {
        let same = |first: &FirstCollection| first.category == found.category;
        if self.first.iter().filter(|first| same(first)).count() < OLDEST_COLLECTIONS {
            self.first.push(found);
            return;
        }
        let youngest = self
            .first
            .iter_mut()
            .filter(|first| same(first))
            .max_by_key(|first| first.moment.time_ns);
        if let Some(youngest) = youngest
            && found.moment.time_ns < youngest.moment.time_ns
        {
            *youngest = found;
        }
    }

    fn requested(&mut self, facts: &Facts<'_>, from: Provenance<'_>) {
        let Some(request) = from.request else { return };
        if self.requests.iter().any(|open| open.request == request) {
            return;
        }
        if self.requests.len() >= CLAIMS {
            let answered = self
                .requests
                .iter()
                .position(|open| open.answered_ns.is_some());
            self.requests.remove(answered.unwrap_or(0));
        }
        self.requests.push(RightsRequestState {
            request,
            right: facts.right,
            received_ns: facts.time_ns,
            jurisdiction: facts
                .jurisdiction
                .map(|place| place.code().to_owned())
                .unwrap_or_default(),
            extended: false,
            answered_ns: None,
            at: from.at,
            tag: from.tag,
        });
    }

    fn responded(&mut self, facts: &Facts<'_>, from: Provenance<'_>) {
        let found = self
            .requests
            .iter_mut()
            .find(|open| Some(open.request) == from.request);
        let Some(request) = found else { return };
        if facts.outcome == Some(rights_response::Outcome::Extended) {
            request.extended = true;
        } else if request.answered_ns.is_none_or(|at| facts.time_ns < at) {
            request.answered_ns = Some(facts.time_ns);
        }
    }

    /// Forgets what an event said that was wrong, or is about to say.
    fn retract(&mut self, tag: Tag) {
        self.statements.retain(|statement| statement.tag != tag);
        for moments in [
            &mut self.restricted,
            &mut self.unrestricted,
            &mut self.fresh,
            &mut self.closed,
            &mut self.opened,
            &mut self.minor,
            &mut self.adult,
            &mut self.collections,
        ] {
            moments.retain(|moment| moment.tag != tag);
        }
        self.erasures.retain(|claim| claim.moment.tag != tag);
        self.first.retain(|first| first.moment.tag != tag);
        self.requests.retain(|request| request.tag != tag);
        if self.retracted.len() >= RETRACTED {
            self.retracted.remove(0);
        }
        self.retracted.push(tag);
    }
}

/// When something is asked for, and for which entry: an entry knows nothing of
/// itself, and of what happened at the same time only what stands before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsOf {
    pub(crate) time_ns: i64,
    /// `None` where it is not in the ledger: everything at the time is before.
    pub(crate) entry: Option<EntryRef>,
}

impl AsOf {
    /// Whether something that happened then is known.
    pub(crate) fn knows(&self, time_ns: i64, at: EntryRef) -> bool {
        time_ns < self.time_ns
            || time_ns == self.time_ns && self.entry.is_none_or(|entry| at < entry)
    }
}

/// Adds a moment; drops the earliest beyond what is kept, and says since when
/// all are known then.
fn keep_latest(moments: &mut Vec<Moment>, moment: Moment) -> Option<i64> {
    moments.push(moment);
    if moments.len() <= MOMENTS {
        return None;
    }
    let earliest = (0..moments.len()).min_by_key(|index| moments[*index].time_ns);
    if let Some(earliest) = earliest {
        moments.remove(earliest);
    }
    moments.iter().map(|moment| moment.time_ns).min()
}

/// The last moment that is known; of equal ones the one that arrived last.
fn latest(moments: &[Moment], asked: AsOf) -> Option<Moment> {
    moments
        .iter()
        .filter(|moment| asked.knows(moment.time_ns, moment.at))
        .max_by_key(|moment| moment.time_ns)
        .copied()
}
