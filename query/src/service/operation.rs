//! `OperationService`: what the operator of a node asks of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use custody_proto::Timestamp;
use custody_proto::v1::operation_service_server::OperationService;
use custody_proto::v1::{BackupRequest, BackupResponse};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status, async_trait};

use super::api::{count, handled};
use crate::answer::{FieldFault, QueryError, QueryState};
use crate::backup::{BackupError, BackupProgress, back_up, is_backup_name};

const METHOD: &str = "custody.v1.OperationService/Backup";

/// Progress is told this often at most.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// Makes backups, one at a time.
#[derive(Clone)]
pub(super) struct Operation {
    state: QueryState,
    /// Where backups go; `None`: nowhere.
    directory: Option<PathBuf>,
    turn: Arc<Semaphore>,
}

impl Operation {
    pub(super) fn new(state: QueryState, directory: Option<PathBuf>) -> Self {
        Self {
            state,
            directory,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Where a backup of this name goes.
    fn place(&self, name: &str) -> Result<PathBuf, QueryError> {
        let directory = self.directory.as_ref().ok_or(QueryError::BackupsOff)?;
        let name = match name {
            "" => name_at(SystemTime::now()),
            name => name.to_owned(),
        };
        if !is_backup_name(&name) {
            return Err(QueryError::Invalid(vec![FieldFault {
                field: "name".to_owned(),
                description: "must be 1 to 64 letters, digits, `.`, `_`, `-`, and not begin \
                              with `.`"
                    .to_owned(),
            }]));
        }
        let place = directory.join(name);
        if place.symlink_metadata().is_ok() {
            return Err(QueryError::BackupExists);
        }
        Ok(place)
    }

    /// Begins a backup. It is finished whether or not anybody listens: whoever
    /// went away finds it under its name.
    fn begin(
        &self,
        name: &str,
    ) -> Result<ReceiverStream<Result<BackupResponse, Status>>, QueryError> {
        let place = self.place(name)?;
        let turn = Arc::clone(&self.turn)
            .try_acquire_owned()
            .map_err(|_| QueryError::BackupRunning)?;
        let (sender, receiver) = mpsc::channel(8);
        let state = self.state.clone();
        let start = Instant::now();
        tokio::task::spawn_blocking(move || {
            let mut told = start;
            let mut progress = |progress: BackupProgress| {
                if told.elapsed() >= TOLD_EVERY {
                    told = Instant::now();
                    // Who does not keep up misses a number, and holds up nothing.
                    let _ = sender.try_send(Ok(BackupResponse {
                        bytes: progress.bytes,
                        total_bytes: progress.total_bytes,
                        ..BackupResponse::default()
                    }));
                }
            };
            let made = back_up(&state.ledger, &state.vault, &place, &mut progress);
            drop(turn);
            let last = match made {
                Ok(made) => {
                    tracing::info!(directory = %made.directory.display(),
                        entries = made.entries, bytes = made.bytes, "made a backup");
                    Ok(BackupResponse {
                        bytes: made.bytes,
                        total_bytes: made.bytes,
                        directory: made.directory.display().to_string(),
                        entries: made.entries,
                    })
                }
                Err(BackupError::Exists { .. }) => Err(handled(METHOD, &QueryError::BackupExists)),
                Err(error) => Err(handled(METHOD, &QueryError::Backup(error))),
            };
            let code = last.as_ref().map_or_else(Status::code, |_| Code::Ok);
            count(METHOD, code, start);
            let _ = sender.blocking_send(last);
        });
        Ok(ReceiverStream::new(receiver))
    }
}

/// `20260131T235959Z`.
fn name_at(now: SystemTime) -> String {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or_default(),
        nanos: 0,
    };
    seconds.to_string().replace(['-', ':'], "")
}

#[async_trait]
impl OperationService for Operation {
    type BackupStream = BoxStream<BackupResponse>;

    async fn backup(
        &self,
        request: Request<BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        match self.begin(&request.get_ref().name) {
            Ok(stream) => Ok(Response::new(Box::pin(stream))),
            Err(error) => {
                let status = handled(METHOD, &error);
                count(METHOD, status.code(), Instant::now());
                Err(status)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_without_a_name_is_named_after_the_time() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_769_903_999_999);
        assert_eq!(name_at(moment), "20260131T235959Z");
        assert!(is_backup_name(&name_at(moment)));
    }
}
