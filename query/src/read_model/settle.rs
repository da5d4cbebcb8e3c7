//! From the entries of a round to changes of kept rows.
//!
//! An entry counts in its rows while nothing took it back, with the judgement
//! that is in force. What a round brings may change how entries stand that came
//! before it: a retraction takes one out, a later judgement moves one. Both may
//! also have come before their entry, where another shard was read first. So
//! every entry that a round touches is looked at twice, without the round and
//! with it, and its rows get the difference: what is kept does not depend on
//! the order in which shards were read.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use custody_ledger::entry::{Act, Entry, EntryRef, HouseRecord, Outcome};
use custody_ledger::id::{EventTag, SubjectReference};
use parking_lot::RwLock;

use super::ReadModelError;
use super::cell::{Brought, Cell, Change};
use super::finding;
use super::kept::{self, Table};
use super::key::Place;
use super::link::Tie;
use super::row::{self, EventRow};
use super::store::Store;

/// What a round brings, as far as it matters to kept rows.
#[derive(Default)]
pub(super) struct Round {
    /// The entries, without their sealed parts.
    pub(super) entries: Vec<(Place, Entry)>,
    pub(super) retracted: HashSet<(SubjectReference, EventTag)>,
    /// By the entry that was judged again: whose it is, when it happened, the
    /// number of the last judgement in the house shard and its outcome.
    pub(super) rejudged: HashMap<EntryRef, (SubjectReference, i64, u64, Outcome)>,
}

/// A changed row: its value, or nothing where no entry counts in it any more.
pub(super) type Settled = (Vec<u8>, Option<Vec<u8>>);

/// Which events were taken back and which entries were judged again, as far as
/// 64 random bits tell them apart: few are, and the others need no look into
/// the store.
#[derive(Default)]
pub(super) struct Touched(RwLock<HashSet<u64>>);

impl Touched {
    pub(super) fn add(
        &self,
        retracted: impl Iterator<Item = (SubjectReference, EventTag)>,
        rejudged: impl Iterator<Item = EntryRef>,
    ) {
        let mut known = self.0.write();
        for (subject, tag) in retracted {
            known.insert(head_of(&subject.0));
            known.insert(head_of(&subject.0) ^ head_of(&tag.0).rotate_left(1));
        }
        for of in rejudged {
            known.insert(entry_hash(&of));
        }
    }

    /// `false` where no event of this person was taken back.
    pub(super) fn may_have_retracted(&self, subject: &SubjectReference) -> bool {
        self.0.read().contains(&head_of(&subject.0))
    }

    /// `false` where this event was not taken back.
    pub(super) fn may_be_retracted(&self, subject: &SubjectReference, tag: &EventTag) -> bool {
        let hash = head_of(&subject.0) ^ head_of(&tag.0).rotate_left(1);
        self.0.read().contains(&hash)
    }

    /// `false` where this entry was not judged again.
    pub(super) fn may_be_rejudged(&self, of: &EntryRef) -> bool {
        self.0.read().contains(&entry_hash(of))
    }
}

fn head_of(bytes: &[u8; 16]) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(head)
}

fn entry_hash(of: &EntryRef) -> u64 {
    head_of(&of.shard.0) ^ of.sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// How an entry stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Standing {
    taken_back: bool,
    outcome: Outcome,
}

/// The changed rows in the order of their keys.
pub(super) fn settle(
    store: &Store,
    touched: &Touched,
    round: &Round,
) -> Result<Vec<Settled>, ReadModelError> {
    let settling = Settling::new(store, touched, round);
    let earlier = settling.earlier()?;
    let mut changes = Changes::default();
    for (place, entry) in &round.entries {
        let after = settling.standing(place, entry, true)?;
        changes.of(place, entry, None, after);
    }
    for (place, row) in &earlier {
        let before = settling.standing(&place.1, &row.entry, false)?;
        let after = settling.standing(&place.1, &row.entry, true)?;
        changes.of(&place.1, &row.entry, Some(before), after);
    }
    changes.apply(store)
}

