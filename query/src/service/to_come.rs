//! Services of the contract that do not exist yet. Each method says so, so
//! that a client can tell it from a wrong address.

use custody_proto::v1::rights_service_server::RightsService;
use custody_proto::v1::*;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::refuse;

/// Refuses every method.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToCome;

#[async_trait]
impl RightsService for ToCome {
    async fn list_requests(
        &self,
        _: Request<ListRequestsRequest>,
    ) -> Result<Response<ListRequestsResponse>, Status> {
        refuse("custody.v1.RightsService/ListRequests")
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
}
