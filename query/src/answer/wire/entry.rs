//! An entry as an answer shows it, written as it goes over the wire: from the
//! stored bytes to protobuf's without a text being copied in between. It is what
//! [`crate::answer::entry::show`] shows of the same row; a test holds the two
//! together.

use custody_ledger::entry::{ActView, EntryView, Kind};
use custody_ledger::id::ShardId;
use custody_proto::event;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::{bytes, bytes_len, counterparty, flag, moment, or, text, texts};
use crate::answer::entry::name_of;
use crate::answer::error::QueryError;
use crate::answer::registry::Registry;
use crate::read_model::{StoredEvent, is_abroad};

/// Numbers of `custody.v1.Entry`'s fields.
mod field {
    pub(super) const POSITION: u32 = 1;
    pub(super) const KIND: u32 = 2;
    pub(super) const EVENT_TIME: u32 = 3;
    pub(super) const KAFKA_TIME: u32 = 4;
    pub(super) const RECORDED_TIME: u32 = 5;
    pub(super) const SERVICE: u32 = 6;
    pub(super) const CONTROLLER: u32 = 7;
    pub(super) const PURPOSES: u32 = 8;
    pub(super) const CATEGORIES: u32 = 9;
    pub(super) const LEGAL_BASIS: u32 = 10;
    pub(super) const JURISDICTION: u32 = 11;
    pub(super) const LOCATION: u32 = 12;
    pub(super) const COUNTERPARTY: u32 = 13;
    pub(super) const FROM_COUNTRY: u32 = 14;
    pub(super) const TO_COUNTRY: u32 = 15;
    pub(super) const SAFEGUARD: u32 = 16;
    pub(super) const ORIGIN: u32 = 17;
    pub(super) const OPERATION: u32 = 18;
    pub(super) const SYSTEM: u32 = 19;
    pub(super) const MEANS: u32 = 20;
    pub(super) const SALE: u32 = 21;
    pub(super) const ANONYMISED: u32 = 22;
    pub(super) const POLICY: u32 = 23;
    pub(super) const JUDGEMENT: u32 = 24;
    pub(super) const EVENT_TAG: u32 = 26;
    pub(super) const PARENT_TAGS: u32 = 27;
    pub(super) const RETRACTED: u32 = 28;
    pub(super) const SEALED: u32 = 29;
    pub(super) const LATE: u32 = 30;
    pub(super) const JUDGEMENT_AT_INGEST: u32 = 32;
    pub(super) const JUDGED_POLICY: u32 = 33;
    pub(super) const CLAUSES: u32 = 34;
}

/// Writes entries, one behind the other, as field 1 of a message.
#[derive(Default)]
pub(crate) struct EntryWriter {
    /// All of them, each with its key and length.
    pub(crate) bytes: Vec<u8>,
    /// How many.
    pub(crate) count: usize,
    /// The one at hand.
    entry: Vec<u8>,
    /// Ids of shards that were written before.
    shards: Vec<(ShardId, [u8; 32])>,
}

