//! What happens to one message before it is appended.

use std::sync::Arc;

use custody_ledger::{
    Digest, Entry, EntryRef, EventTag, HouseRecord, Judgement, Kind, ShardId, SubjectReference,
};
use custody_policy::{Facts, SubjectState, judge};
use custody_vault::{Admission, EntryContext, VaultError};
use tracing::info_span;

use super::PipelineError;
use super::parties::house;
use super::shared::Shared;
use crate::decode::decode;
use crate::duplicates::{Digests, Sighting};
use crate::message::RawMessage;
use crate::normalise::{NormalisedEvent, normalise};
use crate::overdue;
use crate::project::{judgement, project, seal_record};
use crate::rejection::{Rejection, RejectionCode};
use crate::state::{Arrival, Effect, Origin, Reference, is_judged};

/// What became of a message.
pub(super) enum Prepared {
    /// An entry, ready to be appended at the sequence that was asked for.
    Entry {
        /// The entry.
        entry: Box<Entry>,
        /// What the duplicates index is to remember of it.
        digests: Digests,
        /// What is to be done when it is durable.
        effect: Option<Effect>,
    },
    /// It was stored before within the window.
    Duplicate,
    /// It cannot be stored.
    Rejected(Rejection),
    /// Its person is being erased. What is on its way must become durable before
    /// it can [go on](Stage::proceed), as somebody new.
    Fenced(Box<Seen>),
}

/// An event that was read and not seen before.
pub(super) struct Seen {
    event: NormalisedEvent,
    digests: Digests,
    now_ns: i64,
}

/// Prepares the messages of one shard.
pub(super) struct Stage {
    shared: Arc<Shared>,
    shard: ShardId,
    ledger_id: [u8; 16],
}

impl Stage {
    pub(super) fn new(shared: Arc<Shared>, shard: ShardId) -> Self {
        let ledger_id = shared.ledger.id().0;
        Self {
            shared,
            shard,
            ledger_id,
        }
    }

    /// Takes a message up to the entry that would stand at `sequence`. What
    /// the house shard is to be told is added to `house_entries`.
    pub(super) fn prepare(
        &self,
        message: &RawMessage,
        sequence: u64,
        house_entries: &mut Vec<Entry>,
    ) -> Result<Prepared, PipelineError> {
        let shared = &*self.shared;
        let now_ns = (shared.clock)();
        let event = match self.read(message, now_ns) {
            Ok(event) => event,
            Err(rejection) => return Ok(Prepared::Rejected(rejection)),
        };
        let digests = Digests::new(event.source(), event.id(), event.content_digest());
        match shared.duplicates.see(&digests, now_ns)? {
            Sighting::Fresh => {}
            Sighting::Duplicate => return Ok(Prepared::Duplicate),
            Sighting::Conflict => {
                return Ok(Prepared::Rejected(Rejection::new(
                    RejectionCode::ConflictingDuplicate,
                    "an event with this source and id was stored with other content",
                )));
            }
        }

        let seen = Box::new(Seen {
            event,
            digests,
            now_ns,
        });
        self.proceed(message, seen, sequence, house_entries)
    }

    /// Takes an event that was not seen before from its person on; see
    /// [`prepare`](Self::prepare).
    pub(super) fn proceed(
        &self,
        message: &RawMessage,
        seen: Box<Seen>,
        sequence: u64,
        house_entries: &mut Vec<Entry>,
    ) -> Result<Prepared, PipelineError> {
        let shared = &*self.shared;
        let span = seen.event.traceparent().map(|parent| {
            info_span!(
                "ingest",
                trace_id = %parent.trace_id(),
                parent_span_id = %parent.parent_id(),
                shard = %self.shard,
                sequence,
                offset = message.offset,
            )
        });
        let _entered = span.as_ref().map(|span| span.enter());

        let admission = match self.admit(&seen.event, message.offset, seen.now_ns, house_entries) {
            Err(PipelineError::Vault(VaultError::Erasing)) => return Ok(Prepared::Fenced(seen)),
            admission => admission?,
        };
        let Seen {
            event,
            digests,
            now_ns,
        } = *seen;
        let person = &admission.person;
        for party in event.parties() {
            shared
                .parties
                .meet(&party, self.shard, message.offset, now_ns, house_entries);
        }

        let has_subject = !event.ids().is_empty();
        let mut entry = project(
            &event,
            message,
            has_subject.then(|| SubjectReference(person.reference())),
            &|source: &str, id: &str| EventTag(person.tag(source, id)),
        );
        let context = EntryContext {
            ledger: self.ledger_id,
            shard: self.shard.0,
            sequence,
        };
        entry.sealed = person.seal(&context, &seal_record(message))?;
        let effect = self.judge(event, &mut entry, sequence, &admission, house_entries)?;
        Ok(Prepared::Entry {
            entry: Box::new(entry),
            digests,
            effect,
        })
    }

