//! What is asked over gRPC: whose data an answer holds, and how the question
//! is written down.
//!
//! Every request that is answered over gRPC says so here. There is no default:
//! a method that nobody has thought about does not compile.

use custody_ledger::entry::Entry;
use custody_ledger::id::SubjectReference;
use custody_proof::evidence::Evidence;
use custody_proto::v1;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{
    Ask, EventsInBytes, OversightFindings, OversightRecipients, OversightRecipientsInBytes,
    OversightTransfers, RecipientsInBytes, TraceInBytes,
};

/// Whose data an answer holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Nobody's: policies, checkpoints, numbers of the ledger itself.
    Nobody,
    /// This person's.
    Person(String),
    /// That of the entry in the answer.
    OfEntry,
    /// That of whoever matches.
    Everybody,
}

/// A question over gRPC.
pub(crate) trait Consult: Ask {
    /// Whose data the answer holds.
    fn whose(&self) -> Whose;

    /// The request as JSON.
    fn said(&self) -> Value;

    /// How many rows the answer has.
    fn rows(answer: &Self::Answer) -> u64;

    /// Whose entry the answer has, of [`Whose::OfEntry`].
    fn entry_of(_answer: &Self::Answer) -> Option<SubjectReference> {
        None
    }

    /// The head that the answer rests on, where it names one.
    fn head(answer: &mut Self::Answer) -> Option<&mut v1::LedgerHead>;
}

macro_rules! consult {
    ($request:ty, $whose:expr, rows: $rows:expr, head: $head:expr) => {
        impl Consult for $request {
            fn whose(&self) -> Whose {
                let whose: fn(&Self) -> Whose = $whose;
                whose(self)
            }

            fn said(&self) -> Value {
                json(self)
            }

            fn rows(answer: &Self::Answer) -> u64 {
                let rows: fn(&Self::Answer) -> usize = $rows;
                rows(answer) as u64
            }

            fn head(answer: &mut Self::Answer) -> Option<&mut v1::LedgerHead> {
                let head: fn(&mut Self::Answer) -> Option<&mut v1::LedgerHead> = $head;
                head(answer)
            }
        }
    };
}

consult!(v1::GetSubjectRequest, |it| person(&it.subject),
    rows: |answer| usize::try_from(answer.entries).unwrap_or(usize::MAX),
    head: |answer| answer.head.as_mut());
consult!(v1::ListEventsRequest, |it| person(&it.subject),
    rows: |answer| answer.entries.len(), head: |answer| answer.head.as_mut());
consult!(v1::ListRecipientsRequest, |it| person(&it.subject),
    rows: |answer| answer.recipients.len(), head: |answer| answer.head.as_mut());
consult!(v1::ListTransfersRequest, |it| person(&it.subject),
    rows: |answer| answer.transfers.len(), head: |answer| answer.head.as_mut());
consult!(v1::TraceLineageRequest, |it| person(&it.subject),
    rows: |answer| answer.nodes.len(), head: |answer| answer.head.as_mut());
consult!(v1::ListFindingsRequest, |it| person(&it.subject),
    rows: |answer| answer.findings.len(), head: |answer| answer.head.as_mut());
consult!(v1::GetFindingSummaryRequest, |it| person(&it.subject),
    rows: |answer| answer.counts.len(), head: |answer| answer.head.as_mut());
consult!(v1::GetConsentStateRequest, |it| person(&it.subject),
    rows: |answer| answer.scopes.len(), head: |answer| answer.head.as_mut());
consult!(v1::FindAffectedSubjectsRequest, |_| Whose::Everybody,
    rows: Vec::len, head: |_| None);
consult!(v1::GetProcessingRecordRequest, |_| Whose::Everybody,
    rows: |answer| answer.activities.len(), head: |answer| answer.head.as_mut());
// Numbers of entries are nobody's data.
consult!(v1::GetStatisticsRequest, |_| Whose::Nobody,
    rows: |_| 0, head: |answer| answer.head.as_mut());
consult!(v1::OversightFindingSummaryRequest, |_| Whose::Everybody,
    rows: |answer| answer.counts.len(), head: |answer| answer.head.as_mut());
consult!(v1::ProveCompletenessRequest, |it| person(&it.subject),
    rows: |answer| answer.parts.len(), head: |_| None);
consult!(v1::ExportEvidenceRequest, |it| person(&it.subject),
    rows: entries, head: |_| None);
consult!(v1::GetCheckpointRequest, |_| Whose::Nobody,
    rows: |_| 0, head: |answer| answer.visible.as_mut());
consult!(v1::ProveConsistencyRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::ListPoliciesRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::GetPolicyRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::ListRequestsRequest, |it| one_or_all(&it.subject),
    rows: |answer| answer.requests.len(), head: |answer| answer.head.as_mut());
// What is erased, held or linked stands in the house shard by itself; only
// looking at what would go is a look.
consult!(v1::EraseSubjectRequest, |it| match (it.preview, it.more_subjects.is_empty()) {
        (true, true) => person(&it.subject),
        (true, false) => Whose::Everybody,
        (false, _) => Whose::Nobody,
    },
    rows: |answer| usize::try_from(answer.entries).unwrap_or(usize::MAX),
    head: |answer| answer.erasure_preview.as_mut()?.head.as_mut());
