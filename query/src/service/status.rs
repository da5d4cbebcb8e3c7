//! Every error as a gRPC status (AIP-193): a code, a message for people, and
//! a `google.rpc.ErrorInfo` for programs. No message repeats what was asked.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::answer::{Behind, Mark, QueryError};
use crate::custodian::CustodianError;

/// The domain of every `ErrorInfo`.
pub const ERROR_DOMAIN: &str = "custody";

/// A status names at most so many shards.
const MAX_SHARDS_NAMED: usize = 16;

/// The status of an error.
pub fn status_of(error: &QueryError) -> Status {
    let (code, reason) = code_and_reason(error);
    let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata(error));
    if let QueryError::Invalid(faults) = error {
        for fault in faults {
            details.add_bad_request_violation(&fault.field, &fault.description);
        }
    }
    if matches!(error, QueryError::PageToken) {
        details.add_bad_request_violation("page_token", error.to_string());
    }
    if matches!(error, QueryError::ResumeToken) {
        details.add_bad_request_violation("resume_token", error.to_string());
    }
    let message = match error {
        QueryError::Invalid(faults) => {
            let said = faults
                .iter()
                .map(|fault| format!("`{}` {}", fault.field, fault.description));
            said.collect::<Vec<_>>().join("; ")
        }
        // Paths and system errors are for the log of who runs this.
        _ if code == Code::Internal => "an internal error; the server's log has it".to_owned(),
        _ => error.to_string(),
    };
    Status::with_error_details(code, message, details)
}

fn code_and_reason(error: &QueryError) -> (Code, &'static str) {
    match error {
        QueryError::Invalid(_) => (Code::InvalidArgument, "FIELD_INVALID"),
        QueryError::PageToken => (Code::InvalidArgument, "PAGE_TOKEN_INVALID"),
        QueryError::SubjectNotFound => (Code::NotFound, "SUBJECT_NOT_FOUND"),
        QueryError::SubjectAmbiguous { .. } => (Code::FailedPrecondition, "SUBJECT_AMBIGUOUS"),
        QueryError::PolicyNotFound => (Code::NotFound, "POLICY_NOT_FOUND"),
        QueryError::Behind(_) => (Code::DeadlineExceeded, "READ_MODEL_BEHIND"),
        QueryError::CatchingUp => (Code::Unavailable, "READ_MODEL_CATCHING_UP"),
        QueryError::NotFollowing => (Code::Unavailable, "READ_MODEL_STOPPED"),
        QueryError::ShardUnknown(_) => (Code::NotFound, "SHARD_UNKNOWN"),
        QueryError::NoCheckpoint => (Code::FailedPrecondition, "NO_CHECKPOINT"),
        QueryError::NotCovered { .. } => (Code::FailedPrecondition, "NOT_COVERED"),
        QueryError::NotSigned(_) => (Code::DeadlineExceeded, "CHECKPOINT_BEHIND"),
        QueryError::NotEarlier { .. } => (Code::InvalidArgument, "NOT_EARLIER"),
        QueryError::EvidenceIncomplete { .. } => (Code::DataLoss, "EVIDENCE_INCOMPLETE"),
        QueryError::Proof(_) => (Code::Internal, "PROOF_FAILED"),
        QueryError::BackupsOff => (Code::FailedPrecondition, "BACKUPS_OFF"),
        QueryError::BackupExists => (Code::AlreadyExists, "BACKUP_EXISTS"),
        QueryError::BackupRunning => (Code::FailedPrecondition, "BACKUP_RUNNING"),
        QueryError::Backup(_) => (Code::Internal, "BACKUP_FAILED"),
        QueryError::NoPipeline => (Code::FailedPrecondition, "NO_PIPELINE"),
        QueryError::NotPreviewed => (Code::FailedPrecondition, "NOT_PREVIEWED"),
        QueryError::PreviewOutdated => (Code::FailedPrecondition, "PREVIEW_OUTDATED"),
        QueryError::Custodian(error) => custodian(error),
        QueryError::Unimplemented(_) => (Code::Unimplemented, "METHOD_UNIMPLEMENTED"),
        QueryError::Sealed { .. } => (Code::DataLoss, "SEALED_PART_UNREADABLE"),
        QueryError::EntryMissing { .. } => (Code::DataLoss, "ENTRY_MISSING"),
        QueryError::Block(_) => (Code::DataLoss, "BLOCK_UNREADABLE"),
        QueryError::ReadModel(_) => (Code::Internal, "READ_MODEL_FAILED"),
        QueryError::Ledger(_) => (Code::Internal, "LEDGER_FAILED"),
        QueryError::Vault(_) => (Code::Internal, "VAULT_FAILED"),
        QueryError::StartNotFound => (Code::NotFound, "START_NOT_FOUND"),
        QueryError::TooMuch { .. } => (Code::ResourceExhausted, "TOO_MANY_ROWS"),
        QueryError::Late | QueryError::LateOnTheWay { .. } => {
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
        }
        QueryError::NotConsulted => (Code::Unavailable, "CONSULTATION_NOT_KEPT"),
        QueryError::ResumeToken => (Code::InvalidArgument, "RESUME_TOKEN_INVALID"),
        QueryError::TooManyWatchers { .. } => (Code::ResourceExhausted, "TOO_MANY_WATCHERS"),
        QueryError::WatcherTooSlow => (Code::ResourceExhausted, "WATCHER_TOO_SLOW"),
        QueryError::Stopping => (Code::Unavailable, "SERVER_STOPPING"),
        QueryError::Interrupted => (Code::Internal, "INTERRUPTED"),
    }
}

