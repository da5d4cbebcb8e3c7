//! What the judge would say of what is recorded, by other rules: a report that
//! changes nothing.
//!
//! The ledger is read twice: once for what is known of each person, and once
//! to judge. So an entry is judged on all that is known today of the time at
//! which it happened, as entries are that a late event concerns.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use custody_ingest::{DecodeLimits, NormalisedEvent, RawMessage, decode, normalise};
use custody_ledger::entry::EntryRef;
use custody_ledger::{Act, Block, Entry, HouseRecord, Judgement, Ledger, ShardDescriptor};
use custody_policy::{
    EntryRef as PolicyEntryRef, Provenance, Ruleset, Settings, StoredVerdict, SubjectState,
    Waivers, judge, judge_by,
};
use custody_proto::event::event::Act as Said;
use custody_proto::sealed::SealedMessage;
use custody_vault::{EntryContext, Person, Vault};
use serde::Serialize;

use crate::error::CommandError;

/// Bytes of blocks read at a time.
const READ_BYTES: usize = 4 << 20;

/// What is judged again, and by what.
pub struct Question<'a> {
    /// By these rules.
    pub rules: &'a Ruleset,
    /// By this version of them, in place of the one in force; only what the
    /// services of the version did.
    pub policy: Option<&'a str>,
    /// What happened from then on, nanoseconds since 1970 UTC.
    pub from_ns: i64,
    /// What happened before then.
    pub to_ns: i64,
    /// Of this person, `scheme:value`.
    pub subject: Option<&'a str>,
    /// The operator's period after an account is closed.
    pub retention_days: Option<u32>,
    /// The waivers in force.
    pub waivers: &'a Waivers,
    /// When it is judged.
    pub now_ns: i64,
}

/// Before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// By the judgement in force.
    pub before: u64,
    /// By the rules of the question.
    pub after: u64,
}

/// A judgement in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Short {
    /// `conforms`, `gap`, ….
    pub judgement: String,
    /// The policy version judged by.
    pub policy: String,
    /// Codes of what was found, each once.
    pub codes: Vec<String>,
    /// Clauses that the findings rest on.
    pub clauses: Vec<String>,
}

/// An entry that is judged otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// The shard's id.
    pub shard: String,
    /// The entry's number.
    pub sequence: u64,
    /// When it happened.
    pub event_time: String,
    /// The kind.
    pub kind: String,
    /// What the person used.
    pub service: String,
    /// The judgement in force.
    pub before: Short,
    /// By the rules of the question.
    pub after: Short,
}

/// What became of a range of the ledger.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Entries that were judged again.
    pub entries: u64,
    /// Of these, those that are judged otherwise.
    pub differing: u64,
    /// Entries in the range that cannot be opened: erased, or damaged.
    pub unreadable: u64,
    /// By outcome.
    pub outcomes: BTreeMap<String, Change>,
    /// By code of what was found and not waived.
    pub codes: BTreeMap<String, Change>,
    /// Those that differ.
    pub details: Vec<Differing>,
}

