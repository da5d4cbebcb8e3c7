//! Judging again what was judged too early.
//!
//! An event may say what happened before something that was judged already: a
//! consent that was withdrawn an hour before data was used, said an hour after.
//! The entry keeps the judgement that it was given, which is what could be
//! known then; the house shard says what it is now.
//!
//! What is to be judged again is found through the rows that the states' store
//! keeps of each judged entry of a person. A list in the state would have to
//! forget, and be sealed anew for every event; a scan would read the ledger of
//! all persons for one.
//!
//! A review is written in the batch that takes its cause into the store, and
//! removed when the house entries that it brought are durable. One that is done
//! twice finds nothing the second time.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use custody_ledger::{
    Act, Block, Digest, Entry, EntryRef, HouseRecord, Judgement, Kind, ShardDescriptor, ShardId,
};
use custody_policy::{FindingCode, Revocation, SubjectState, Tag, Waiver, judge};
use custody_vault::{EntryContext, Person};
use tracing::debug;

use super::PipelineError;
use super::shared::Shared;
use super::{house, parties};
use crate::metric;
use crate::overdue::Checker;
use crate::project::judgement;
use crate::reread;
use crate::state::{JudgedRow, Reference, Review};

/// Blocks kept in memory, 64 KiB each for the most part.
const RECENT: usize = 32;
/// House entries appended at a time.
const APPEND: usize = 256;
/// Judged entries of a person taken at a time.
const ROWS: usize = 4_096;
/// Duties looked at at a time.
const LOOK: usize = 1_000;
/// Starts the thread, which ends after the review at hand when `stop` does.
pub(super) fn start(shared: Arc<Shared>, stop: Receiver<()>) -> std::io::Result<JoinHandle<()>> {
    shared.clone().helper("review", move || {
        let is_stopped = || stop.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected);
        while !is_stopped() && shared.failure().is_none() {
            shared.work_off(&is_stopped)?;
            shared.reviews.wait();
        }
        Ok(())
    })
}

impl Shared {
    /// Takes in what is new in the house shard.
    pub(super) fn follow_house(&self) -> Result<(), PipelineError> {
        let keys = &self.options.waiver_keys;
        let waivers = &self.options.waivers;
        Ok(house::follow(
            &self.states,
            &self.ledger,
            |sequence, recorded_ns, record| {
                // What was there on start was taken in then.
                if sequence >= self.house_size {
                    waivers.take(keys, recorded_ns, record);
                }
            },
        )?)
    }

    pub(super) fn give_waiver(&self, note: &str) -> Result<String, PipelineError> {
        let waiver = Waiver::open(note, &self.options.waiver_keys)?;
        let overdue = [FindingCode::ResponseOverdue, FindingCode::NoticeOverdue];
        if let Some(code) = waiver.codes.iter().find(|code| overdue.contains(code)) {
            return Err(PipelineError::WaiverOfDuty { code: code.name() });
        }
        let _working = self.reviews.working.lock();
        self.follow_house()?;
        let id = waiver.id;
        if self
            .options
            .waivers
            .now()
            .iter()
            .any(|(known, _)| known.id == id)
        {
            return Err(PipelineError::WaiverKnown { id });
        }
        let record = HouseRecord::WaiverGiven {
            id: id.clone(),
            note: note.to_owned(),
        };
        let now_ns = (self.clock)();
        self.append(vec![parties::house(Kind::WaiverGiven, now_ns, record)])?;
        Ok(id)
    }

    pub(super) fn revoke_waiver(&self, id: &str, note: &str) -> Result<(), PipelineError> {
        let revocation = Revocation::open(note, &self.options.waiver_keys)?;
        if revocation.id != id {
            return Err(PipelineError::OtherWaiver { id: revocation.id });
        }
        let _working = self.reviews.working.lock();
        let record = HouseRecord::WaiverRevoked {
            id: id.to_owned(),
            note: note.to_owned(),
        };
        let now_ns = (self.clock)();
        self.append(vec![parties::house(Kind::WaiverRevoked, now_ns, record)])
    }