const fn custodian(error: &CustodianError) -> (Code, &'static str) {
    match error {
        CustodianError::Invalid(_) => (Code::InvalidArgument, "NOT_POSSIBLE"),
        CustodianError::UnknownErasure => (Code::NotFound, "ERASURE_NOT_FOUND"),
        CustodianError::UnknownHold => (Code::NotFound, "HOLD_NOT_FOUND"),
        CustodianError::Refused(_) => (Code::FailedPrecondition, "NOT_NOW"),
        CustodianError::Unavailable(_) => (Code::Unavailable, "TRIED_AGAIN"),
        CustodianError::Failed(_) => (Code::Internal, "CUSTODIAN_FAILED"),
    }
}

fn metadata(error: &QueryError) -> HashMap<String, String> {
    let pairs: Vec<(String, String)> = match error {
        QueryError::SubjectAmbiguous { count } => vec![("count".to_owned(), count.to_string())],
        QueryError::TooMuch { rows } => vec![("rows".to_owned(), rows.to_string())],
        QueryError::LateOnTheWay { resume_token } => {
            vec![("resume_token".to_owned(), resume_token.clone())]
        }
        QueryError::TooManyWatchers { limit } => vec![("limit".to_owned(), limit.to_string())],
        QueryError::Unimplemented(method) => vec![("method".to_owned(), (*method).to_owned())],
        QueryError::ShardUnknown(shard) => vec![("shard".to_owned(), shard.to_string())],
        QueryError::Sealed { shard, sequence } | QueryError::EntryMissing { shard, sequence } => {
            vec![
                ("shard".to_owned(), shard.to_string()),
                ("sequence".to_owned(), sequence.to_string()),
            ]
        }
        QueryError::NotCovered { asked, signed } => vec![
            ("asked".to_owned(), asked.to_string()),
            ("signed".to_owned(), signed.to_string()),
        ],
        QueryError::NotEarlier { from, to } => vec![
            ("from".to_owned(), from.to_string()),
            ("to".to_owned(), to.to_string()),
        ],
        QueryError::EvidenceIncomplete {
            shard,
            found,
            counted,
        } => vec![
            ("shard".to_owned(), shard.to_string()),
            ("found".to_owned(), found.to_string()),
            ("counted".to_owned(), counted.to_string()),
        ],
        QueryError::Behind(shards) | QueryError::NotSigned(shards) => {
            shards.iter().take(MAX_SHARDS_NAMED).map(behind).collect()
        }
        _ => Vec::new(),
    };
    pairs.into_iter().collect()
}

