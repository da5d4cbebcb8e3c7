//! One entry of the ledger: the public part in clear, the sealed part as bytes.
//!
//! An entry is stored as a version byte followed by its fields in bincode's
//! legacy configuration (little-endian, fixed-width integers); `FORMAT.md`
//! has the table. New fields and variants are only ever appended, under a new
//! version. An entry of a former version is read as one of the newest, without
//! what that version did not have.

mod house;
mod judgement;
mod kind;
mod outline;
mod v1;
mod view;

use std::fmt;

use bincode::{Decode, Encode};

use crate::error::DecodeError;
use crate::id::{EventTag, SubjectReference};

pub use house::{AbandonedHead, HouseRecord, SurvivingHead};
pub use judgement::{EntryRef, Finding, Judgement, Outcome};
pub use kind::Kind;
pub use outline::Outline;
pub use view::{ActView, EntryView, PartyView, Texts};

/// The newest version of entries. Version 3 has the same fields as version 2 and
/// more kinds and house records; [`Entry::encode`] writes it where it is needed,
/// so that whatever else is in a ledger is read by who knows version 2.
pub const ENTRY_VERSION: u8 = 3;

/// The version that most entries are written in.
const VERSION_2: u8 = 2;

/// The longest entry that is written or read, in bytes: 2 MiB.
pub const MAX_ENTRY_BYTES: usize = 2 << 20;

/// The public part and the sealed part of one entry.
///
/// Strings are vocabulary terms (resolved CURIEs), ids of parties and systems,
/// or country codes; an empty string means "not said". No identifier of a
/// person and no free text of a producer is in here outside `sealed`.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// The stored number of the [`Kind`].
    pub kind_code: u8,
    /// The Kafka offset; `None` in the house shard.
    pub offset: Option<i64>,
    /// Kafka's timestamp, milliseconds since 1970 UTC.
    pub kafka_time_ms: Option<i64>,
    /// When it happened, nanoseconds since 1970 UTC.
    pub event_time_ns: i64,
    /// Whose data it is; `None` where nobody's in particular.
    pub subject: Option<SubjectReference>,
    /// The event's own tag.
    pub event_tag: Option<EventTag>,
    /// Tags of the events that its data came from.
    pub parent_tags: Vec<EventTag>,
    /// What the person used, such as `alibaba.com`.
    pub service: String,
    /// The controller's id.
    pub controller: String,
    /// 0 not said, 1 controller, 2 processor (`custody.event.v1.ActingAs`).
    pub acting_as: u8,
    /// Purposes.
    pub purposes: Vec<String>,
    /// Data categories.
    pub categories: Vec<String>,
    /// The legal basis.
    pub legal_basis: String,
    /// The person's jurisdiction, ISO 3166-1 or -2.
    pub jurisdiction: String,
    /// The person's part, as numbered in `custody.event.v1.Subject.Role`.
    pub role: u8,
    /// Where the data lies after the act, ISO 3166-1 or -2.
    pub location: String,
    /// The policy version that the event named.
    pub policy: String,
    /// Whether the data was anonymised before.
    pub anonymised: bool,
    /// Whether Kafka's message key was not the primary identifier.
    pub key_mismatch: bool,
    /// What belongs to the kind.
    pub act: Act,
    /// What the judge said at ingest.
    pub judgement: Judgement,
    /// The sealed part; opaque here. Empty where there is none.
    pub sealed: Vec<u8>,
}

/// What belongs to one kind of entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Act {
    /// Nothing beside the common fields.
    None,
    /// Data came in.
    Collection {
        /// As numbered in `custody.event.v1.Collection.Origin`.
        origin: u8,
        /// Who passed it on.
        from: Option<PartyPart>,
    },
    /// Data was processed.
    Use {
        /// The processing operation.
        operation: String,
        /// The system's id.
        system: String,
    },
    /// Data went to a recipient.
    Disclosure {
        /// Who got it.
        recipient: PartyPart,
        /// As numbered in `custody.event.v1.Disclosure.Means`.
        means: u8,
        /// Whether it was for value.
        sale: bool,
        /// The safeguard.
        safeguard: String,
    },
    /// Data went to another country.
    Transfer {
        /// Who got it, where it left the controller.
        recipient: Option<PartyPart>,
        /// From where.
        from_country: String,
        /// To where.
        to_country: String,
        /// The safeguard.
        safeguard: String,
    },
    /// An earlier event was wrong.
    Retraction {
        /// That event's tag.
        of: EventTag,
    },
    /// A right was claimed.
    RightsRequest {
        /// Which.
        right: String,
    },
    /// A claim was answered.
    RightsResponse {
        /// As numbered in `custody.event.v1.RightsResponse.Outcome`.
        outcome: u8,
    },
    /// A breach happened.
    Breach {
        /// Its id.
        breach_id: String,
        /// Ids of the parties where it happened.
        recipients: Vec<String>,
        /// From when, nanoseconds since 1970 UTC.
        from_ns: Option<i64>,
        /// Until when, not included.
        to_ns: Option<i64>,
        /// As numbered in `custody.event.v1.Breach.Notified`.
        notified: Vec<u8>,
    },
    /// The person was told something.
    Notice {
        /// The clause that promises it.
        clause: String,
    },
    /// A policy version took effect.
    PolicyPublished {
        /// The policy.
        policy: String,
        /// Its version.
        version: String,
        /// From when, nanoseconds since 1970 UTC.
        effective_at_ns: i64,
        /// The addendum's name.
        addendum: String,
    },
    /// Custody itself has something to say.
    House(HouseRecord),
}