struct Settling<'a> {
    store: &'a Store,
    touched: &'a Touched,
    round: &'a Round,
    /// Where the round's entries stand in it; filled when first asked for.
    at: OnceCell<HashMap<EntryRef, usize>>,
}

impl<'a> Settling<'a> {
    fn new(store: &'a Store, touched: &'a Touched, round: &'a Round) -> Self {
        Self {
            store,
            touched,
            round,
            at: OnceCell::new(),
        }
    }

    /// The entry, where the round brings it.
    fn in_round(&self, of: &EntryRef) -> Option<&'a Entry> {
        let entries = &self.round.entries;
        let at = self.at.get_or_init(|| {
            let places = entries.iter().enumerate();
            places
                .map(|(index, (place, _))| (entry_ref(place), index))
                .collect()
        });
        at.get(of).map(|index| &entries[*index].1)
    }

    /// Entries from before the round that the round may change.
    fn earlier(&self) -> Result<BTreeMap<(SubjectReference, Place), EventRow>, ReadModelError> {
        let mut earlier = BTreeMap::new();
        for (subject, tag) in &self.round.retracted {
            for place in self.store.tied(subject, tag, Tie::Is)? {
                self.with_what_is_about(&mut earlier, subject, &place)?;
            }
        }
        for (place, entry) in &self.round.entries {
            if let (Some(subject), Some(tag)) = (&entry.subject, &entry.event_tag)
                && self.is_retracted(subject, tag, true)?
            {
                self.with_what_is_about(&mut earlier, subject, place)?;
            }
        }
        for (of, (subject, time_ns, ..)) in &self.round.rejudged {
            if self.in_round(of).is_some() {
                continue;
            }
            let place = Place {
                event_time_ns: *time_ns,
                shard: of.shard,
                sequence: of.sequence,
            };
            let found = match self.store.event(subject, &place)? {
                None => self.store.find_event(subject, of)?,
                found => found,
            };
            if let Some(row) = found {
                earlier.insert((*subject, row.place), row);
            }
        }
        Ok(earlier)
    }

    /// The entry at this place, where it was there before the round, and what
    /// time found about it.
    fn with_what_is_about(
        &self,
        earlier: &mut BTreeMap<(SubjectReference, Place), EventRow>,
        subject: &SubjectReference,
        place: &Place,
    ) -> Result<(), ReadModelError> {
        let about = self.store.about(subject, &entry_ref(place))?;
        for place in std::iter::once(*place).chain(about) {
            if let Some(row) = self.store.event(subject, &place)? {
                earlier.insert((*subject, place), row);
            }
        }
        Ok(())
    }

    /// How an entry stands, without the round or with it.
    fn standing(
        &self,
        place: &Place,
        entry: &Entry,
        with_round: bool,
    ) -> Result<Standing, ReadModelError> {
        let at_ingest = Outcome::from_code(entry.judgement.outcome_code).unwrap_or_default();
        let Some(subject) = &entry.subject else {
            return Ok(Standing {
                taken_back: false,
                outcome: finding::overdue_outcome(entry).unwrap_or(at_ingest),
            });
        };
        let taken_back = match (overdue_of(entry), &entry.event_tag) {
            (Some(of), _) => self.began_is_retracted(subject, &of, with_round)?,
            (None, Some(tag)) => self.is_retracted(subject, tag, with_round)?,
            (None, None) => false,
        };
        let outcome = match finding::overdue_outcome(entry) {
            Some(outcome) => outcome,
            None => {
                let rejudged = self.rejudged(subject, &entry_ref(place), with_round)?;
                rejudged.unwrap_or(at_ingest)
            }
        };
        Ok(Standing {
            taken_back,
            outcome,
        })
    }

    fn is_retracted(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
        with_round: bool,
    ) -> Result<bool, ReadModelError> {
        if with_round && self.round.retracted.contains(&(*subject, *tag)) {
            return Ok(true);
        }
        Ok(self.touched.may_be_retracted(subject, tag)
            && self.store.has_retraction(subject, tag)?)
    }

    /// Whether the event that began a time was taken back; not where it is not
    /// there.
    fn began_is_retracted(
        &self,
        subject: &SubjectReference,
        of: &EntryRef,
        with_round: bool,
    ) -> Result<bool, ReadModelError> {
        let of_person = |(whose, _): &(SubjectReference, EventTag)| whose == subject;
        let in_round = with_round && self.round.retracted.iter().any(of_person);
        if !in_round && !self.touched.may_have_retracted(subject) {
            return Ok(false);
        }
        let in_round = with_round.then(|| self.in_round(of)).flatten();
        let tag = match in_round.filter(|entry| entry.subject == Some(*subject)) {
            Some(entry) => entry.event_tag,
            None => {
                let found = self.store.find_event(subject, of)?;
                found.and_then(|row| row.entry.event_tag)
            }
        };
        tag.map_or(Ok(false), |tag| {
            self.is_retracted(subject, &tag, with_round)
        })
    }

    /// What the last later judgement said.
    fn rejudged(
        &self,
        subject: &SubjectReference,
        of: &EntryRef,
        with_round: bool,
    ) -> Result<Option<Outcome>, ReadModelError> {
        let in_round = self.round.rejudged.get(of).filter(|_| with_round);
        let in_round = in_round.filter(|it| it.0 == *subject);
        let mut last = in_round.map(|(.., sequence, outcome)| (*sequence, *outcome));
        if self.touched.may_be_rejudged(of)
            && let Some((sequence, outcome)) = self.store.last_rejudgement(subject, of)?
            && last.is_none_or(|(known, _)| known < sequence)
        {
            last = Some((sequence, outcome));
        }
        Ok(last.map(|(_, outcome)| outcome))
    }
}