/// Judges a range of the ledger by other rules. Nothing is stored.
///
/// # Errors
/// [`CommandError::Store`] where ledger or vault cannot be read,
/// [`CommandError::Usage`] where there is no such person or version.
pub fn rejudge(
    ledger: &Ledger,
    vault: &Vault,
    question: &Question<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, CommandError> {
    let mut reading = Reading {
        ledger,
        vault,
        persons: HashMap::new(),
        only: only(vault, question.subject)?,
        states: HashMap::new(),
        rejudged: HashMap::new(),
    };
    let mut first = |block: &Block| {
        progress(block.header.entries.into());
        reading.learn(block)
    };
    each_block(ledger, &mut first)?;
    let services: Option<BTreeSet<String>> = match question.policy {
        Some(id) => {
            let found = question.rules.policy_of(id);
            let found =
                found.ok_or_else(|| CommandError::Usage(format!("no policy has the id {id}")))?;
            let pack = question.rules.policy(found).pack();
            Some(pack.services().map(str::to_owned).collect())
        }
        None => None,
    };
    let mut report = Report::default();
    let mut merged: HashMap<[u8; 16], SubjectState> = HashMap::new();
    let mut second = |block: &Block| {
        progress(block.header.entries.into());
        reading.judge(block, question, services.as_ref(), &mut merged, &mut report)
    };
    each_block(ledger, &mut second)?;
    Ok(report)
}

/// The references of a person; `None` for everybody.
fn only(vault: &Vault, subject: Option<&str>) -> Result<Option<BTreeSet<[u8; 16]>>, CommandError> {
    let Some(id) = subject else {
        return Ok(None);
    };
    let found = vault
        .lookup(id)
        .map_err(|error| CommandError::Usage(error.to_string()))?
        .ok_or_else(|| CommandError::Usage("nobody is known by that identifier".to_owned()))?;
    Ok(Some(found.persons.iter().map(Person::reference).collect()))
}

/// Every block of all shards in the order in which they were recorded.
fn each_block(
    ledger: &Ledger,
    take: &mut dyn FnMut(&Block) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let failed = |error: custody_ledger::LedgerError| failure("the ledger", error.to_string());
    let mut shards: Vec<(ShardDescriptor, u64, VecDeque<Block>)> = Vec::new();
    for (descriptor, _) in ledger.shards() {
        shards.push((descriptor, 0, VecDeque::new()));
    }
    let bytes = (READ_BYTES / shards.len().max(1)).max(64 << 10);
    loop {
        let mut earliest: Option<(i64, usize)> = None;
        for (index, (descriptor, height, read)) in shards.iter_mut().enumerate() {
            if read.is_empty() {
                *read = ledger
                    .read_blocks(descriptor.id(), *height, bytes)
                    .map_err(failed)?
                    .into();
                *height += read.len() as u64;
            }
            if let Some(block) = read.front() {
                let at = block.header.recorded_time_ns;
                if earliest.is_none_or(|(known, _)| at < known) {
                    earliest = Some((at, index));
                }
            }
        }
        let next = earliest.and_then(|(_, index)| shards.get_mut(index)?.2.pop_front());
        match next {
            Some(block) => take(&block)?,
            None => return Ok(()),
        }
    }
}

fn failure(what: &'static str, reason: String) -> CommandError {
    CommandError::Stopped { what, reason }
}

struct Reading<'a> {
    ledger: &'a Ledger,
    vault: &'a Vault,
    persons: HashMap<[u8; 16], Option<Person>>,
    only: Option<BTreeSet<[u8; 16]>>,
    states: HashMap<[u8; 16], SubjectState>,
    /// Judgements that took the place of those in entries.
    rejudged: HashMap<EntryRef, Judgement>,
}