consult!(v1::ListErasuresRequest, |_| Whose::Everybody,
    rows: |answer| answer.erasures.len(), head: |_| None);
consult!(v1::GetErasureRequest, |_| Whose::Everybody, rows: |_| 1, head: |_| None);
consult!(v1::WithdrawErasureRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::PlaceHoldRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::LiftHoldRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::ListHoldsRequest, |it| one_or_all(&it.subject),
    rows: |answer| answer.holds.len(), head: |_| None);
consult!(v1::LinkSubjectsRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::UnlinkSubjectsRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
consult!(v1::ReleaseIdentifierRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);
// The request holds an invented event, the answer what is found in it.
consult!(v1::JudgeRequest, |_| Whose::Nobody, rows: |_| 0, head: |_| None);

macro_rules! consult_everybody {
    ($request:ty, $rows:ident) => {
        impl Consult for $request {
            fn whose(&self) -> Whose {
                Whose::Everybody
            }

            fn said(&self) -> Value {
                json(&self.0)
            }

            fn rows(answer: &Self::Answer) -> u64 {
                answer.$rows.len() as u64
            }

            fn head(answer: &mut Self::Answer) -> Option<&mut v1::LedgerHead> {
                answer.head.as_mut()
            }
        }
    };
}

consult_everybody!(OversightFindings, findings);
consult_everybody!(OversightRecipients, recipients);
consult_everybody!(OversightTransfers, transfers);

macro_rules! consult_in_bytes {
    ($request:ty) => {
        impl Consult for $request {
            fn whose(&self) -> Whose {
                self.0.whose()
            }

            fn said(&self) -> Value {
                self.0.said()
            }

            fn rows(answer: &Self::Answer) -> u64 {
                answer.count as u64
            }

            fn head(answer: &mut Self::Answer) -> Option<&mut v1::LedgerHead> {
                answer.rest.head.as_mut()
            }
        }
    };
}

consult_in_bytes!(EventsInBytes);
consult_in_bytes!(RecipientsInBytes);
consult_in_bytes!(TraceInBytes);
consult_in_bytes!(OversightRecipientsInBytes);

/// The proof brings the entry's stored bytes, the public part in clear.
impl Consult for v1::ProveInclusionRequest {
    fn whose(&self) -> Whose {
        Whose::OfEntry
    }

    fn said(&self) -> Value {
        json(self)
    }

    fn rows(_: &Self::Answer) -> u64 {
        1
    }

    fn entry_of(answer: &Self::Answer) -> Option<SubjectReference> {
        Entry::decode(&answer.entry).ok()?.subject
    }

    fn head(_: &mut Self::Answer) -> Option<&mut v1::LedgerHead> {
        None
    }
}

fn person(subject: &str) -> Whose {
    Whose::Person(subject.to_owned())
}

/// Of one person, or of everybody where nobody is named.
fn one_or_all(subject: &str) -> Whose {
    match subject {
        "" => Whose::Everybody,
        subject => person(subject),
    }
}

fn entries(evidence: &Evidence) -> usize {
    let shards = evidence.subjects.iter().flat_map(|it| &it.shards);
    shards.map(|shard| shard.entries.len()).sum()
}

/// A request as JSON. None of ours fails to be.
pub(crate) fn json(request: &impl Serialize) -> Value {
    serde_json::to_value(request).unwrap_or_default()
}

/// What says whom a request is about, which part of the answer it means or what
/// comes beside it, and not what is asked about the person.
const LEFT_OUT: [&str; 10] = [
    "subject",
    "more_subjects",
    "page_size",
    "page_token",
    "resume_token",
    "at_least",
    "from",
    "heartbeat_s",
    "with_clauses",
    "with_proof",
];

/// Takes out of a request what is not kept of it. Says whether it asks for the
/// first page.
pub(super) fn strip(request: &mut Value) -> bool {
    let Value::Object(members) = request else {
        return true;
    };
    let goes_on = members.contains_key("page_token") || members.contains_key("resume_token");
    for name in LEFT_OUT {
        members.remove(name);
    }
    // A member that says nothing but what holds without it.
    members.retain(|name, value| match value {
        Value::Object(within) => !within.is_empty(),
        Value::String(view) => name != "view" || view != "BASIC",
        _ => true,
    });
    !goes_on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named_in_what_is_kept_of_a_request() {
        let mut said = json(&v1::ListEventsRequest {
            subject: "account:1001".to_owned(),
            filter: Some(v1::EntryFilter {
                kinds: vec!["disclosure".to_owned()],
                ..Default::default()
            }),
            page_size: 7,
            with_clauses: true,
            view: v1::EntryView::Full.into(),
            ..Default::default()
        });
        assert!(strip(&mut said));
        let expected = r#"{"filter":{"kinds":["disclosure"]},"view":"FULL"}"#;
        assert_eq!(said.to_string(), expected);
        let mut next = json(&v1::ListEventsRequest {
            page_token: "x".to_owned(),
            ..Default::default()
        });
        assert!(!strip(&mut next));
        assert_eq!(next.to_string(), "{}");
    }
}
