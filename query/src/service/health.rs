//! Health (`grpc.health.v1`): serving while answers are complete.

use std::time::Duration;

use custody_proto::v1::evidence_service_server::EvidenceServiceServer;
use custody_proto::v1::lineage_service_server::LineageServiceServer;
use custody_proto::v1::operation_service_server::OperationServiceServer;
use custody_proto::v1::oversight_service_server::OversightServiceServer;
use custody_proto::v1::policy_service_server::PolicyServiceServer;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::api::LineageApi;
use super::operation::Operation;
use crate::answer::QueryState;
use crate::read_model::Following;

/// How often the ledger is asked whether it failed; it does not call.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Whether answers are complete: the read model follows and the ledger takes
/// what it is given.
pub(super) fn is_serving(state: &QueryState) -> bool {
    state.read_model.visible().following == Following::Live && state.ledger.poisoned().is_none()
}

/// Keeps the reporter up to date for as long as it is polled. The services
/// that are still to come are not reported: they never serve.
pub(super) async fn report(state: QueryState, reporter: HealthReporter) {
    let mut watch = state.read_model.watch();
    loop {
        set(&reporter, is_serving(&state)).await;
        let _ = tokio::time::timeout(LOOK_UP, changed(&mut watch)).await;
    }
}

async fn changed(
    watch: &mut tokio::sync::watch::Receiver<std::sync::Arc<crate::read_model::Visible>>,
) {
    let before = watch.borrow_and_update().following.clone();
    let _ = watch.wait_for(|visible| visible.following != before).await;
}

/// Reports every service at once.
pub(super) async fn set(reporter: &HealthReporter, serving: bool) {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    let services = [
        "",
        <LineageServiceServer<LineageApi> as NamedService>::NAME,
        <EvidenceServiceServer<LineageApi> as NamedService>::NAME,
        <OversightServiceServer<LineageApi> as NamedService>::NAME,
        <PolicyServiceServer<LineageApi> as NamedService>::NAME,
        <OperationServiceServer<Operation> as NamedService>::NAME,
    ];
    for service in services {
        reporter.set_service_status(service, status).await;
    }
}
