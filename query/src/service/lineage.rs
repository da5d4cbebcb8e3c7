//! `LineageService` and `EvidenceService`.

use custody_proto::v1::evidence_service_server::EvidenceService;
use custody_proto::v1::lineage_service_server::LineageService;
use custody_proto::v1::*;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::api::{LineageApi, refuse};

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
        _: Request<TraceLineageRequest>,
    ) -> Result<Response<TraceLineageResponse>, Status> {
        refuse("custody.v1.LineageService/TraceLineage")
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
}

#[async_trait]
impl EvidenceService for LineageApi {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        self.respond(request).await
    }

    async fn prove_inclusion(
        &self,
        _: Request<ProveInclusionRequest>,
    ) -> Result<Response<ProveInclusionResponse>, Status> {
        refuse("custody.v1.EvidenceService/ProveInclusion")
    }

    async fn prove_consistency(
        &self,
        _: Request<ProveConsistencyRequest>,
    ) -> Result<Response<ProveConsistencyResponse>, Status> {
        refuse("custody.v1.EvidenceService/ProveConsistency")
    }

    async fn prove_completeness(
        &self,
        _: Request<ProveCompletenessRequest>,
    ) -> Result<Response<ProveCompletenessResponse>, Status> {
        refuse("custody.v1.EvidenceService/ProveCompleteness")
    }

    type ExportEvidenceStream = BoxStream<ExportEvidenceResponse>;

    async fn export_evidence(
        &self,
        _: Request<ExportEvidenceRequest>,
    ) -> Result<Response<Self::ExportEvidenceStream>, Status> {
        refuse("custody.v1.EvidenceService/ExportEvidence")
    }
}
