//! How large an event may be.

use custody_proto::event::{Event, EventReference, Party, event::Act};

use crate::message::RawMessage;
use crate::rejection::{Rejection, RejectionCode};

/// The most headers that a message may have.
const MAX_HEADERS: usize = 1024;

/// How much of a message is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of key, headers and payload. Default 1 MiB, which is also what a
    /// Kafka broker takes by default.
    pub max_message_bytes: usize,
    /// Bytes of an identifier, an event's `id` and `source`, and a request's
    /// id. Default 1,024.
    pub max_id_bytes: usize,
    /// Members of a list. Default 256.
    pub max_list: usize,
    /// Bytes of a note, a reason, a name and the like. Default 64 KiB.
    pub max_text_bytes: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: 1 << 20,
            max_id_bytes: 1024,
            max_list: 256,
            max_text_bytes: 64 << 10,
        }
    }
}

impl DecodeLimits {
    /// No limits: for what was let in before.
    pub(crate) const NONE: Self = Self {
        max_message_bytes: usize::MAX,
        max_id_bytes: usize::MAX,
        max_list: usize::MAX,
        max_text_bytes: usize::MAX,
    };

    pub(super) fn check_size(&self, message: &RawMessage) -> Result<(), Rejection> {
        // Headers without a byte in them would escape the count of bytes.
        if message.headers.len() > MAX_HEADERS && self.max_message_bytes != usize::MAX {
            return Err(Rejection::new(
                RejectionCode::TooLarge,
                format!("more than {MAX_HEADERS} headers"),
            ));
        }
        if message.size() <= self.max_message_bytes {
            return Ok(());
        }
        Err(Rejection::new(
            RejectionCode::TooLarge,
            format!("more than {} bytes", self.max_message_bytes),
        ))
    }

    pub(super) fn check_id(&self, place: &'static str, id: &str) -> Result<(), Rejection> {
        if id.len() <= self.max_id_bytes {
            return Ok(());
        }
        Err(Rejection::at(
            RejectionCode::IdentifierTooLong,
            place,
            format!("longer than {} bytes", self.max_id_bytes),
        ))
    }

    fn check_text(&self, place: &'static str, text: &str) -> Result<(), Rejection> {
        if text.len() <= self.max_text_bytes {
            return Ok(());
        }
        Err(Rejection::at(
            RejectionCode::TextTooLong,
            place,
            format!("longer than {} bytes", self.max_text_bytes),
        ))
    }

    fn check_list<T>(&self, place: &'static str, list: &[T]) -> Result<(), Rejection> {
        if list.len() <= self.max_list {
            return Ok(());
        }
        Err(Rejection::at(
            RejectionCode::ListTooLong,
            place,
            format!("more than {} members", self.max_list),
        ))
    }

    fn check_reference(
        &self,
        place: &'static str,
        reference: &EventReference,
    ) -> Result<(), Rejection> {
        self.check_id(place, &reference.source)?;
        self.check_id(place, &reference.id)
    }

    fn check_party(&self, place: &'static str, party: Option<&Party>) -> Result<(), Rejection> {
        let Some(party) = party else { return Ok(()) };
        self.check_id(place, &party.id)?;
        self.check_text(place, &party.name)
    }

    /// Terms, countries and ids of organisations need no limit: what is long
    /// is none of them.
    pub(super) fn check_event(&self, event: &Event) -> Result<(), Rejection> {
        if let Some(subject) = &event.subject {
            self.check_list("subject.ids", &subject.ids)?;
            for id in &subject.ids {
                self.check_id("subject.ids", id)?;
            }
        }
        self.check_list("purposes", &event.purposes)?;
        self.check_list("categories", &event.categories)?;
        for category in &event.categories {
            self.check_list("categories.fields", &category.fields)?;
            for field in &category.fields {
                self.check_text("categories.fields", field)?;
            }
        }
        self.check_list("derived_from", &event.derived_from)?;
        for reference in &event.derived_from {
            self.check_reference("derived_from", reference)?;
        }
        self.check_text("note", &event.note)?;
        event.act.as_ref().map_or(Ok(()), |act| self.check_act(act))
    }

    fn check_act(&self, act: &Act) -> Result<(), Rejection> {
        match act {
            Act::Collection(block) => self.check_party("collection.from", block.from.as_ref()),
            Act::Disclosure(block) => {
                self.check_party("disclosure.recipient", block.recipient.as_ref())
            }
            Act::Transfer(block) => {
                self.check_party("transfer.recipient", block.recipient.as_ref())
            }
            Act::Consent(block) => {
                self.check_list("consent.scope", &block.scope)?;
                self.check_list("consent.recipients", &block.recipients)
            }
            Act::Objection(block) => self.check_list("objection.scope", &block.scope),
            Act::Erasure(block) => {
                self.check_list("erasure.scope", &block.scope)?;
                self.check_text("erasure.reason", &block.reason)
            }
            Act::Retraction(block) => {
                if let Some(of) = &block.of {
                    self.check_reference("retraction.of", of)?;
                }
                self.check_text("retraction.reason", &block.reason)
            }
            Act::RightsRequest(block) => {
                self.check_id("rights_request.request_id", &block.request_id)
            }
            Act::RightsResponse(block) => {
                self.check_id("rights_response.request_id", &block.request_id)?;
                self.check_text("rights_response.reason", &block.reason)
            }
            Act::Breach(block) => {
                self.check_list("breach.recipients", &block.recipients)?;
                self.check_list("breach.categories", &block.categories)?;
                self.check_list("breach.notified", &block.notified)
            }
            Act::Notice(block) => self.check_text("notice.channel", &block.channel),
            Act::Consultation(block) => {
                self.check_text("consultation.by", &block.by)?;
                self.check_text("consultation.role", &block.role)?;
                self.check_text("consultation.reason", &block.reason)?;
                self.check_text("consultation.query", &block.query)
            }
            Act::Use(_)
            | Act::Restriction(_)
            | Act::RestrictionLifted(_)
            | Act::Rectification(_)
            | Act::Anonymisation(_)
            | Act::PolicyPublished(_)
            | Act::AccountClosed(_) => Ok(()),
        }
    }
}