impl Reading<'_> {
    /// What a block says of the persons in it.
    fn learn(&mut self, block: &Block) -> Result<(), CommandError> {
        for entry in block.entries() {
            // A damaged entry is for `verify` to name.
            let Ok((sequence, entry)) = entry else {
                continue;
            };
            if let Act::House(HouseRecord::Rejudged {
                shard,
                sequence,
                judgement,
                ..
            }) = entry.act
            {
                let at = EntryRef { shard, sequence };
                self.rejudged.insert(at, judgement);
                continue;
            }
            if let Act::House(HouseRecord::SuppressionApplied { subject, day }) = entry.act {
                // Said before the person's first event.
                let start = SubjectState::erased_on(day);
                self.states.entry(subject.0).or_default().merge(&start);
                continue;
            }
            let Some(reference) = self.whose(&entry) else {
                continue;
            };
            let Some((person, event)) = self.event(block, sequence, &entry, reference)? else {
                continue;
            };
            let Ok(facts) = event.facts() else { continue };
            if !SubjectState::changes_judgement(&facts) {
                continue;
            }
            let request = match &event.data().act {
                Some(Said::RightsRequest(act)) => Some(person.tag("", &act.request_id)),
                Some(Said::RightsResponse(act)) => Some(person.tag("", &act.request_id)),
                _ => None,
            };
            let parents = parents(&entry);
            let provenance = Provenance {
                at: PolicyEntryRef {
                    shard: block.header.shard.0,
                    sequence,
                },
                tag: entry.event_tag.map(|tag| tag.0).unwrap_or_default(),
                request,
                parents: &parents,
                retracts: match &entry.act {
                    Act::Retraction { of } => Some(of.0),
                    _ => None,
                },
            };
            self.states
                .entry(reference)
                .or_default()
                .apply(&facts, provenance);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        block: &Block,
        question: &Question<'_>,
        services: Option<&BTreeSet<String>>,
        merged: &mut HashMap<[u8; 16], SubjectState>,
        report: &mut Report,
    ) -> Result<(), CommandError> {
        for entry in block.entries() {
            let Ok((sequence, entry)) = entry else {
                continue;
            };
            let in_range = (question.from_ns..question.to_ns).contains(&entry.event_time_ns)
                && services.is_none_or(|services| services.contains(&entry.service));
            let is_judged = matches!(
                entry.act,
                Act::Collection { .. }
                    | Act::Use { .. }
                    | Act::Disclosure { .. }
                    | Act::Transfer { .. }
            );
            if !in_range || !is_judged {
                continue;
            }
            let Some(reference) = self.whose(&entry) else {
                continue;
            };
            let Some((_, event)) = self.event(block, sequence, &entry, reference)? else {
                report.unreadable += 1;
                continue;
            };
            let Ok(facts) = event.facts() else {
                report.unreadable += 1;
                continue;
            };
            let state = self.state(reference, merged)?;
            let parents = parents(&entry);
            let settings = Settings {
                retention_days_after_account_closed: question.retention_days,
                waivers: Some(question.waivers),
                recorded_ns: question.now_ns,
                parents: &parents,
                entry: Some(PolicyEntryRef {
                    shard: block.header.shard.0,
                    sequence,
                }),
            };
            let verdict = match question.policy {
                Some(policy) => judge_by(question.rules, &facts, state, &settings, policy),
                None => Some(judge(question.rules, &facts, state, &settings)),
            };
            let Some(verdict) = verdict else { continue };
            let at = EntryRef {
                shard: block.header.shard,
                sequence,
            };
            let before = self.rejudged.get(&at).unwrap_or(&entry.judgement);
            report.add(at, &entry, before, &verdict.to_stored(question.rules));
        }
        Ok(())
    }

    /// Whose entry it is, where it is asked for.
    fn whose(&self, entry: &Entry) -> Option<[u8; 16]> {
        let reference = entry.subject?.0;
        let wanted = self
            .only
            .as_ref()
            .is_none_or(|only| only.contains(&reference));
        wanted.then_some(reference)
    }

    /// The state of a person, with that of linked references.
    fn state<'m>(
        &self,
        reference: [u8; 16],
        merged: &'m mut HashMap<[u8; 16], SubjectState>,
    ) -> Result<&'m SubjectState, CommandError> {
        let empty = match merged.entry(reference) {
            Slot::Occupied(known) => return Ok(known.into_mut()),
            Slot::Vacant(empty) => empty,
        };
        let mut state = self.states.get(&reference).cloned().unwrap_or_default();
        let linked = self.vault.linked(&reference);
        for other in linked.map_err(|error| failure("the vault", error.to_string()))? {
            if let Some(other) = self.states.get(&other) {
                state.merge(other);
            }
        }
        Ok(empty.insert(state))
    }

    /// The event of an entry; `None` where it does not open.
    fn event(
        &mut self,
        block: &Block,
        sequence: u64,
        entry: &Entry,
        reference: [u8; 16],
    ) -> Result<Option<(&Person, NormalisedEvent)>, CommandError> {
        let person: &Option<Person> = match self.persons.entry(reference) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(empty) => {
                let found = self.vault.person(&reference);
                empty.insert(found.map_err(|error| failure("the vault", error.to_string()))?)
            }
        };
        let Some(person) = person else {
            return Ok(None);
        };
        let context = EntryContext {
            ledger: self.ledger.id().0,
            shard: block.header.shard.0,
            sequence,
        };
        let Ok(plain) = person.open(&context, &entry.sealed) else {
            return Ok(None);
        };
        Ok(opened(&plain, block.header.recorded_time_ns).map(|event| (person, event)))
    }
}

