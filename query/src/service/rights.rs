//! `RightsService`.

use custody_proto::v1::rights_service_server::RightsService;
use custody_proto::v1::*;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::{LineageApi, refuse};

#[async_trait]
impl RightsService for LineageApi {
    async fn list_requests(
        &self,
        request: Request<ListRequestsRequest>,
    ) -> Result<Response<ListRequestsResponse>, Status> {
        self.respond(request).await
    }

    async fn erase_subject(
        &self,
        request: Request<EraseSubjectRequest>,
    ) -> Result<Response<EraseSubjectResponse>, Status> {
        self.respond(request).await
    }

    type ExportSubjectStream = BoxStream<ExportSubjectResponse>;

    async fn export_subject(
        &self,
        _: Request<ExportSubjectRequest>,
    ) -> Result<Response<Self::ExportSubjectStream>, Status> {
        refuse("custody.v1.RightsService/ExportSubject")
    }

    async fn list_erasures(
        &self,
        request: Request<ListErasuresRequest>,
    ) -> Result<Response<ListErasuresResponse>, Status> {
        self.respond(request).await
    }

    async fn get_erasure(
        &self,
        request: Request<GetErasureRequest>,
    ) -> Result<Response<GetErasureResponse>, Status> {
        self.respond(request).await
    }

    async fn withdraw_erasure(
        &self,
        request: Request<WithdrawErasureRequest>,
    ) -> Result<Response<WithdrawErasureResponse>, Status> {
        self.respond(request).await
    }

    async fn place_hold(
        &self,
        request: Request<PlaceHoldRequest>,
    ) -> Result<Response<PlaceHoldResponse>, Status> {
        self.respond(request).await
    }

    async fn lift_hold(
        &self,
        request: Request<LiftHoldRequest>,
    ) -> Result<Response<LiftHoldResponse>, Status> {
        self.respond(request).await
    }

    async fn list_holds(
        &self,
        request: Request<ListHoldsRequest>,
    ) -> Result<Response<ListHoldsResponse>, Status> {
        self.respond(request).await
    }

    async fn link_subjects(
        &self,
        request: Request<LinkSubjectsRequest>,
    ) -> Result<Response<LinkSubjectsResponse>, Status> {
        self.respond(request).await
    }

    async fn unlink_subjects(
        &self,
        request: Request<UnlinkSubjectsRequest>,
    ) -> Result<Response<UnlinkSubjectsResponse>, Status> {
        self.respond(request).await
    }

    async fn release_identifier(
        &self,
        request: Request<ReleaseIdentifierRequest>,
    ) -> Result<Response<ReleaseIdentifierResponse>, Status> {
        self.respond(request).await
    }
}
