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
        _: Request<EraseSubjectRequest>,
    ) -> Result<Response<EraseSubjectResponse>, Status> {
        refuse("custody.v1.RightsService/EraseSubject")
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
        _: Request<ListErasuresRequest>,
    ) -> Result<Response<ListErasuresResponse>, Status> {
        refuse("custody.v1.RightsService/ListErasures")
    }

    async fn get_erasure(
        &self,
        _: Request<GetErasureRequest>,
    ) -> Result<Response<GetErasureResponse>, Status> {
        refuse("custody.v1.RightsService/GetErasure")
    }

    async fn withdraw_erasure(
        &self,
        _: Request<WithdrawErasureRequest>,
    ) -> Result<Response<WithdrawErasureResponse>, Status> {
        refuse("custody.v1.RightsService/WithdrawErasure")
    }

    async fn place_hold(
        &self,
        _: Request<PlaceHoldRequest>,
    ) -> Result<Response<PlaceHoldResponse>, Status> {
        refuse("custody.v1.RightsService/PlaceHold")
    }

    async fn lift_hold(
        &self,
        _: Request<LiftHoldRequest>,
    ) -> Result<Response<LiftHoldResponse>, Status> {
        refuse("custody.v1.RightsService/LiftHold")
    }

    async fn list_holds(
        &self,
        _: Request<ListHoldsRequest>,
    ) -> Result<Response<ListHoldsResponse>, Status> {
        refuse("custody.v1.RightsService/ListHolds")
    }

    async fn link_subjects(
        &self,
        _: Request<LinkSubjectsRequest>,
    ) -> Result<Response<LinkSubjectsResponse>, Status> {
        refuse("custody.v1.RightsService/LinkSubjects")
    }

    async fn unlink_subjects(
        &self,
        _: Request<UnlinkSubjectsRequest>,
    ) -> Result<Response<UnlinkSubjectsResponse>, Status> {
        refuse("custody.v1.RightsService/UnlinkSubjects")
    }

    async fn release_identifier(
        &self,
        _: Request<ReleaseIdentifierRequest>,
    ) -> Result<Response<ReleaseIdentifierResponse>, Status> {
        refuse("custody.v1.RightsService/ReleaseIdentifier")
    }
}
