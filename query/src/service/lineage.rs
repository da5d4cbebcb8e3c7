//! `LineageService`.

use custody_proto::v1::lineage_service_server::LineageService;
use custody_proto::v1::*;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::LineageApi;

#[async_trait]
impl LineageService for LineageApi {
    async fn get_subject(
        &self,
        request: Request<GetSubjectRequest>,
    ) -> Result<Response<GetSubjectResponse>, Status> {
        self.respond(request).await
    }

    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        self.respond(request).await
    }

    async fn list_recipients(
        &self,
        request: Request<ListRecipientsRequest>,
    ) -> Result<Response<ListRecipientsResponse>, Status> {
        self.respond(request).await
    }

    async fn list_transfers(
        &self,
        request: Request<ListTransfersRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        self.respond(request).await
    }

    async fn trace_lineage(
        &self,
        request: Request<TraceLineageRequest>,
    ) -> Result<Response<TraceLineageResponse>, Status> {
        self.respond(request).await
    }

    async fn list_findings(
        &self,
        request: Request<ListFindingsRequest>,
    ) -> Result<Response<ListFindingsResponse>, Status> {
        self.respond(request).await
    }

    async fn get_finding_summary(
        &self,
        request: Request<GetFindingSummaryRequest>,
    ) -> Result<Response<GetFindingSummaryResponse>, Status> {
        self.respond(request).await
    }

    async fn get_consent_state(
        &self,
        request: Request<GetConsentStateRequest>,
    ) -> Result<Response<GetConsentStateResponse>, Status> {
        self.respond(request).await
    }

    type WatchSubjectStream = BoxStream<WatchResponse>;

    async fn watch_subject(
        &self,
        request: Request<WatchSubjectRequest>,
    ) -> Result<Response<Self::WatchSubjectStream>, Status> {
        self.tell(request).await
    }
}
