//! A consultation as the ledger keeps it.

use custody_ledger::ShardDescriptor;
use custody_ledger::entry::{Entry, Kind};
use custody_ledger::id::{EventTag, LedgerId, SubjectReference};
use custody_proto::Timestamp;
use custody_proto::event;
use custody_proto::sealed::{SealedHeader, SealedMessage};
use custody_vault::{EntryContext, Vault};
use prost::Message;

use super::caller::Caller;

/// The longest text of what was asked, in bytes. A filter of thousands of
/// values is cut off.
const MAX_QUERY_BYTES: usize = 4096;

/// About how long an entry is.
pub(super) const ENTRY_BYTES: usize = 512;

/// The CloudEvents `type`.
const EVENT_TYPE: &str = "custody.consultation.v1";

/// That somebody looked.
#[derive(Clone)]
pub(super) struct Consultation {
    /// When, nanoseconds since 1970 UTC.
    pub(super) time_ns: i64,
    /// At whose data; `None`: at everybody's.
    pub(super) whose: Option<SubjectReference>,
    pub(super) caller: Caller,
    /// The method, and the request as JSON without the person.
    pub(super) query: String,
    /// How many rows were shown.
    pub(super) count: u64,
}

/// What became of a consultation on its way into the ledger.
pub(super) enum Sealed {
    Entry(Box<Entry>),
    /// The person has no key any more.
    Erased,
    Failed,
}

impl Consultation {
    /// The entry for this place in the house shard.
    ///
    /// The person's key is fetched here, on the ledger's own thread, as late as
    /// can be: nothing is written for somebody who is erased. It is not written
    /// as nobody's either: a reason may name the person, and would outlive the
    /// key.
    pub(super) fn seal(&self, vault: &Vault, ledger: LedgerId, sequence: u64) -> Sealed {
        let person = match self.whose {
            None => vault.house(),
            Some(whose) => match vault.person(&whose.0) {
                Ok(Some(person)) => person,
                Ok(None) => return Sealed::Erased,
                Err(error) => {
                    tracing::error!(%error, "a consultation could not be sealed");
                    return Sealed::Failed;
                }
            },
        };
        let source = source(ledger);
        let id = format!("consultation-{sequence}");
        let mut entry = Entry::new(Kind::Consultation, self.time_ns);
        entry.subject = self.whose;
        entry.event_tag = Some(EventTag(person.tag(&source, &id)));
        let context = EntryContext {
            ledger: ledger.0,
            shard: ShardDescriptor::house().id().0,
            sequence,
        };
        match person.seal(&context, &self.message(source, id).to_bytes()) {
            Ok(sealed) => {
                entry.sealed = sealed;
                Sealed::Entry(Box::new(entry))
            }
            Err(error) => {
                tracing::error!(%error, "a consultation could not be sealed");
                Sealed::Failed
            }
        }
    }

    /// The CloudEvent that says it, as another system would have on Kafka: what
    /// shows a sealed part needs no other way to read it.
    fn message(&self, source: String, id: String) -> SealedMessage {
        let header = |name: &str, value: String| SealedHeader {
            name: name.to_owned(),
            value: Some(value.into_bytes()),
        };
        let event = event::Event {
            act: Some(event::event::Act::Consultation(event::Consultation {
                by: self.caller.by.clone(),
                role: self.caller.role.clone(),
                reason: self.caller.reason.clone(),
                query: self.query.clone(),
                count: self.count,
            })),
            ..event::Event::default()
        };
        let time = Timestamp::from_unix_nanos(self.time_ns);
        SealedMessage {
            key: None,
            headers: vec![
                header("ce_specversion", "1.0".to_owned()),
                header("ce_type", EVENT_TYPE.to_owned()),
                header("ce_source", source),
                header("ce_id", id),
                header("ce_time", time.to_string()),
                header("content-type", "application/protobuf".to_owned()),
            ],
            payload: event.encode_to_vec(),
        }
    }
}

/// The CloudEvents `source`: this ledger.
fn source(ledger: LedgerId) -> String {
    format!("custody:ledger/{ledger}")
}

/// The method and the request, not longer than is kept.
pub(super) fn query_text(method: &str, request: &str) -> String {
    let mut text = match request {
        "{}" => method.to_owned(),
        request => format!("{method} {request}"),
    };
    if text.len() > MAX_QUERY_BYTES {
        let mut end = MAX_QUERY_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_reads_as_an_event() {
        let consultation = Consultation {
            time_ns: 1_735_689_600_000_000_001,
            whose: None,
            caller: Caller {
                by: "li.wei".to_owned(),
                role: "support".to_owned(),
                reason: "客户提问".to_owned(),
            },
            query: "m {\"a\":1}".to_owned(),
            count: 7,
        };
        let message = consultation.message("custody:ledger/x".to_owned(), "c-1".to_owned());
        let read = SealedMessage::from_bytes(&message.to_bytes()).unwrap();
        let event = read.reopen().unwrap();
        assert_eq!(
            (event.id.as_str(), event.event_type.as_str()),
            ("c-1", EVENT_TYPE)
        );
        assert_eq!(event.time.unix_nanos(), Some(consultation.time_ns));
        let Some(event::event::Act::Consultation(said)) = event.data.act else {
            panic!("another act");
        };
        assert!(said.by == "li.wei" && said.reason == "客户提问" && said.count == 7);
    }

    #[test]
    fn long_questions_are_cut_off_between_characters() {
        assert_eq!(query_text("m", "{}"), "m");
        for shift in 0..3 {
            let request = format!("{}{}", "x".repeat(shift), "汉".repeat(MAX_QUERY_BYTES));
            let text = query_text("m", &request);
            assert!(text.len() <= MAX_QUERY_BYTES + '…'.len_utf8());
            assert!(text.ends_with('…') && text.starts_with("m "));
        }
    }
}
