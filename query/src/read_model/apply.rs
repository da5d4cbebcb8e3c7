//! From a block to rows: a pure function, so that a block taken in twice
//! leaves the same rows.
//!
//! An entry is read in place and its row is its bytes without the sealed part;
//! what else follows from it is made when all rows of the round are in order
//! (see [`super::settle`]).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use custody_ledger::entry::{Act, Entry, EntryRef, EntryView, HouseRecord, Outcome};
use custody_ledger::error::DecodeError;
use custody_ledger::id::{EventTag, ShardId, SubjectReference};
use custody_ledger::{Block, Head};

use super::ReadModelError;
use super::finding::{self, FindingRow, RejudgementRow};
use super::key::{
    self, EVENT_KEY_BYTES, Place, REJUDGEMENT_KEY_BYTES, RETRACTION_KEY_BYTES, RetractionKey,
};
use super::row::{self, PartyRow};
use super::sorter::Sorter;

/// Under which reference entries stand that are nobody's. No person has it:
/// references are random.
pub(super) const NOBODY: SubjectReference = SubjectReference([0; 16]);

/// What a round brings, as far as it matters to how entries stand.
#[derive(Default)]
pub(super) struct Round {
    pub(super) retracted: HashSet<(SubjectReference, EventTag)>,
    /// By the entry that was judged again: whose it is, when it happened, the
    /// number of the last judgement in the house shard and its outcome.
    pub(super) rejudged: HashMap<EntryRef, (SubjectReference, i64, u64, Outcome)>,
}

/// Rows on their way into the store, and the heads that they end at.
pub(super) struct Rows {
    /// What the other rows are made from.
    pub(super) events: Sorter,
    pub(super) findings: Sorter,
    pub(super) retractions: Vec<([u8; RETRACTION_KEY_BYTES], [u8; 8])>,
    pub(super) parties: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) rejudgements: Vec<([u8; REJUDGEMENT_KEY_BYTES], Vec<u8>)>,
    pub(super) round: Round,
    /// The newest head of every shard that moved. One a shard: the store gives
    /// no order to two values of a key in a batch.
    pub(super) heads: HashMap<ShardId, Head>,
    /// Entries of the blocks taken in.
    pub(super) entries: u64,
    /// Bytes of keys and values so far.
    pub(super) bytes: u64,
    /// Of them, what is in memory to the end.
    pub(super) kept_bytes: usize,
}

/// Where an entry came from.
struct Origin {
    shard: ShardId,
    height: u64,
    recorded_time_ns: i64,
    sequence: u64,
}

impl Origin {
    fn failed(&self) -> impl FnOnce(DecodeError) -> ReadModelError + use<> {
        let (shard, height) = (self.shard, self.height);
        move |source| ReadModelError::Block {
            shard,
            height,
            source,
        }
    }

    fn place(&self, event_time_ns: i64) -> Place {
        Place {
            event_time_ns,
            shard: self.shard,
            sequence: self.sequence,
        }
    }
}

impl Rows {
    /// Rows that are sorted in files in `directory` where they come to more
    /// than `budget` bytes.
    pub(super) fn new(directory: &Path, budget: usize) -> Self {
        Self {
            events: Sorter::new(directory, budget),
            findings: Sorter::new(directory, budget / 4),
            retractions: Vec::new(),
            parties: Vec::new(),
            rejudgements: Vec::new(),
            round: Round::default(),
            heads: HashMap::new(),
            entries: 0,
            bytes: 0,
            kept_bytes: 0,
        }
    }

    /// Takes in a block.
    pub(super) fn take(&mut self, block: &Block) -> Result<(), ReadModelError> {
        let header = &block.header;
        let mut origin = Origin {
            shard: header.shard,
            height: header.height,
            recorded_time_ns: header.recorded_time_ns,
            sequence: 0,
        };
        for entry in block.stored_entries() {
            let (sequence, bytes) = entry.map_err(origin.failed())?;
            origin.sequence = sequence;
            match EntryView::read(bytes).map_err(origin.failed())? {
                Some(view) => self.view(&origin, &view, bytes)?,
                None => {
                    let entry = Entry::decode(bytes).map_err(origin.failed())?;
                    self.whole(&origin, entry)?;
                }
            }
        }
        self.entries += u64::from(header.entries);
        self.heads.insert(header.shard, block.head_after());
        Ok(())
    }

