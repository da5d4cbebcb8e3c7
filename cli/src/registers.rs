//! Asks over everybody: whose data a recipient had, the record of processing,
//! numbers of entries.

use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::{
    FindAffectedSubjectsRequest, FindAffectedSubjectsResponse, GetProcessingRecordRequest,
    GetProcessingRecordResponse, GetStatisticsRequest, GetStatisticsResponse,
};
use tonic::{Response, Status, Streaming};

use crate::client::Place;
use crate::error::CommandError;
use crate::offline::Offline;
use crate::reach::{ask_offline, block_on, connect, refused};

/// The persons whose data a recipient or a system had.
///
/// # Errors
/// [`CommandError::Connect`], [`CommandError::Refused`],
/// [`CommandError::Store`].
pub(crate) fn affected(
    place: Place<'_>,
    request: FindAffectedSubjectsRequest,
) -> Result<Vec<FindAffectedSubjectsResponse>, CommandError> {
    match place {
        Place::Server(server) => block_on(async {
            let mut client = OversightServiceClient::new(connect(server).await?);
            let stream = client.find_affected_subjects(request).await;
            gather(stream)
                .await
                .map_err(|status| refused(server, &status))
        }),
        Place::Files(config) => ask_offline(config, Offline::open(config)?, |offline| async move {
            gather(offline.oversight().find_affected_subjects(request).await).await
        }),
    }
}

async fn gather<T>(stream: Result<Response<Streaming<T>>, Status>) -> Result<Vec<T>, Status> {
    let mut stream = stream?.into_inner();
    let mut rows = Vec::new();
    while let Some(row) = stream.message().await? {
        rows.push(row);
    }
    Ok(rows)
}

/// The record of processing activities.
///
/// # Errors
/// As [`affected`].
pub(crate) fn record(
    place: Place<'_>,
    request: GetProcessingRecordRequest,
) -> Result<GetProcessingRecordResponse, CommandError> {
    match place {
        Place::Server(server) => block_on(async {
            let mut client = OversightServiceClient::new(connect(server).await?);
            let answer = client.get_processing_record(request).await;
            answer
                .map(Response::into_inner)
                .map_err(|status| refused(server, &status))
        }),
        Place::Files(config) => ask_offline(config, Offline::open(config)?, |offline| async move {
            let answer = offline.oversight().get_processing_record(request).await;
            answer.map(Response::into_inner)
        }),
    }
}

/// Numbers of entries.
///
/// # Errors
/// As [`affected`].
pub(crate) fn statistics(
    place: Place<'_>,
    request: GetStatisticsRequest,
) -> Result<GetStatisticsResponse, CommandError> {
    match place {
        Place::Server(server) => block_on(async {
            let mut client = OversightServiceClient::new(connect(server).await?);
            let answer = client.get_statistics(request).await;
            answer
                .map(Response::into_inner)
                .map_err(|status| refused(server, &status))
        }),
        Place::Files(config) => ask_offline(config, Offline::open(config)?, |offline| async move {
            let answer = offline.oversight().get_statistics(request).await;
            answer.map(Response::into_inner)
        }),
    }
}
