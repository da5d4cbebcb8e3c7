//! `OversightService`.

use custody_proto::v1::oversight_service_server::OversightService;
use custody_proto::v1::*;
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::LineageApi;
use crate::answer::{OversightFindings, OversightRecipients, OversightTransfers};

#[async_trait]
impl OversightService for LineageApi {
    type FindAffectedSubjectsStream = BoxStream<FindAffectedSubjectsResponse>;

    async fn find_affected_subjects(
        &self,
        request: Request<FindAffectedSubjectsRequest>,
    ) -> Result<Response<Self::FindAffectedSubjectsStream>, Status> {
        let answer = self.stream_affected(request).await?;
        Ok(answer.map(|persons| {
            let decoded = persons.map(|person| {
                FindAffectedSubjectsResponse::decode(person?)
                    .map_err(|_| Status::internal("a person cannot be read"))
            });
            Box::pin(decoded) as Self::FindAffectedSubjectsStream
        }))
    }

    async fn get_processing_record(
        &self,
        request: Request<GetProcessingRecordRequest>,
    ) -> Result<Response<GetProcessingRecordResponse>, Status> {
        self.respond(request).await
    }

    async fn list_recipients(
        &self,
        request: Request<OversightListRequest>,
    ) -> Result<Response<ListRecipientsResponse>, Status> {
        self.respond(request.map(OversightRecipients)).await
    }

    async fn list_transfers(
        &self,
        request: Request<OversightListRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        self.respond(request.map(OversightTransfers)).await
    }

    async fn list_findings(
        &self,
        request: Request<OversightListRequest>,
    ) -> Result<Response<ListFindingsResponse>, Status> {
        self.respond(request.map(OversightFindings)).await
    }

    async fn get_finding_summary(
        &self,
        request: Request<OversightFindingSummaryRequest>,
    ) -> Result<Response<GetFindingSummaryResponse>, Status> {
        self.respond(request).await
    }

    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        self.respond(request).await
    }

    type WatchStream = BoxStream<WatchResponse>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.tell(request).await
    }
}