/// The event in a sealed part, read as it was when it came in.
fn opened(plain: &[u8], recorded_ns: i64) -> Option<NormalisedEvent> {
    // It passed the limits of its day.
    let limits = DecodeLimits {
        max_message_bytes: usize::MAX,
        max_id_bytes: usize::MAX,
        max_list: usize::MAX,
        max_text_bytes: usize::MAX,
    };
    let sealed = SealedMessage::from_bytes(plain).ok()?;
    let message = RawMessage {
        topic: "".into(),
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: sealed.key,
        headers: sealed
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
        payload: Some(sealed.payload),
    };
    normalise(decode(&message, &limits, recorded_ns).ok()?).ok()
}

fn parents(entry: &Entry) -> Vec<[u8; 16]> {
    entry.parent_tags.iter().map(|tag| tag.0).collect()
}

impl Report {
    fn add(&mut self, at: EntryRef, entry: &Entry, before: &Judgement, after: &StoredVerdict) {
        self.entries += 1;
        let old_outcome = custody_ledger::entry::Outcome::from_code(before.outcome_code)
            .unwrap_or_default()
            .name();
        let new_outcome = after.outcome.name();
        self.outcomes
            .entry(old_outcome.to_owned())
            .or_default()
            .before += 1;
        self.outcomes
            .entry(new_outcome.to_owned())
            .or_default()
            .after += 1;

        let old: BTreeSet<(&str, bool)> = before
            .findings
            .iter()
            .map(|finding| (finding.code.as_str(), finding.suppressed))
            .collect();
        let new: BTreeSet<(&str, bool)> = after
            .findings
            .iter()
            .map(|finding| (finding.code.name(), finding.waiver.is_some()))
            .collect();
        for (code, _) in old.iter().filter(|(_, waived)| !waived) {
            self.codes.entry((*code).to_owned()).or_default().before += 1;
        }
        for (code, _) in new.iter().filter(|(_, waived)| !waived) {
            self.codes.entry((*code).to_owned()).or_default().after += 1;
        }
        if old == new && old_outcome == new_outcome {
            return;
        }
        self.differing += 1;
        let short = |outcome: &str, policy: &str, codes: &BTreeSet<(&str, bool)>, clauses| Short {
            judgement: outcome.to_owned(),
            policy: policy.to_owned(),
            codes: codes.iter().map(|(code, _)| (*code).to_owned()).collect(),
            clauses,
        };
        let old_clauses = before
            .findings
            .iter()
            .flat_map(|it| it.clauses.clone())
            .collect();
        let new_clauses = after
            .findings
            .iter()
            .flat_map(|it| it.clauses.clone())
            .collect();
        self.details.push(Differing {
            shard: at.shard.to_string(),
            sequence: at.sequence,
            event_time: jiff::Timestamp::from_nanosecond(entry.event_time_ns.into())
                .map(|at| at.to_string())
                .unwrap_or_default(),
            kind: entry
                .kind()
                .map(|kind| kind.name().to_owned())
                .unwrap_or_default(),
            service: entry.service.clone(),
            before: short(old_outcome, &before.policy, &old, old_clauses),
            after: short(new_outcome, &after.policy, &new, new_clauses),
        });
    }
}

#[cfg(test)]
mod tests;