    /// Does every review that can be done.
    fn work_off(&self, is_stopped: &dyn Fn() -> bool) -> Result<(), PipelineError> {
        let working = self.reviews.working.lock();
        self.follow_house()?;
        let waiting = self.reviews.queue.lock().subjects.len();
        for _ in 0..waiting {
            if is_stopped() {
                break;
            }
            let Some(causes) = self.reviews.queue.lock().take() else {
                break;
            };
            let (mut group, mut rest) = (Vec::new(), Vec::new());
            for cause in causes {
                if self.is_ready(&cause)? {
                    group.push(cause);
                } else {
                    rest.push(cause);
                }
            }
            let mut done = 0;
            if self.review(&group, is_stopped)? {
                done = group.len();
            } else {
                rest.append(&mut group);
            }
            let mut queue = self.reviews.queue.lock();
            queue.pending = queue.pending.saturating_sub(done);
            for review in rest {
                queue.push(review);
            }
        }
        drop(working);
        Ok(())
    }

    /// Whether everything that was judged before the cause is in the store.
    fn is_ready(&self, review: &Review) -> Result<bool, PipelineError> {
        for (shard, sequence) in &review.wait {
            let position = self.states.store().position(*shard)?;
            if position.is_none_or(|position| position.size <= *sequence) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does reviews of one person. `false` where it was stopped: they are to be
    /// done again.
    fn review(
        &self,
        group: &[Review],
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<bool, PipelineError> {
        let Some(first) = group.first() else {
            return Ok(true);
        };
        let store = self.states.store();
        let from_ns = group.iter().map(|review| review.from_ns).min();
        let (state, set) = self.states.now(first.subject)?;
        // Judged by less than was known, everything would look better. They are
        // begun again when the states are made again.
        let is_lost = self.states.is_lost(&set);
        let set = if is_lost { Vec::new() } else { set };
        // What was in force before may be forgotten.
        let since_ns = state.known_since_ns().unwrap_or(i64::MIN);
        let (mut judged, mut differing) = (0, 0);
        let mut entries = Vec::new();
        for subject in set {
            let mut rows = store.judged_after(&subject, from_ns.unwrap_or(i64::MIN));
            loop {
                let mut some = Vec::new();
                for row in rows.by_ref().take(ROWS) {
                    some.push(row?);
                }
                if some.is_empty() {
                    break;
                }
                some.retain(|row| row.time_ns >= since_ns);
                // A block is read and gone through once.
                some.sort_unstable_by_key(|row| row.at);
                let of_block =
                    |a: &JudgedRow, b: &JudgedRow| (a.at.shard, a.height) == (b.at.shard, b.height);
                for rows in some.chunk_by(of_block) {
                    if is_stopped() {
                        return Ok(false);
                    }
                    let again = self.review_block(group, subject, rows, &state)?;
                    judged += rows.len();
                    differing += again.len() as u64;
                    entries.extend(again);
                    while entries.len() >= APPEND {
                        let rest = entries.split_off(APPEND);
                        self.append(std::mem::replace(&mut entries, rest))?;
                    }
                }
            }
        }
        if !entries.is_empty() {
            self.append(entries)?;
        }
        for review in group {
            store.review_done(review.cause)?;
        }
        metric::rejudged(differing);
        debug!(shard = %first.cause.shard, sequence = first.cause.sequence,
            causes = group.len(), judged, differing, "judged again what came before late events");
        Ok(true)
    }

    /// Judges entries of one person in one block again. `rows` are in order.
    fn review_block(
        &self,
        group: &[Review],
        subject: Reference,
        rows: &[JudgedRow],
        state: &SubjectState,
    ) -> Result<Vec<Entry>, PipelineError> {
        let mut found = Vec::new();
        let (Some(first), Some(person)) = (rows.first(), self.vault.person(&subject)?) else {
            return Ok(found);
        };
        let Some(block) = self.block(first.at.shard, first.height)? else {
            return Ok(found);
        };
        // What was judged by other rules is left as it was judged: these are
        // not the rules of its time.
        if block.header.ruleset.0 != self.options.ruleset.digest() {
            return Ok(found);
        }
        let mut rows = rows.iter().peekable();
        for stored in block.stored_entries() {
            let (sequence, bytes) = stored?;
            let Some(row) = rows.next_if(|row| row.at.sequence == sequence) else {
                continue;
            };
            let concerns =
                |review: &&Review| review.from_ns < row.time_ns && review.cause != row.at;
            let Some(review) = group.iter().find(concerns) else {
                continue;
            };
            // Only these are decoded.
            let entry = Entry::decode(bytes)?;
            let again = self.judge_again(review.cause, &person, row.at, &entry, state)?;
            found.extend(again);
        }
        Ok(found)
    }

    fn append(&self, entries: Vec<Entry>) -> Result<(), PipelineError> {
        let ruleset = Digest(self.options.ruleset.digest());
        self.ledger.append_house(entries, (self.clock)(), ruleset)?;
        self.follow_house()
    }

    /// The house entry that says how an entry is judged now, where that is
    /// otherwise than it was judged last.
    fn judge_again(
        &self,
        cause: EntryRef,
        person: &Person,
        at: EntryRef,
        entry: &Entry,
        state: &SubjectState,
    ) -> Result<Option<Entry>, PipelineError> {
        let context = EntryContext {
            ledger: self.ledger.id().0,
            shard: at.shard.0,
            sequence: at.sequence,
        };
        // An entry that does not open was erased, or is for `verify` to name.
        let Some(event) = reread::normalised(person, &context, &entry.sealed) else {
            return Ok(None);
        };
        let Ok(facts) = event.facts() else {
            return Ok(None);
        };
        let waivers = self.options.waivers.now();
        let parents: Vec<Tag> = entry.parent_tags.iter().map(|tag| tag.0).collect();
        let settings = self
            .options
            .settings(&waivers, (self.clock)(), at, &parents);
        let verdict = judge(&self.options.ruleset, &facts, state, &settings);
        let mut now = judgement(verdict.to_stored(&self.options.ruleset));
        now.late = entry.judgement.late;
        let last = match self.states.store().rejudged(at)? {
            Some((height, sequence)) => self.rejudged(height, sequence)?,
            None => None,
        };
        if last.as_ref().unwrap_or(&entry.judgement) == &now {
            return Ok(None);
        }
        let mut again = Entry::new(Kind::Rejudged, entry.event_time_ns);
        again.subject = entry.subject;
        again.act = Act::House(HouseRecord::Rejudged {
            shard: at.shard,
            sequence: at.sequence,
            cause,
            judgement: now,
        });
        Ok(Some(again))
    }

    /// An entry and when it was recorded.
    fn entry(&self, at: EntryRef, height: u64) -> Result<Option<(i64, Entry)>, PipelineError> {
        let Some(block) = self.block(at.shard, height)? else {
            return Ok(None);
        };
        // Only this one is decoded.
        for stored in block.stored_entries() {
            let (sequence, bytes) = stored?;
            if sequence == at.sequence {
                let entry = Entry::decode(bytes)?;
                return Ok(Some((block.header.recorded_time_ns, entry)));
            }
        }
        Ok(None)
    }

    /// A block. What is judged again was mostly recorded a moment ago, so that
    /// the last few are kept.
    fn block(&self, shard: ShardId, height: u64) -> Result<Option<Arc<Block>>, PipelineError> {
        let mut recent = self.reviews.recent.lock();
        let is_it =
            |block: &Arc<Block>| block.header.shard == shard && block.header.height == height;
        if let Some(index) = recent.iter().position(is_it) {
            // The last one used stands last.
            recent[index..].rotate_left(1);
            return Ok(recent.last().cloned());
        }
        let Some(block) = self.ledger.read_block(shard, height)?.map(Arc::new) else {
            return Ok(None);
        };
        if recent.len() >= RECENT {
            recent.remove(0);
        }
        recent.push(Arc::clone(&block));
        Ok(Some(block))
    }

    fn rejudged(&self, height: u64, sequence: u64) -> Result<Option<Judgement>, PipelineError> {
        let at = EntryRef {
            shard: ShardDescriptor::house().id(),
            sequence,
        };
        Ok(self
            .entry(at, height)?
            .and_then(|(_, entry)| match entry.act {
                Act::House(HouseRecord::Rejudged { judgement, .. }) => Some(judgement),
                _ => None,
            }))
    }

    /// Says of every duty whose deadline has passed at `now_ns` that it has.
    pub(super) fn check_overdue(&self, now_ns: i64) -> Result<usize, PipelineError> {
        let _working = self.reviews.working.lock();
        self.follow_house()?;
        let checker = Checker {
            states: &self.states,
            deadlines: &*self.options.deadlines,
            ruleset: &self.options.ruleset,
            retention_days: self.options.retention_days_after_account_closed,
        };
        let mut found = 0;
        loop {
            let mut looked = checker.look(now_ns, LOOK)?;
            if looked.is_empty() {
                return Ok(found);
            }
            let entries: Vec<Entry> = looked.iter_mut().filter_map(|l| l.entry.take()).collect();
            found += entries.len();
            for chunk in entries.chunks(APPEND) {
                self.append(chunk.to_vec())?;
            }
            // Only now: what was found is known by the house shard.
            let mut batch = self.states.store().batch();
            for looked in &looked {
                looked.settle(&mut batch);
            }
            batch.commit()?;
        }
    }
}
