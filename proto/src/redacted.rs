//! `Debug` for the messages that hold identifiers, free text or what else was
//! sealed. It names the type and shows nothing else, so that neither a log line
//! nor a failed assertion can leak a person.

use std::fmt;

use crate::{event, v1};

macro_rules! redacted {
    ($($type:path),+ $(,)?) => {
        $(impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), " { redacted }"))
            }
        })+
    };
}

redacted!(
    event::Event,
    event::event::Act,
    event::Subject,
    event::Category,
    event::Party,
    event::EventReference,
    event::Collection,
    event::Use,
    event::Disclosure,
    event::Transfer,
    event::Consent,
    event::Objection,
    event::Restriction,
    event::RestrictionLifted,
    event::Rectification,
    event::Erasure,
    event::Anonymisation,
    event::Retraction,
    event::RightsRequest,
    event::RightsResponse,
    event::Breach,
    event::Notice,
    event::PolicyPublished,
    event::AccountClosed,
    event::Consultation,
    event::SealedMessage,
    event::SealedHeader,
    v1::SealedPart,
    v1::GetSubjectRequest,
    v1::GetSubjectResponse,
    v1::ListEventsRequest,
    v1::ListRecipientsRequest,
    v1::ListTransfersRequest,
    v1::TraceLineageRequest,
    v1::ListFindingsRequest,
    v1::GetFindingSummaryRequest,
    v1::GetConsentStateRequest,
    v1::WatchSubjectRequest,
    v1::GetConsentStateResponse,
    v1::ScopeState,
    v1::ConsentInForce,
    v1::FindAffectedSubjectsResponse,
    v1::ProveCompletenessRequest,
    v1::ExportEvidenceRequest,
    v1::ListRequestsRequest,
    v1::EraseSubjectRequest,
    v1::ExportSubjectRequest,
    v1::ListRequestsResponse,
    v1::RightsRequestRow,
    v1::EraseSubjectResponse,
    v1::ErasurePreview,
    v1::PlaceHoldRequest,
    v1::LiftHoldRequest,
    v1::ListHoldsRequest,
    v1::LinkSubjectsRequest,
    v1::UnlinkSubjectsRequest,
    v1::ReleaseIdentifierRequest,
    v1::JudgeRequest,
    v1::JudgedEvent,
);