fn entry_ref(place: &Place) -> EntryRef {
    EntryRef {
        shard: place.shard,
        sequence: place.sequence,
    }
}

pub(super) fn overdue_of(entry: &Entry) -> Option<EntryRef> {
    match &entry.act {
        Act::House(HouseRecord::OverdueFound { of, .. }) => Some(*of),
        _ => None,
    }
}

/// Changes by row.
#[derive(Default)]
struct Changes<'a>(HashMap<Vec<u8>, Vec<(Change, Brought<'a>)>>);

impl<'a> Changes<'a> {
    fn of(&mut self, place: &Place, entry: &'a Entry, before: Option<Standing>, after: Standing) {
        let counted = before.filter(|it| !it.taken_back).map(|it| it.outcome);
        let counts = (!after.taken_back).then_some(after.outcome);
        let change = match (counted, counts) {
            (None, Some(after)) => Some(Change::In(after)),
            (Some(before), None) => Some(Change::Out(before)),
            (Some(before), Some(after)) if before != after => Some(Change::Judged(before, after)),
            _ => None,
        };
        if let Some(change) = change {
            kept::rows_of(entry, *place, |key, brought| {
                self.0.entry(key).or_default().push((change, brought));
            });
        }
        let was = before.is_some_and(|it| it.taken_back);
        let change = match (was, after.taken_back) {
            (false, true) => Change::In(Outcome::NotJudged),
            (true, false) => Change::Out(Outcome::NotJudged),
            _ => return,
        };
        let brought = Brought::bare(*place);
        let key = Table::TakenBack.prefix();
        self.0.entry(key).or_default().push((change, brought));
    }

    fn apply(self, store: &Store) -> Result<Vec<Settled>, ReadModelError> {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut settled = Vec::with_capacity(rows.len());
        for (key, changes) in rows {
            let mut cell = match store.kept_now(&key)? {
                Some(value) => row::decode_short::<Cell>("kept", &value)?,
                None => Cell::default(),
            };
            for (change, brought) in &changes {
                cell.change(*change, brought);
            }
            let value = (cell.count > 0).then(|| row::encode_short(&cell));
            settled.push((key, value.transpose()?));
        }
        Ok(settled)
    }
}