    fn view(
        &mut self,
        origin: &Origin,
        view: &EntryView<'_>,
        bytes: &[u8],
    ) -> Result<(), ReadModelError> {
        // The sealed part stays in the ledger: erasing a key must not leave
        // another copy of what it opened, not even sealed. It stands last,
        // behind its length.
        const LENGTH_BYTES: usize = 8;
        let public = &bytes[..bytes.len() - view.sealed.len() - LENGTH_BYTES];
        let place = origin.place(view.event_time_ns);
        let header = row::event_header(
            origin.recorded_time_ns,
            origin.height,
            !view.sealed.is_empty(),
        );
        let whose = view.subject.unwrap_or(NOBODY);
        let key = key::event_key(&whose, &place);
        self.bytes += (EVENT_KEY_BYTES + header.len() + public.len() + LENGTH_BYTES) as u64;
        self.events
            .push(&key, &[&header, public, &[0; LENGTH_BYTES]])?;
        if let (custody_ledger::entry::ActView::Retraction { of }, Some(subject)) =
            (view.act, view.subject)
        {
            self.retraction(origin, subject, of);
        }
        if view.findings > 0 {
            let mut entry = Entry::decode(bytes).map_err(origin.failed())?;
            entry.sealed = Vec::new();
            self.findings(origin, &entry, || {
                [&header, public, &[0; LENGTH_BYTES][..]].concat()
            })?;
        }
        Ok(())
    }

    fn whole(&mut self, origin: &Origin, mut entry: Entry) -> Result<(), ReadModelError> {
        let place = origin.place(entry.event_time_ns);
        // As above.
        let has_sealed = !std::mem::take(&mut entry.sealed).is_empty();
        let mut value =
            row::event_header(origin.recorded_time_ns, origin.height, has_sealed).to_vec();
        entry
            .encode_onto(&mut value)
            .map_err(ReadModelError::Encode)?;
        let whose = entry.subject.unwrap_or(NOBODY);
        self.bytes += (EVENT_KEY_BYTES + value.len()) as u64;
        self.events
            .push(&key::event_key(&whose, &place), &[&value])?;
        match (&entry.act, entry.subject) {
            (Act::Retraction { of }, Some(subject)) => self.retraction(origin, subject, *of),
            (Act::House(record), subject) => {
                self.house(origin, record, subject, entry.event_time_ns)?;
            }
            _ => {}
        }
        if !entry.judgement.findings.is_empty() || matches!(entry.act, Act::House(_)) {
            self.findings(origin, &entry, || value.clone())?;
        }
        Ok(())
    }

    fn retraction(&mut self, origin: &Origin, subject: SubjectReference, of: EventTag) {
        let key = RetractionKey {
            subject,
            of,
            shard: origin.shard,
            sequence: origin.sequence,
        };
        self.kept_bytes += RETRACTION_KEY_BYTES + 8;
        self.retractions
            .push((key.encode(), row::encode_recorded(origin.recorded_time_ns)));
        self.round.retracted.insert((subject, of));
    }

    fn house(
        &mut self,
        origin: &Origin,
        record: &HouseRecord,
        subject: Option<SubjectReference>,
        event_time_ns: i64,
    ) -> Result<(), ReadModelError> {
        match (record, subject) {
            (
                HouseRecord::PartyRegistered {
                    id,
                    name,
                    category,
                    country,
                },
                _,
            ) => {
                let value = row::encode(&PartyRow {
                    recorded_time_ns: origin.recorded_time_ns,
                    name: name.clone(),
                    category: category.clone(),
                    country: country.clone(),
                })?;
                let key = key::party_key(id, origin.sequence);
                self.kept_bytes += key.len() + value.len();
                self.parties.push((key, value));
            }
            (
                HouseRecord::Rejudged {
                    shard,
                    sequence,
                    cause,
                    judgement,
                },
                Some(subject),
            ) => {
                let of = EntryRef {
                    shard: *shard,
                    sequence: *sequence,
                };
                let value = row::encode(&RejudgementRow {
                    recorded_time_ns: origin.recorded_time_ns,
                    cause: *cause,
                    judgement: judgement.clone(),
                })?;
                self.kept_bytes += REJUDGEMENT_KEY_BYTES + value.len();
                let key = key::rejudgement_key(&subject, &of, origin.sequence);
                self.rejudgements.push((key, value));
                let outcome = Outcome::from_code(judgement.outcome_code).unwrap_or_default();
                let again = (subject, event_time_ns, origin.sequence, outcome);
                let last = self.round.rejudged.entry(of).or_insert(again);
                if last.2 < again.2 {
                    *last = again;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `value` is that of the entry's row.
    fn findings(
        &mut self,
        origin: &Origin,
        entry: &Entry,
        value: impl Fn() -> Vec<u8>,
    ) -> Result<(), ReadModelError> {
        let place = origin.place(entry.event_time_ns);
        for (key, suppressed) in finding::findings_of(entry, place) {
            let value = row::encode(&FindingRow {
                recorded_time_ns: origin.recorded_time_ns,
                subject: entry.subject,
                event_tag: entry.event_tag,
                suppressed,
                entry: match entry.subject {
                    Some(_) => Vec::new(),
                    None => value(),
                },
            })?;
            let key = key.encode();
            self.bytes += (key.len() + value.len()) as u64;
            self.findings.push(&key, &[&value])?;
        }
        Ok(())
    }
}
