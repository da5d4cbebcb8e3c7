//! From a block to rows: a pure function, so that a block taken in twice
//! leaves the same rows.

use std::collections::HashMap;

use custody_ledger::entry::{Act, Entry, EntryRef, HouseRecord, Outcome};
use custody_ledger::id::{ShardId, SubjectReference};
use custody_ledger::{Block, Head};

use super::ReadModelError;
use super::finding::{self, FindingRow, RejudgementRow};
use super::key::{
    self, EVENT_KEY_BYTES, Place, REJUDGEMENT_KEY_BYTES, RETRACTION_KEY_BYTES, RetractionKey,
};
use super::link;
use super::rights;
use super::row::{self, PartyRow};
use super::settle::Round;

/// Under which reference entries stand that are nobody's. No person has it:
/// references are random.
pub(super) const NOBODY: SubjectReference = SubjectReference([0; 16]);

/// Rows on their way into the store, and the heads that they end at.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) events: Vec<([u8; EVENT_KEY_BYTES], Vec<u8>)>,
    pub(super) retractions: Vec<([u8; RETRACTION_KEY_BYTES], [u8; 8])>,
    pub(super) parties: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) findings: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) rejudgements: Vec<([u8; REJUDGEMENT_KEY_BYTES], Vec<u8>)>,
    /// From tags to events; keys only.
    pub(super) ties: Vec<Vec<u8>>,
    /// From entries to what time found about them; keys only.
    pub(super) about: Vec<Vec<u8>>,
    /// From recipients and systems to persons.
    pub(super) held: Vec<(Vec<u8>, Vec<u8>)>,
    /// What kept rows are changed by.
    pub(super) round: Round,
    pub(super) rights: Vec<[u8; EVENT_KEY_BYTES]>,
    /// The newest head of every shard that moved. One a shard: the store gives
    /// no order to two values of a key in a batch.
    pub(super) heads: HashMap<ShardId, Head>,
    /// Entries of the blocks taken in, with or without a row.
    pub(super) entries: u64,
    /// Bytes of keys and values so far.
    pub(super) bytes: usize,
}

impl Rows {
    /// Takes in a block.
    pub(super) fn take(&mut self, block: &Block) -> Result<(), ReadModelError> {
        let header = &block.header;
        for entry in block.entries() {
            let (sequence, entry) = entry.map_err(|source| ReadModelError::Block {
                shard: header.shard,
                height: header.height,
                source,
            })?;
            self.entry(
                header.shard,
                header.height,
                header.recorded_time_ns,
                sequence,
                entry,
            )?;
        }
        self.entries += u64::from(header.entries);
        self.heads.insert(header.shard, block.head_after());
        Ok(())
    }

    fn entry(
        &mut self,
        shard: ShardId,
        height: u64,
        recorded_time_ns: i64,
        sequence: u64,
        mut entry: Entry,
    ) -> Result<(), ReadModelError> {
        if let Act::House(HouseRecord::PartyRegistered {
            id,
            name,
            category,
            country,
        }) = &entry.act
        {
            let value = row::encode(&PartyRow {
                recorded_time_ns,
                name: name.clone(),
                category: category.clone(),
                country: country.clone(),
            })?;
            let key = key::party_key(id, sequence);
            self.bytes += key.len() + value.len();
            self.parties.push((key, value));
        }
        let place = Place {
            event_time_ns: entry.event_time_ns,
            shard,
            sequence,
        };
        // The sealed part stays in the ledger: erasing a key must not leave
        // another copy of what it opened, not even sealed.
        let has_sealed = !std::mem::take(&mut entry.sealed).is_empty();
        self.findings(recorded_time_ns, height, has_sealed, place, &entry)?;
        let value = row::encode_event(recorded_time_ns, height, has_sealed, &entry)?;
        self.bytes += EVENT_KEY_BYTES + value.len();
        let whose = entry.subject.unwrap_or(NOBODY);
        self.events.push((key::event_key(&whose, &place), value));
        self.links(recorded_time_ns, place, &entry)?;
        self.round.entries.push((place, entry));
        Ok(())
    }

    fn links(
        &mut self,
        recorded_time_ns: i64,
        place: Place,
        entry: &Entry,
    ) -> Result<(), ReadModelError> {
        let Some(subject) = entry.subject else {
            return Ok(());
        };
        self.ties.extend(link::ties_of(entry, &place));
        self.about.extend(link::about_of(entry, &place));
        self.held
            .extend(link::held_of(recorded_time_ns, entry, &place)?);
        if let Act::Retraction { of } = &entry.act {
            let key = RetractionKey {
                subject,
                of: *of,
                shard: place.shard,
                sequence: place.sequence,
            };
            self.bytes += RETRACTION_KEY_BYTES + 8;
            self.retractions
                .push((key.encode(), row::encode_recorded(recorded_time_ns)));
            self.round.retracted.insert((subject, *of));
        }
        if let Act::House(HouseRecord::Rejudged {
            shard,
            sequence: of,
            cause,
            judgement,
        }) = &entry.act
        {
            let of = EntryRef {
                shard: *shard,
                sequence: *of,
            };
            let value = row::encode(&RejudgementRow {
                recorded_time_ns,
                cause: *cause,
                judgement: judgement.clone(),
            })?;
            self.bytes += REJUDGEMENT_KEY_BYTES + value.len();
            let key = key::rejudgement_key(&subject, &of, place.sequence);
            self.rejudgements.push((key, value));
            let outcome = Outcome::from_code(judgement.outcome_code).unwrap_or_default();
            let again = (subject, place.event_time_ns, place.sequence, outcome);
            let last = self.round.rejudged.entry(of).or_insert(again);
            if last.2 < again.2 {
                *last = again;
            }
        }
        if rights::is_of_request(entry) {
            self.bytes += EVENT_KEY_BYTES;
            self.rights.push(key::event_key(&subject, &place));
        }
        Ok(())
    }

    fn findings(
        &mut self,
        recorded_time_ns: i64,
        height: u64,
        has_sealed: bool,
        place: Place,
        entry: &Entry,
    ) -> Result<(), ReadModelError> {
        if entry.judgement.findings.is_empty() && !matches!(entry.act, Act::House(_)) {
            return Ok(());
        }
        for (key, suppressed) in finding::findings_of(entry, place) {
            let whole = match entry.subject {
                Some(_) => Vec::new(),
                None => row::encode_event(recorded_time_ns, height, has_sealed, entry)?,
            };
            let value = row::encode(&FindingRow {
                recorded_time_ns,
                subject: entry.subject,
                event_tag: entry.event_tag,
                suppressed,
                entry: whole,
            })?;
            let key = key.encode();
            self.bytes += key.len() + value.len();
            self.findings.push((key, value));
        }
        Ok(())
    }
}