/// A metadata key must begin with a letter, which a shard's id need not.
fn behind(behind: &Behind) -> (String, String) {
    let said = match (behind.wanted, behind.reached) {
        (Mark::Size(wanted), Mark::Size(reached)) => format!("size {reached} of {wanted}"),
        (Mark::NextOffset(wanted), Mark::NextOffset(reached)) => {
            format!("next_offset {reached} of {wanted}")
        }
        (wanted, reached) => format!("{reached:?} of {wanted:?}"),
    };
    (format!("shard-{}", behind.shard), said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::FieldFault;
    use crate::read_model::ReadModelError;
    use custody_ledger::id::ShardId;

    fn cases() -> Vec<(QueryError, Code, &'static str)> {
        let shard = ShardId([1; 16]);
        let fault = FieldFault {
            field: "filter.kinds[0]".to_owned(),
            description: "is no kind".to_owned(),
        };
        let behind = Behind {
            shard,
            wanted: Mark::Size(9),
            reached: Mark::Size(4),
            known: true,
        };
        vec![
            (
                QueryError::Invalid(vec![fault]),
                Code::InvalidArgument,
                "FIELD_INVALID",
            ),
            (
                QueryError::PageToken,
                Code::InvalidArgument,
                "PAGE_TOKEN_INVALID",
            ),
            (
                QueryError::SubjectNotFound,
                Code::NotFound,
                "SUBJECT_NOT_FOUND",
            ),
            (
                QueryError::SubjectAmbiguous { count: 3 },
                Code::FailedPrecondition,
                "SUBJECT_AMBIGUOUS",
            ),
            (
                QueryError::Behind(vec![behind]),
                Code::DeadlineExceeded,
                "READ_MODEL_BEHIND",
            ),
            (
                QueryError::CatchingUp,
                Code::Unavailable,
                "READ_MODEL_CATCHING_UP",
            ),
            (
                QueryError::NotFollowing,
                Code::Unavailable,
                "READ_MODEL_STOPPED",
            ),
            (
                QueryError::ShardUnknown(shard),
                Code::NotFound,
                "SHARD_UNKNOWN",
            ),
            (
                QueryError::PolicyNotFound,
                Code::NotFound,
                "POLICY_NOT_FOUND",
            ),
            (
                QueryError::Unimplemented("a/B"),
                Code::Unimplemented,
                "METHOD_UNIMPLEMENTED",
            ),
            (
                QueryError::Sealed { shard, sequence: 5 },
                Code::DataLoss,
                "SEALED_PART_UNREADABLE",
            ),
            (
                QueryError::EntryMissing { shard, sequence: 5 },
                Code::DataLoss,
                "ENTRY_MISSING",
            ),
            (
                QueryError::Block(custody_ledger::DecodeError::Truncated),
                Code::DataLoss,
                "BLOCK_UNREADABLE",
            ),
            (
                QueryError::ReadModel(ReadModelError::DamagedRow { rows: "events" }),
                Code::Internal,
                "READ_MODEL_FAILED",
            ),
            (QueryError::Interrupted, Code::Internal, "INTERRUPTED"),
            (
                QueryError::NotConsulted,
                Code::Unavailable,
                "CONSULTATION_NOT_KEPT",
            ),
            (
                QueryError::ResumeToken,
                Code::InvalidArgument,
                "RESUME_TOKEN_INVALID",
            ),
            (
                QueryError::TooManyWatchers { limit: 9 },
                Code::ResourceExhausted,
                "TOO_MANY_WATCHERS",
            ),
            (
                QueryError::WatcherTooSlow,
                Code::ResourceExhausted,
                "WATCHER_TOO_SLOW",
            ),
            (QueryError::Stopping, Code::Unavailable, "SERVER_STOPPING"),
            (
                QueryError::NoCheckpoint,
                Code::FailedPrecondition,
                "NO_CHECKPOINT",
            ),
            (
                QueryError::NotCovered {
                    asked: 9,
                    signed: 4,
                },
                Code::FailedPrecondition,
                "NOT_COVERED",
            ),
            (
                QueryError::NotSigned(vec![behind]),
                Code::DeadlineExceeded,
                "CHECKPOINT_BEHIND",
            ),
            (
                QueryError::NotEarlier { from: 9, to: 4 },
                Code::InvalidArgument,
                "NOT_EARLIER",
            ),
            (
                QueryError::EvidenceIncomplete {
                    shard,
                    found: 3,
                    counted: 4,
                },
                Code::DataLoss,
                "EVIDENCE_INCOMPLETE",
            ),
            (
                QueryError::Proof("a tile is missing".to_owned()),
                Code::Internal,
                "PROOF_FAILED",
            ),
            (
                QueryError::BackupsOff,
                Code::FailedPrecondition,
                "BACKUPS_OFF",
            ),
            (
                QueryError::BackupExists,
                Code::AlreadyExists,
                "BACKUP_EXISTS",
            ),
            (
                QueryError::BackupRunning,
                Code::FailedPrecondition,
                "BACKUP_RUNNING",
            ),
            (
                QueryError::NoPipeline,
                Code::FailedPrecondition,
                "NO_PIPELINE",
            ),
            (
                QueryError::NotPreviewed,
                Code::FailedPrecondition,
                "NOT_PREVIEWED",
            ),
            (
                QueryError::PreviewOutdated,
                Code::FailedPrecondition,
                "PREVIEW_OUTDATED",
            ),
            (
                CustodianError::Invalid("no code".to_owned()).into(),
                Code::InvalidArgument,
                "NOT_POSSIBLE",
            ),
            (
                CustodianError::UnknownErasure.into(),
                Code::NotFound,
                "ERASURE_NOT_FOUND",
            ),
            (
                CustodianError::UnknownHold.into(),
                Code::NotFound,
                "HOLD_NOT_FOUND",
            ),
            (
                CustodianError::Refused("it began".to_owned()).into(),
                Code::FailedPrecondition,
                "NOT_NOW",
            ),
            (
                CustodianError::Unavailable("it waits".to_owned()).into(),
                Code::Unavailable,
                "TRIED_AGAIN",
            ),
            (
                CustodianError::Failed("a disk".to_owned()).into(),
                Code::Internal,
                "CUSTODIAN_FAILED",
            ),
        ]
    }

    #[test]
    fn every_error_has_its_code_and_reason() {
        for (error, code, reason) in cases() {
            let status = status_of(&error);
            assert_eq!(status.code(), code, "{error}");
            let info = status.get_details_error_info().unwrap();
            assert_eq!(
                (info.reason.as_str(), info.domain.as_str()),
                (reason, "custody")
            );
            assert!(!status.message().is_empty());
        }
    }

    #[test]
    fn details_say_what_a_program_needs() {
        let info = |error: QueryError| status_of(&error).get_details_error_info().unwrap().metadata;
        assert_eq!(
            info(QueryError::SubjectAmbiguous { count: 3 })["count"],
            "3"
        );
        assert_eq!(info(QueryError::Unimplemented("a/B"))["method"], "a/B");
        let not_covered = info(QueryError::NotCovered {
            asked: 9,
            signed: 4,
        });
        assert_eq!(
            (
                not_covered["asked"].as_str(),
                not_covered["signed"].as_str()
            ),
            ("9", "4")
        );
        let behind = cases().swap_remove(4).0;
        let key = format!("shard-{}", ShardId([1; 16]));
        assert_eq!(info(behind)[&key], "size 4 of 9");

        let status = status_of(&cases().swap_remove(0).0);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "filter.kinds[0]");
        assert_eq!(status.message(), "`filter.kinds[0]` is no kind");
    }

    #[test]
    fn internal_errors_keep_their_paths_to_themselves() {
        let error = QueryError::ReadModel(ReadModelError::Locked {
            path: "/secret/place".into(),
        });
        assert!(!status_of(&error).message().contains("secret"));
    }
}
