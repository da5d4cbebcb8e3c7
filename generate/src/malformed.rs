//! Messages that are wrong, each in one way, with the code under which they
//! are expected among the dead letters.

use custody_proto::event::{Collection, Event, Subject, collection::Origin, event::Act};

use crate::dice::Dice;
use crate::message::{Attributes, Encoding, Message, pick};
use crate::person::Person;
use crate::profile::EncodingMix;

/// How a message can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A structured payload that ends too early.
    CutJson,
    /// A binary payload that is no JSON.
    TextForJson,
    /// A binary payload that is no protobuf.
    NoiseForProtobuf,
    /// No payload at all.
    Tombstone,
    /// No `ce_id`.
    NoId,
    /// A type of somebody else.
    ForeignType,
    /// A kind that nobody knows.
    UnknownKind,
    /// A time that is none.
    BadTime,
    /// A time long before personal computers.
    EarlyTime,
    /// Nobody's data.
    NoSubject,
    /// A purpose that nobody declared anywhere.
    UnknownTerm,
    /// A country that there is not.
    BadCountry,
    /// A disclosure that does not say to whom.
    NoAct,
    /// An identifier without a scheme.
    BadIdentifier,
}

impl Fault {
    pub(crate) const ALL: [Self; 14] = [
        Self::CutJson,
        Self::TextForJson,
        Self::NoiseForProtobuf,
        Self::Tombstone,
        Self::NoId,
        Self::ForeignType,
        Self::UnknownKind,
        Self::BadTime,
        Self::EarlyTime,
        Self::NoSubject,
        Self::UnknownTerm,
        Self::BadCountry,
        Self::NoAct,
        Self::BadIdentifier,
    ];

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::CutJson | Self::TextForJson => "malformed_json",
            Self::NoiseForProtobuf => "malformed_protobuf",
            Self::Tombstone => "null_payload",
            Self::NoId => "missing_id",
            Self::ForeignType => "unknown_type",
            Self::UnknownKind => "unknown_kind",
            Self::BadTime => "bad_time",
            Self::EarlyTime => "time_too_old",
            Self::NoSubject => "missing_subject",
            Self::UnknownTerm => "unknown_term",
            Self::BadCountry => "bad_country",
            Self::NoAct => "missing_block",
            Self::BadIdentifier => "bad_identifier",
        }
    }

    /// A message with this fault and no other.
    pub(crate) fn message(
        self,
        person: &Person,
        time_ms: i64,
        mix: &EncodingMix,
        dice: &mut Dice,
    ) -> Message {
        let id = format!("x-{:016x}", dice.u64());
        let time = custody_proto::Timestamp::from_unix_nanos(time_ms.saturating_mul(1_000_000));
        let time = time.to_string();
        let mut attributes = Attributes {
            id: &id,
            source: "//legacy.alibaba.example",
            kind: "custody.collection.v1",
            time: &time,
            traceparent: None,
        };
        let mut event = collection(person);
        let mut encoding = pick(mix, dice);
        match self {
            Self::CutJson => encoding = Encoding::Structured,
            Self::TextForJson => encoding = Encoding::BinaryJson,
            Self::NoiseForProtobuf => encoding = Encoding::BinaryProtobuf,
            Self::NoId if encoding == Encoding::Structured => encoding = Encoding::BinaryJson,
            Self::Tombstone | Self::NoId => {}
            Self::ForeignType => attributes.kind = "com.example.cart.updated",
            Self::UnknownKind => attributes.kind = "custody.teleportation.v1",
            Self::BadTime => attributes.time = "last Tuesday",
            Self::EarlyTime => attributes.time = "1970-01-01T00:00:00Z",
            Self::NoSubject => event.subject = None,
            Self::UnknownTerm => event.purposes = vec!["custody:purchse_delivery".to_owned()],
            Self::BadCountry => event.location = "ZZ".to_owned(),
            Self::NoAct => {
                attributes.kind = "custody.disclosure.v1";
                event.act = None;
            }
            Self::BadIdentifier => {
                if let Some(subject) = &mut event.subject {
                    subject.ids = vec!["nobody in particular".to_owned()];
                }
            }
        }
        let mut message = Message::encode(&attributes, &event, encoding, false);
        match self {
            Self::CutJson => {
                if let Some(payload) = &mut message.payload {
                    payload.truncate(payload.len() * 2 / 3);
                }
            }
            Self::TextForJson => message.payload = Some(b"see attachment".to_vec()),
            // Field 31 with a wire type that does not exist.
            Self::NoiseForProtobuf => message.payload = Some(vec![0xff; 24]),
            Self::Tombstone => message.payload = None,
            Self::NoId => message.headers.retain(|(name, _)| name != "ce_id"),
            _ => {}
        }
        message.key = person.primary().as_bytes().to_vec();
        message.time_ms = time_ms + dice.between(3, 900);
        message.malformed = Some(self.code());
        message
    }
}

/// A good event of this person, to be spoilt.
fn collection(person: &Person) -> Event {
    Event {
        subject: Some(Subject {
            ids: vec![person.primary().to_owned()],
            jurisdiction: person.jurisdiction.to_owned(),
            minor: person.minor,
            role: person.role.into(),
        }),
        service: person.service.name().to_owned(),
        purposes: vec!["custody:account".to_owned()],
        location: "SG".to_owned(),
        act: Some(Act::Collection(Collection {
            origin: Origin::Subject.into(),
            from: None,
        })),
        ..Event::default()
    }
}
