//! `OversightService`. What does not exist yet says so.

use custody_proto::v1::oversight_service_server::OversightService;
use custody_proto::v1::*;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::{LineageApi, refuse};
use crate::answer::OversightFindings;

#[async_trait]
impl OversightService for LineageApi {
    type FindAffectedSubjectsStream = BoxStream<FindAffectedSubjectsResponse>;

    async fn find_affected_subjects(
        &self,
        _: Request<FindAffectedSubjectsRequest>,
    ) -> Result<Response<Self::FindAffectedSubjectsStream>, Status> {
        refuse("custody.v1.OversightService/FindAffectedSubjects")
    }

    async fn get_processing_record(
        &self,
        _: Request<GetProcessingRecordRequest>,
    ) -> Result<Response<GetProcessingRecordResponse>, Status> {
        refuse("custody.v1.OversightService/GetProcessingRecord")
    }

    async fn list_recipients(
        &self,
        _: Request<OversightListRequest>,
    ) -> Result<Response<ListRecipientsResponse>, Status> {
        refuse("custody.v1.OversightService/ListRecipients")
    }

    async fn list_transfers(
        &self,
        _: Request<OversightListRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        refuse("custody.v1.OversightService/ListTransfers")
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
        _: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        refuse("custody.v1.OversightService/GetStatistics")
    }

    type WatchStream = BoxStream<WatchResponse>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.tell(request).await
    }
}
