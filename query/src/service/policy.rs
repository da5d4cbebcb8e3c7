//! `PolicyService`.

use custody_proto::v1::policy_service_server::PolicyService;
use custody_proto::v1::*;
use tonic::{Request, Response, Status, async_trait};

use super::api::LineageApi;

#[async_trait]
impl PolicyService for LineageApi {
    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        self.respond(request).await
    }

    async fn get_policy(
        &self,
        request: Request<GetPolicyRequest>,
    ) -> Result<Response<GetPolicyResponse>, Status> {
        self.respond(request).await
    }

    async fn judge(
        &self,
        request: Request<JudgeRequest>,
    ) -> Result<Response<JudgeResponse>, Status> {
        self.respond(request).await
    }
}