impl EntryWriter {
    /// Begins an entry that was read in place, without later judgements and
    /// without findings.
    pub(crate) fn begin(
        &mut self,
        registry: &Registry<'_>,
        stored: &StoredEvent,
        view: &EntryView<'_>,
        retracted: bool,
    ) -> Result<(), QueryError> {
        self.entry.clear();
        self.position(stored, view);
        let out = &mut self.entry;
        text(
            out,
            field::KIND,
            view.kind().map(Kind::name).unwrap_or_default(),
        );
        moment(out, field::EVENT_TIME, view.event_time_ns);
        if let Some(ms) = view.kafka_time_ms {
            moment(out, field::KAFKA_TIME, ms.saturating_mul(1_000_000));
        }
        moment(out, field::RECORDED_TIME, stored.recorded_time_ns);
        text(out, field::SERVICE, view.service);
        text(out, field::CONTROLLER, view.controller);
        texts(out, field::PURPOSES, view.purposes.iter());
        texts(out, field::CATEGORIES, view.categories.iter());
        text(out, field::LEGAL_BASIS, view.legal_basis);
        text(out, field::JURISDICTION, view.jurisdiction);
        text(out, field::LOCATION, view.location);
        match &view.act {
            ActView::Collection { origin, from } => {
                let origin = name_of(*origin, |number| {
                    let origin = event::collection::Origin::try_from(number).ok()?;
                    Some(origin.as_str_name())
                });
                if let Some(from) = from {
                    counterparty(out, field::COUNTERPARTY, registry, from)?;
                }
                text(out, field::ORIGIN, origin);
            }
            ActView::Use { operation, system } => {
                text(out, field::OPERATION, operation);
                text(out, field::SYSTEM, system);
            }
            ActView::Disclosure {
                recipient,
                means,
                sale,
                safeguard,
            } => {
                counterparty(out, field::COUNTERPARTY, registry, recipient)?;
                let registered = registry.registered(recipient.id)?;
                let to = or(recipient.country, &registered.country);
                if is_abroad(view.location, to) {
                    text(out, field::FROM_COUNTRY, view.location);
                    text(out, field::TO_COUNTRY, to);
                }
                text(out, field::SAFEGUARD, safeguard);
                let means = name_of(*means, |number| {
                    let means = event::disclosure::Means::try_from(number).ok()?;
                    Some(means.as_str_name())
                });
                text(out, field::MEANS, means);
                flag(out, field::SALE, *sale);
            }
            ActView::Transfer {
                recipient,
                from_country,
                to_country,
                safeguard,
            } => {
                if let Some(recipient) = recipient {
                    counterparty(out, field::COUNTERPARTY, registry, recipient)?;
                }
                text(out, field::FROM_COUNTRY, from_country);
                text(out, field::TO_COUNTRY, to_country);
                text(out, field::SAFEGUARD, safeguard);
            }
            ActView::None
            | ActView::Retraction { .. }
            | ActView::RightsRequest { .. }
            | ActView::RightsResponse { .. }
            | ActView::Notice { .. } => {}
        }
        flag(out, field::ANONYMISED, view.anonymised);
        text(out, field::POLICY, view.policy);
        text(out, field::JUDGEMENT, view.outcome.name());
        if let Some(tag) = &view.event_tag {
            bytes(out, field::EVENT_TAG, tag.as_bytes());
        }
        for tag in view.parent_tags {
            bytes(out, field::PARENT_TAGS, tag);
        }
        flag(out, field::RETRACTED, retracted);
        flag(out, field::LATE, view.late);
        text(out, field::JUDGEMENT_AT_INGEST, view.outcome.name());
        text(out, field::JUDGED_POLICY, view.judged_policy);
        texts(out, field::CLAUSES, view.clauses.iter());
        Ok(())
    }

    /// Begins an entry that has been put together.
    pub(crate) fn begin_shown(&mut self, shown: &impl Message) {
        self.entry.clear();
        self.entry.reserve(shown.encoded_len());
        // A vector grows as it must.
        let _ = shown.encode(&mut self.entry);
    }

    /// Adds what was sealed of the entry at hand.
    pub(crate) fn seal(&mut self, sealed: &impl Message) {
        prost::encoding::message::encode(field::SEALED, sealed, &mut self.entry);
    }

    /// Adds the entry at hand.
    pub(crate) fn end(&mut self) {
        bytes(&mut self.bytes, 1, &self.entry);
        self.count += 1;
    }

    fn position(&mut self, stored: &StoredEvent, view: &EntryView<'_>) {
        let shard = stored.place.shard;
        let known = self.shards.iter().position(|(known, _)| *known == shard);
        let index = known.unwrap_or_else(|| {
            let mut digits = [0; 32];
            // 16 bytes are 32 digits.
            let _ = hex::encode_to_slice(shard.as_bytes(), &mut digits);
            self.shards.push((shard, digits));
            self.shards.len() - 1
        });
        let digits = &self.shards[index].1;
        let sequence = stored.place.sequence;
        let mut length = bytes_len(digits.len());
        if sequence != 0 {
            length += 1 + encoded_len_varint(sequence);
        }
        if let Some(offset) = view.offset {
            length += 1 + encoded_len_varint(offset.cast_unsigned());
        }
        let out = &mut self.entry;
        encode_key(field::POSITION, WireType::LengthDelimited, out);
        encode_varint(length as u64, out);
        bytes(out, 1, digits);
        if sequence != 0 {
            prost::encoding::uint64::encode(2, &sequence, out);
        }
        if let Some(offset) = view.offset {
            prost::encoding::int64::encode(3, &offset, out);
        }
    }
}
