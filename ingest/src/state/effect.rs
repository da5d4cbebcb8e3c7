//! What an event does beyond its entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody_ledger::{Entry, EntryRef, Kind, ShardId};
use custody_policy::{Facts, Provenance, SubjectState};
use custody_proto::event::event::Act;
use custody_vault::Person;

use super::Reference;
use super::store::ReviewRow;
use crate::normalise::NormalisedEvent;
use crate::overdue::DutyChange;

/// Whether the judge judges events of this kind.
pub(crate) fn is_judged(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Collection | Kind::Use | Kind::Disclosure | Kind::Transfer
    )
}

/// Where an event stands and what it points at: a [`Provenance`] that owns.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) at: EntryRef,
    tag: [u8; 16],
    request: Option<[u8; 16]>,
    parents: Vec<[u8; 16]>,
    retracts: Option<[u8; 16]>,
}

impl Origin {
    /// Of an event whose public part is `entry`.
    pub(crate) fn new(
        event: &NormalisedEvent,
        entry: &Entry,
        at: EntryRef,
        person: &Person,
    ) -> Self {
        let retracts = match &entry.act {
            custody_ledger::Act::Retraction { of } => Some(of.0),
            _ => None,
        };
        Self {
            at,
            tag: entry.event_tag.map(|tag| tag.0).unwrap_or_default(),
            request: request_id(event).map(|id| request_tag(person, id)),
            parents: entry.parent_tags.iter().map(|tag| tag.0).collect(),
            retracts,
        }
    }

    pub(crate) fn provenance(&self) -> Provenance<'_> {
        Provenance {
            at: to_policy(self.at),
            tag: self.tag,
            request: self.request,
            parents: &self.parents,
            retracts: self.retracts,
        }
    }

    /// Tags of the events that its data came from.
    pub(crate) fn parents(&self) -> &[[u8; 16]] {
        &self.parents
    }

    /// Whether it takes an event back, which may be any earlier one.
    pub(crate) fn is_retraction(&self) -> bool {
        self.retracts.is_some()
    }
}

/// A place as the judge cites it.
pub(crate) fn to_policy(at: EntryRef) -> custody_policy::EntryRef {
    custody_policy::EntryRef {
        shard: at.shard.0,
        sequence: at.sequence,
    }
}

/// The id of the request that an event makes or answers.
pub(crate) fn request_id(event: &NormalisedEvent) -> Option<&str> {
    match &event.data().act {
        Some(Act::RightsRequest(block)) => Some(&block.request_id),
        Some(Act::RightsResponse(block)) => Some(&block.request_id),
        _ => None,
    }
}

/// Stands for a request. No event has an empty source, so it is no event's tag.
pub(crate) fn request_tag(person: &Person, request_id: &str) -> [u8; 16] {
    person.tag("", request_id)
}

/// An event that was applied and is not durable yet.
pub(super) struct Op {
    event: Box<NormalisedEvent>,
    origin: Origin,
}

impl Op {
    pub(super) fn new(event: NormalisedEvent, origin: Origin) -> Self {
        Self {
            event: Box::new(event),
            origin,
        }
    }

    pub(super) fn at(&self) -> EntryRef {
        self.origin.at
    }

    pub(super) fn apply(&self, state: &mut custody_policy::SubjectState) {
        // Terms that were resolved a moment ago are resolved again.
        if let Ok(facts) = self.event.facts() {
            state.apply(&facts, self.origin.provenance());
        }
    }
}

/// Whether an event can change a person's state at all.
pub(crate) fn changes(facts: &Facts<'_>) -> bool {
    custody_policy::SubjectState::changes_judgement(facts)
}

/// What applying an event did to a person's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// It is another state now.
    pub(super) changed: bool,
    /// Entries that were judged before may be judged otherwise by it.
    pub(super) bears: bool,
}

/// No event's tag.
const NO_TAG: [u8; 16] = [0xff; 16];

/// Applies an event whose facts [can change](changes) a state.
pub(super) fn apply(state: &mut Arc<SubjectState>, facts: &Facts<'_>, origin: &Origin) -> Applied {
    if !origin.is_retraction() {
        Arc::make_mut(state).apply(facts, origin.provenance());
        return Applied {
            changed: true,
            bears: true,
        };
    }
    let before = Arc::clone(state);
    Arc::make_mut(state).apply(facts, origin.provenance());
    if before == *state {
        *state = before;
        return Applied::default();
    }
    // What is taken back is remembered in any case. Most events that are taken
    // back are of kinds that nothing rests on: then nothing went but for that,
    // as when an event is taken back that never was.
    let mut nothing_went = SubjectState::clone(&before);
    nothing_went.apply(
        facts,
        Provenance {
            retracts: Some(NO_TAG),
            ..origin.provenance()
        },
    );
    Applied {
        changed: true,
        bears: state.encode().len() != nothing_went.encode().len(),
    }
}

/// What an entry does beyond itself, to be written when its block is durable.
pub(crate) struct Effect {
    pub(crate) at: EntryRef,
    pub(crate) time_ns: i64,
    /// Whose state it is about; `None` where nobody's.
    pub(crate) subject: Option<Reference>,
    /// It is of a kind that is judged.
    pub(crate) judged: bool,
    /// It changed the state.
    pub(crate) changes: bool,
    /// What it makes to be judged again.
    pub(crate) review: Option<Review>,
    /// What it begins or ends.
    pub(crate) duties: Vec<DutyChange>,
    /// On which day the person starts as erased: it is the person's first.
    pub(crate) marked_day: Option<i32>,
}

impl Effect {
    /// Whether there is anything to be written.
    pub(crate) fn does_something(&self) -> bool {
        self.is_the_states() || !self.duties.is_empty()
    }

    /// Whether the person is at work until it is written.
    pub(super) fn is_the_states(&self) -> bool {
        self.judged || self.changes || self.marked_day.is_some()
    }
}

/// Entries that were judged before it was known what `cause` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Review {
    pub(crate) cause: EntryRef,
    pub(crate) subject: Reference,
    /// Entries with a later event time may be concerned.
    pub(crate) from_ns: i64,
    /// The last entry of each shard that was judged and not durable when the
    /// cause came.
    pub(crate) wait: BTreeMap<ShardId, u64>,
}

impl Review {
    pub(crate) fn row(&self) -> ReviewRow {
        ReviewRow {
            cause: self.cause,
            subject: self.subject,
            from_ns: self.from_ns,
        }
    }
}