/// An organisation or a person at the other end. Of a person only `person`,
/// the category and the country are said here; the rest is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PartyPart {
    /// The organisation's id; empty where it is a person.
    pub id: String,
    /// The recipient category.
    pub category: String,
    /// Where it is established.
    pub country: String,
    /// Whether it is a natural person.
    pub person: bool,
}

impl Entry {
    /// An entry of this kind with nothing else said.
    pub fn new(kind: Kind, event_time_ns: i64) -> Self {
        Self {
            kind_code: kind.code(),
            offset: None,
            kafka_time_ms: None,
            event_time_ns,
            subject: None,
            event_tag: None,
            parent_tags: Vec::new(),
            service: String::new(),
            controller: String::new(),
            acting_as: 0,
            purposes: Vec::new(),
            categories: Vec::new(),
            legal_basis: String::new(),
            jurisdiction: String::new(),
            role: 0,
            location: String::new(),
            policy: String::new(),
            anonymised: false,
            key_mismatch: false,
            act: Act::None,
            judgement: Judgement::default(),
            sealed: Vec::new(),
        }
    }

    /// The kind. [`Entry::decode`] has refused numbers that name none, so this
    /// is `None` only of an entry made by hand.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind_code)
    }

    /// The first of the versions in use that has all that is in it.
    fn version(&self) -> u8 {
        let record = matches!(&self.act, Act::House(record) if record.is_since_version_3());
        let kind = self.kind().is_some_and(Kind::is_since_version_3);
        if record || kind {
            ENTRY_VERSION
        } else {
            VERSION_2
        }
    }

    /// The other end of a disclosure or transfer.
    pub fn recipient(&self) -> Option<&PartyPart> {
        match &self.act {
            Act::Disclosure { recipient, .. } => Some(recipient),
            Act::Transfer { recipient, .. } => recipient.as_ref(),
            _ => None,
        }
    }

    /// The bytes to be stored.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] beyond [`MAX_ENTRY_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut bytes = Vec::new();
        self.encode_onto(&mut bytes)?;
        Ok(bytes)
    }

    /// Appends the bytes to be stored. On an error `bytes` is as it was.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] beyond [`MAX_ENTRY_BYTES`].
    pub fn encode_onto(&self, bytes: &mut Vec<u8>) -> Result<(), DecodeError> {
        let start = bytes.len();
        bytes.push(self.version());
        let written = bincode::encode_into_std_write(self, bytes, bincode::config::legacy());
        let length = bytes.len() - start;
        let error = match written {
            Err(error) => DecodeError::Malformed(error.to_string()),
            Ok(_) if length > MAX_ENTRY_BYTES => DecodeError::TooLong {
                length,
                limit: MAX_ENTRY_BYTES,
            },
            Ok(_) => return Ok(()),
        };
        bytes.truncate(start);
        Err(error)
    }

    /// Reads stored bytes, which may come from anybody.
    ///
    /// # Errors
    /// [`DecodeError`] where the version is unknown, a field is malformed, a
    /// number names no kind or outcome, or bytes are left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(DecodeError::TooLong {
                length: bytes.len(),
                limit: MAX_ENTRY_BYTES,
            });
        }
        let (&version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        match version {
            0 => {
                return Err(DecodeError::TooOld {
                    version: 0,
                    oldest: 1,
                });
            }
            v1::VERSION..=ENTRY_VERSION => {}
            newer => {
                return Err(DecodeError::TooNew {
                    version: u16::from(newer),
                    newest: u16::from(ENTRY_VERSION),
                });
            }
        }
        let config = bincode::config::legacy().with_limit::<MAX_ENTRY_BYTES>();
        let malformed =
            |error: bincode::error::DecodeError| DecodeError::Malformed(error.to_string());
        let (entry, read) = if version == v1::VERSION {
            let (old, read): (v1::Entry, usize) =
                bincode::decode_from_slice(rest, config).map_err(malformed)?;
            if old.is_from_the_future() {
                let what = "version 1 with what came later";
                return Err(DecodeError::Malformed(what.to_owned()));
            }
            (Self::from(old), read)
        } else {
            bincode::decode_from_slice(rest, config).map_err(malformed)?
        };
        if read != rest.len() {
            return Err(DecodeError::TrailingBytes {
                count: rest.len() - read,
            });
        }
        if entry.kind().is_none() {
            return Err(DecodeError::Malformed(format!("kind {}", entry.kind_code)));
        }
        if version > v1::VERSION && version != entry.version() {
            return Err(DecodeError::Malformed(format!(
                "version {version} of what is written as version {}",
                entry.version()
            )));
        }
        let again = match &entry.act {
            Act::House(HouseRecord::Rejudged { judgement, .. }) => Some(judgement),
            _ => None,
        };
        for judgement in std::iter::once(&entry.judgement).chain(again) {
            if Outcome::from_code(judgement.outcome_code).is_none() {
                return Err(DecodeError::Malformed(format!(
                    "outcome {}",
                    judgement.outcome_code
                )));
            }
        }
        Ok(entry)
    }
}

impl fmt::Debug for Entry {
    /// Shows the kind and the position, nothing of the person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind().map(Kind::name))
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
