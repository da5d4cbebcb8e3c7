//! Asks for evidence and for backups, over the network or in this process.

use std::io;

use custody_proto::v1::evidence_service_client::EvidenceServiceClient;
use custody_proto::v1::operation_service_client::OperationServiceClient;
use custody_proto::v1::{
    BackupRequest, BackupResponse, EntryPosition, ExportEvidenceRequest, GetCheckpointRequest,
    GetCheckpointResponse, ProveCompletenessRequest, ProveCompletenessResponse,
    ProveConsistencyRequest, ProveConsistencyResponse, ProveInclusionRequest,
    ProveInclusionResponse,
};
use tonic::{Response, Status};

use crate::client::Place;
use crate::error::CommandError;
use crate::offline::Offline;
use crate::reach::{ask_offline, block_on, connect, refused};

/// The largest answer: a manifest and a checkpoint of each of many shards, or
/// one entry with its proof.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Calls a method of the evidence service of a place.
macro_rules! ask {
    ($place:expr, $client:ident => $call:expr) => {
        match $place {
            Place::Server(server) => block_on(async {
                let mut $client = EvidenceServiceClient::new(connect(server).await?)
                    .max_decoding_message_size(MAX_ANSWER_BYTES);
                $call.await.map_err(|status| refused(server, &status))
            }),
            Place::Files(config) => ask_offline(
                config,
                Offline::open_signing(config)?,
                |offline| async move {
                    let mut $client = offline
                        .evidence()
                        .max_decoding_message_size(MAX_ANSWER_BYTES);
                    $call.await
                },
            ),
        }
        .map(Response::into_inner)
    };
}

/// The signed checkpoints and how far the ledger is.
///
/// # Errors
/// As [`crate::client::ask_server`] and [`crate::client::ask_files`].
pub fn checkpoint(place: Place<'_>) -> Result<GetCheckpointResponse, CommandError> {
    ask!(place, client => client.get_checkpoint(GetCheckpointRequest::default()))
}

/// That an entry is in the ledger.
///
/// # Errors
/// As [`checkpoint`].
pub fn prove_inclusion(
    place: Place<'_>,
    entry: EntryPosition,
) -> Result<ProveInclusionResponse, CommandError> {
    let request = ProveInclusionRequest {
        entry: Some(entry),
        ..ProveInclusionRequest::default()
    };
    ask!(place, client => client.prove_inclusion(request))
}

/// That a later tree only added to an earlier one.
///
/// # Errors
/// As [`checkpoint`].
pub fn prove_consistency(
    place: Place<'_>,
    request: ProveConsistencyRequest,
) -> Result<ProveConsistencyResponse, CommandError> {
    ask!(place, client => client.prove_consistency(request))
}

/// How many entries of a person each shard has.
///
/// # Errors
/// As [`checkpoint`].
pub fn prove_completeness(
    place: Place<'_>,
    subject: String,
) -> Result<ProveCompletenessResponse, CommandError> {
    let request = ProveCompletenessRequest {
        subject,
        ..ProveCompletenessRequest::default()
    };
    ask!(place, client => client.prove_completeness(request))
}

/// Everything that a third party needs to check an answer about a person, part
/// by part.
///
/// # Errors
/// As [`checkpoint`]; [`CommandError::Output`] where `take` fails.
pub fn export(
    place: Place<'_>,
    subject: String,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), CommandError> {
    let request = ExportEvidenceRequest {
        subject,
        at_least: None,
    };
    let taken = ask!(place, client => async {
        let mut parts = client.export_evidence(request).await?.into_inner();
        while let Some(part) = parts.message().await? {
            if let Err(error) = take(&part.chunk) {
                return Ok(Response::new(Err(error)));
            }
        }
        Ok::<_, Status>(Response::new(Ok(())))
    })?;
    Ok(taken?)
}

/// Has a server make a backup, and tells how far it is.
///
/// # Errors
/// As [`crate::client::ask_server`].
pub fn backup(
    server: &str,
    name: String,
    progress: &mut dyn FnMut(&BackupResponse),
) -> Result<BackupResponse, CommandError> {
    block_on(async {
        let mut client = OperationServiceClient::new(connect(server).await?);
        let told = async {
            let mut told = client.backup(BackupRequest { name }).await?.into_inner();
            let mut last = BackupResponse::default();
            while let Some(next) = told.message().await? {
                progress(&next);
                last = next;
            }
            if last.directory.is_empty() {
                return Err(Status::data_loss(
                    "the server ended without saying that it is done",
                ));
            }
            Ok(last)
        };
        told.await.map_err(|status| refused(server, &status))
    })
}