    /// Judges an event by what is known of its person, and makes it known.
    fn judge(
        &self,
        event: NormalisedEvent,
        entry: &mut Entry,
        sequence: u64,
        admission: &Admission,
        house_entries: &mut Vec<Entry>,
    ) -> Result<Option<Effect>, PipelineError> {
        let person = &admission.person;
        let at = EntryRef {
            shard: self.shard,
            sequence,
        };
        let Ok(facts) = event.facts() else {
            // The vocabulary that resolved its terms has them.
            return Ok(None);
        };
        let Some(subject) = entry.subject else {
            let duties = overdue::changes(&self.shared.vault, &event, entry, at, person, &[])?;
            let effect = Effect {
                at,
                time_ns: entry.event_time_ns,
                subject: None,
                judged: false,
                changes: false,
                review: None,
                duties,
                marked_day: None,
            };
            return Ok(effect.does_something().then_some(effect));
        };
        let origin = Origin::new(&event, entry, at, person);
        let is_judged = is_judged(event.kind());
        // Held until the event is applied: another shard that has an event of
        // this person waits.
        let marked_day = admission.erased_day.filter(|_| admission.is_new);
        let arrival = if admission.is_new {
            Arrival::New(marked_day)
        } else {
            Arrival::Known
        };
        let linked = &admission.linked;
        let mut session = self
            .shared
            .states
            .enter(subject.0, arrival, !linked.is_empty())?;
        let offset = entry.offset.unwrap_or_default();
        for other in session.unsaid(linked)? {
            house_entries.push(self.linked(subject.0, other, offset));
        }
        if is_judged {
            entry.judgement = self.judgement(&facts, session.state(), &origin);
        }
        entry.judgement.late = session.is_late(event.time_ns());
        let duties = overdue::changes(
            &self.shared.vault,
            &event,
            entry,
            at,
            person,
            session.others(),
        )?;
        session.apply(&facts, &origin);
        let mut effect = session.conclude(event, origin, is_judged, marked_day);
        effect.duties = duties;
        Ok(effect.does_something().then_some(effect))
    }

    fn judgement(&self, facts: &Facts<'_>, state: &SubjectState, origin: &Origin) -> Judgement {
        let options = &self.shared.options;
        let waivers = options.waivers.now();
        let settings =
            options.settings(&waivers, (self.shared.clock)(), origin.at, origin.parents());
        let verdict = judge(&options.ruleset, facts, state, &settings);
        judgement(verdict.to_stored(&options.ruleset))
    }

    /// Decodes and normalises, and checks who may say what.
    fn read(&self, message: &RawMessage, now_ns: i64) -> Result<NormalisedEvent, Rejection> {
        let options = &self.shared.options;
        let decoded = decode(message, &options.limits, now_ns)?;
        if !options.sources.allow(&decoded.source, &message.topic) {
            return Err(Rejection::new(
                RejectionCode::SourceNotAllowed,
                "this source may not use this topic",
            ));
        }
        normalise(decoded)
    }

    /// The person that the event is about, or the house where it is nobody.
    fn admit(
        &self,
        event: &NormalisedEvent,
        offset: i64,
        now_ns: i64,
        house_entries: &mut Vec<Entry>,
    ) -> Result<Admission, PipelineError> {
        if event.ids().is_empty() {
            return Ok(Admission {
                person: self.shared.vault.house(),
                is_new: false,
                linked: Vec::new(),
                erased_day: None,
            });
        }
        let ids: Vec<&str> = event.ids().iter().map(String::as_str).collect();
        let admission = self.shared.vault.admit_at(&ids, event.time_ns())?;
        for &(a, b) in &admission.linked {
            house_entries.push(self.linked(a, b, offset));
        }
        if let Some(day) = admission.erased_day.filter(|_| admission.is_new) {
            let subject = SubjectReference(admission.person.reference());
            let record = HouseRecord::SuppressionApplied { subject, day };
            let mut marked = house(Kind::SuppressionApplied, now_ns, record);
            marked.subject = Some(subject);
            // At once: the vault tells it of a new person only, and the person may
            // become durable with the next block of any shard.
            let ruleset = Digest(self.shared.options.ruleset.digest());
            self.shared
                .ledger
                .append_house(vec![marked], now_ns, ruleset)?;
        }
        Ok(admission)
    }

    /// Says that two persons turned out to be one.
    fn linked(&self, a: Reference, b: Reference, offset: i64) -> Entry {
        let record = HouseRecord::IdentityLinked {
            a: SubjectReference(a),
            b: SubjectReference(b),
            shard: self.shard,
            offset,
        };
        house(Kind::IdentityLinked, (self.shared.clock)(), record)
    }
}
