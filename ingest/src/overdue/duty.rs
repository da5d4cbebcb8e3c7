//! Duties: what began them, what ended them, and their rows.

use std::collections::HashMap;

use bincode::{Decode, Encode};
use custody_ledger::{Act, Entry, EntryRef, Kind};
use custody_vault::{Person, Vault};

use super::deadline::Deadlines;
use crate::normalise::NormalisedEvent;
use crate::state::{
    Batch, Reference, Settled, StateError, Store, encode_at, from_sortable, sortable,
};

/// As numbered in `custody.event.v1.RightsResponse.Outcome`.
const OUTCOME_EXTENDED: u8 = 4;
/// As numbered in `custody.event.v1.Breach.Notified`.
const NOTIFIED_AUTHORITY: u8 = 1;

/// Events kept that began one duty.
const BEGINNINGS: usize = 32;

/// The longest duty that is read. Each text of an event is short.
const MAX_DUTY_BYTES: usize = 1 << 20;

/// What is owed. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Owed {
    /// An answer to a rights request.
    Response = 1,
    /// A breach's notification to the authority.
    Notice = 2,
    /// Erasing, after an account was closed.
    Erasure = 3,
    /// Nothing: an event was taken back, and with it what it began.
    Nothing = 4,
}

impl Owed {
    /// What may fall due.
    pub(crate) const ALL: [Self; 3] = [Self::Response, Self::Notice, Self::Erasure];

    /// The finding where it is not done in time.
    pub(crate) const fn finding(self) -> &'static str {
        match self {
            Self::Response => "response_overdue",
            Self::Notice => "notice_overdue",
            Self::Erasure => "retention_exceeded",
            Self::Nothing => "",
        }
    }
}

/// Names a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DutyKey {
    pub(crate) owed: Owed,
    /// Zeros where it is nobody's in particular.
    pub(crate) subject: Reference,
    /// Of the request, the breach, the service or the event taken back.
    pub(crate) tag: [u8; 16],
}

impl DutyKey {
    pub(crate) const BYTES: usize = 33;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut key = [self.owed as u8; Self::BYTES];
        key[1..17].copy_from_slice(&self.subject);
        key[17..].copy_from_slice(&self.tag);
        key
    }
}

/// When a duty is looked at next: its kind, the time, and which.
pub(crate) struct DueKey {
    pub(crate) key: DutyKey,
    pub(crate) time_ns: i64,
}

impl DueKey {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Self::bound(self.key.owed, self.time_ns);
        bytes.extend_from_slice(&self.key.to_bytes()[1..]);
        bytes
    }

    /// Before every key of this kind and time.
    pub(crate) fn bound(owed: Owed, time_ns: i64) -> Vec<u8> {
        let mut bytes = vec![owed as u8];
        bytes.extend_from_slice(&sortable(time_ns));
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let owed = Owed::ALL.into_iter().find(|owed| *owed as u8 == kind)?;
        let (time, rest) = rest.split_first_chunk()?;
        let (subject, tag) = rest.split_first_chunk()?;
        Some(Self {
            key: DutyKey {
                owed,
                subject: *subject,
                tag: tag.try_into().ok()?,
            },
            time_ns: from_sortable(*time),
        })
    }
}

/// What began a duty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Began {
    /// When it happened, nanoseconds since 1970 UTC.
    pub(crate) time_ns: i64,
    pub(crate) of: EntryRef,
    /// The event's tag.
    pub(crate) tag: [u8; 16],
    pub(crate) service: String,
    pub(crate) controller: String,
    pub(crate) jurisdiction: String,
    pub(crate) policy: String,
    /// The right that was claimed; empty where it is another duty.
    pub(crate) right: String,
}

/// A duty as it is stored. All but what began it is in the public part of
/// entries, and so is that but for the tag of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Duty {
    /// The events that began it, the earliest first: some may be taken back.
    pub(crate) began: Vec<Began>,
    /// When it was done: for the first time, or, of an erasure, for the last.
    pub(crate) done_ns: Option<i64>,
    /// Whether the time to answer was extended.
    pub(crate) extended: bool,
}

impl Duty {
    pub(crate) fn load(store: &Store, key: &DutyKey) -> Result<Self, StateError> {
        let Some(row) = store.duty(&key.to_bytes())? else {
            return Ok(Self::default());
        };
        Self::decode(row.as_ref())
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, StateError> {
        let config = bincode::config::legacy().with_limit::<MAX_DUTY_BYTES>();
        match bincode::decode_from_slice(row, config) {
            Ok((duty, read)) if read == row.len() => Ok(duty),
            _ => Err(StateError::Malformed { place: "duties" }),
        }
    }

    fn encode(&self) -> Result<Vec<u8>, StateError> {
        bincode::encode_to_vec(self, bincode::config::legacy())
            .map_err(|_| StateError::Malformed { place: "duties" })
    }

    /// The order in which changes come does not matter.
    fn take(&mut self, key: &DutyKey, change: Change) {
        match change {
            Change::Begins(began) => {
                if let Err(place) = self.began.binary_search(&began) {
                    self.began.insert(place, began);
                }
                if self.began.len() > BEGINNINGS {
                    // The first and the last ones are what may count.
                    self.began.remove(1);
                }
            }
            Change::Done(time_ns) => {
                let known = self.done_ns.unwrap_or(time_ns);
                self.done_ns = Some(match key.owed {
                    Owed::Erasure => known.max(time_ns),
                    Owed::Response | Owed::Notice | Owed::Nothing => known.min(time_ns),
                });
            }
            Change::Extended => self.extended = true,
        }
    }
}

/// What an event does to a duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DutyChange {
    pub(crate) key: DutyKey,
    pub(crate) change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Begins(Began),
    Done(i64),
    Extended,
}

