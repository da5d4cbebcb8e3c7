//! What happens to one message before it is appended.

use std::sync::Arc;

use custody_ledger::{Entry, EventTag, HouseRecord, Kind, ShardId, SubjectReference};
use custody_policy::{Settings, SubjectState, judge};
use custody_vault::{EntryContext, Person};
use tracing::info_span;

use super::PipelineError;
use super::feed::Shared;
use super::parties::house;
use crate::decode::decode;
use crate::duplicates::{Digests, Sighting};
use crate::message::RawMessage;
use crate::normalise::{NormalisedEvent, normalise};
use crate::project::{judgement, project, seal_record};
use crate::rejection::{Rejection, RejectionCode};

/// What became of a message.
pub(super) enum Prepared {
    /// An entry, ready to be appended at the sequence that was asked for.
    Entry {
        /// The entry.
        entry: Box<Entry>,
        /// What the duplicates index is to remember of it.
        digests: Digests,
    },
    /// It was stored before within the window.
    Duplicate,
    /// It cannot be stored.
    Rejected(Rejection),
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
        let span = event.traceparent().map(|parent| {
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

        let person = self.admit(&event, message.offset, now_ns, house_entries)?;
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
        if let Ok(facts) = event.facts() {
            let verdict = judge(
                shared.ruleset,
                &facts,
                &SubjectState::default(),
                &Settings::default(),
            );
            entry.judgement = judgement(verdict.to_stored(shared.ruleset));
        }

        let context = EntryContext {
            ledger: self.ledger_id,
            shard: self.shard.0,
            sequence,
        };
        entry.sealed = person.seal(&context, &seal_record(message))?;
        Ok(Prepared::Entry {
            entry: Box::new(entry),
            digests,
        })
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
    ) -> Result<Person, PipelineError> {
        if event.ids().is_empty() {
            return Ok(self.shared.vault.house());
        }
        let ids: Vec<&str> = event.ids().iter().map(String::as_str).collect();
        let admission = self.shared.vault.admit(&ids)?;
        for (a, b) in admission.linked {
            house_entries.push(house(
                Kind::IdentityLinked,
                now_ns,
                HouseRecord::IdentityLinked {
                    a: SubjectReference(a),
                    b: SubjectReference(b),
                    shard: self.shard,
                    offset,
                },
            ));
        }
        Ok(admission.person)
    }
}