/// Whether events of this kind end duties that may stand under another
/// reference of the same person.
pub(crate) fn asks_for_others(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RightsResponse | Kind::Erasure | Kind::Anonymisation
    )
}

/// What an event begins or ends. `others` are references of the same person: a
/// request may have been made under one and answered under another.
pub(crate) fn changes(
    vault: &Vault,
    event: &NormalisedEvent,
    entry: &Entry,
    at: EntryRef,
    person: &Person,
    others: &[Reference],
) -> Result<Vec<DutyChange>, StateError> {
    let subject = entry.subject.map(|subject| subject.0).unwrap_or_default();
    let time_ns = entry.event_time_ns;
    let began = |right: &str| {
        Change::Begins(Began {
            time_ns,
            of: at,
            tag: entry.event_tag.map(|tag| tag.0).unwrap_or_default(),
            service: entry.service.clone(),
            controller: entry.controller.clone(),
            jurisdiction: entry.jurisdiction.clone(),
            policy: entry.policy.clone(),
            right: right.to_owned(),
        })
    };
    let key = |owed, subject, tag| DutyKey { owed, subject, tag };
    let mut out = Vec::new();
    match &entry.act {
        Act::RightsRequest { right } => {
            if let Some(id) = crate::state::request_id(event) {
                let tag = crate::state::request_tag(person, id);
                let change = began(right);
                let key = key(Owed::Response, subject, tag);
                out.push(DutyChange { key, change });
            }
        }
        Act::RightsResponse { outcome } => {
            let change = if *outcome == OUTCOME_EXTENDED {
                Change::Extended
            } else {
                Change::Done(time_ns)
            };
            if let Some(id) = crate::state::request_id(event) {
                let mut answer = |person: &Person| {
                    let tag = crate::state::request_tag(person, id);
                    let key = key(Owed::Response, person.reference(), tag);
                    let change = change.clone();
                    out.push(DutyChange { key, change });
                };
                answer(person);
                for other in others {
                    if let Some(other) = vault.person(other)? {
                        answer(&other);
                    }
                }
            }
        }
        Act::Retraction { of } => {
            let key = key(Owed::Nothing, subject, of.0);
            let change = Change::Done(time_ns);
            out.push(DutyChange { key, change });
        }
        Act::Breach {
            breach_id,
            notified,
            ..
        } => {
            let key = key(Owed::Notice, [0; 16], named(breach_id));
            let change = began("");
            out.push(DutyChange { key, change });
            if notified.contains(&NOTIFIED_AUTHORITY) {
                let change = Change::Done(time_ns);
                out.push(DutyChange { key, change });
            }
        }
        _ => match entry.kind() {
            Some(Kind::AccountClosed) => {
                let key = key(Owed::Erasure, subject, named(&entry.service));
                let change = began("");
                out.push(DutyChange { key, change });
            }
            // Some categories only: the rest is still there.
            Some(Kind::Erasure) if !entry.categories.is_empty() => {}
            Some(Kind::Erasure | Kind::Anonymisation) => {
                for subject in std::iter::once(&subject).chain(others) {
                    let key = key(Owed::Erasure, *subject, named(&entry.service));
                    let change = Change::Done(time_ns);
                    out.push(DutyChange { key, change });
                }
            }
            _ => {}
        },
    }
    Ok(out)
}

/// Names what was found of a duty that an entry began.
pub(super) fn found_key(owed: Owed, of: EntryRef) -> Vec<u8> {
    let mut key = vec![owed as u8];
    key.extend_from_slice(&encode_at(of));
    key
}

/// Stands for a public name; zeros where there is none.
pub(crate) fn named(name: &str) -> [u8; 16] {
    let mut tag = [0; 16];
    if !name.is_empty() {
        tag.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..16]);
    }
    tag
}

/// The duties that a batch changes.
pub(crate) struct Duties<'a> {
    store: &'a Store,
    deadlines: &'a dyn Deadlines,
}

impl<'a> Duties<'a> {
    pub(crate) fn new(store: &'a Store, deadlines: &'a dyn Deadlines) -> Self {
        Self { store, deadlines }
    }

    /// Adds to a batch what its blocks begin and end.
    pub(crate) fn take(&self, batch: &mut Batch<'_>, blocks: &[Settled]) -> Result<(), StateError> {
        let mut changed: HashMap<DutyKey, Duty> = HashMap::new();
        for change in blocks
            .iter()
            .flat_map(|block| &block.effects)
            .flat_map(|(_, effect)| &effect.duties)
        {
            let duty = match changed.entry(change.key) {
                std::collections::hash_map::Entry::Occupied(duty) => duty.into_mut(),
                std::collections::hash_map::Entry::Vacant(empty) => {
                    empty.insert(Duty::load(self.store, &change.key)?)
                }
            };
            duty.take(&change.key, change.change.clone());
            // Looked at when it is due. What is done by then is found then.
            if let Change::Begins(now) = &change.change {
                let due_ns = match change.key.owed {
                    Owed::Response => {
                        let deadlines = self.deadlines;
                        let due = deadlines.response(&now.jurisdiction, now.time_ns, false);
                        due.map(|due| due.due_ns)
                    }
                    Owed::Notice => {
                        let due = self.deadlines.breach(&now.jurisdiction, now.time_ns);
                        due.map(|due| due.due_ns)
                    }
                    // The period is the operator's, and may change.
                    Owed::Erasure => Some(now.time_ns),
                    Owed::Nothing => None,
                };
                if let Some(time_ns) = due_ns {
                    let key = change.key;
                    batch.due(&DueKey { key, time_ns }.to_bytes());
                }
            }
        }
        for (key, duty) in changed {
            batch.duty(&key.to_bytes(), duty.encode()?);
        }
        Ok(())
    }
}
