//! The gRPC server: every service of the contract, health, reflection and
//! gRPC-Web on one listener.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use custody_proto::DESCRIPTORS;
use custody_proto::v1::evidence_service_server::EvidenceServiceServer;
use custody_proto::v1::operation_service_server::OperationServiceServer;
use custody_proto::v1::policy_service_server::PolicyServiceServer;
use custody_proto::v1::rights_service_server::RightsServiceServer;
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::transport::server::{Server, TcpIncoming};
use tonic_health::server::HealthReporter;
use tonic_reflection::server::Builder as ReflectionBuilder;
use tonic_web::GrpcWebLayer;

use super::affected::Oversight;
use super::api::LineageApi;
use super::health;
use super::in_bytes::Lineage;
use super::operation::Operation;
use crate::answer::QueryState;

/// How often a silent connection is asked whether it stands, and how long the
/// answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The gRPC server over a [`QueryState`].
#[derive(Clone)]
pub struct QueryServer {
    api: LineageApi,
    drain_timeout: Duration,
    backups: Option<PathBuf>,
}

/// Why the server did not start or went down.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors of the services cannot be served.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the gRPC server: {0}")]
    Transport(#[from] tonic::transport::Error),
}

impl QueryServer {
    /// A server that waits up to 10 seconds for requests under way when it is
    /// shut down.
    pub fn new(state: QueryState) -> Self {
        Self {
            api: LineageApi::new(state),
            drain_timeout: Duration::from_secs(10),
            backups: None,
        }
    }

    /// The directory that backups are made in; without it, there are none.
    #[must_use]
    pub fn backups(mut self, directory: impl Into<PathBuf>) -> Self {
        self.backups = Some(directory.into());
        self
    }

    /// How many may watch at once. Default:
    /// [`DEFAULT_WATCHERS`](super::DEFAULT_WATCHERS).
    #[must_use]
    pub fn watchers_at_most(mut self, limit: usize) -> Self {
        self.api = self.api.watchers_at_most(limit);
        self
    }

    /// How long requests under way are waited for at shutdown.
    #[must_use]
    pub fn drain_timeout(mut self, drain_timeout: Duration) -> Self {
        self.drain_timeout = drain_timeout;
        self
    }

    /// The same answers without a network.
    pub fn api(&self) -> &LineageApi {
        &self.api
    }

    /// Every service, and what reports their health. Poll
    /// [`QueryServer::report_health`] with the reporter for as long as they are
    /// served; [`QueryServer::serve`] does so itself.
    ///
    /// # Errors
    /// [`ServeError::Reflection`].
    pub fn services(&self) -> Result<(Routes, HealthReporter), ServeError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let reflection = || {
            ReflectionBuilder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // What errors carry: a client that knows the contract by
                // reflection only reads the reason too.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let (v1, v1alpha) = (reflection().build_v1()?, reflection().build_v1alpha()?);
        let evidence = EvidenceServiceServer::new(self.api.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        let mut routes = Routes::builder();
        routes
            .add_service(Lineage::new(self.api.clone()))
            .add_service(evidence)
            .add_service(Oversight::new(self.api.clone()))
            .add_service(RightsServiceServer::new(self.api.clone()))
            .add_service(PolicyServiceServer::new(self.api.clone()))
            .add_service(OperationServiceServer::new(Operation::new(
                self.api.state().clone(),
                self.backups.clone(),
            )))
            .add_service(health)
            .add_service(v1)
            .add_service(v1alpha);
        Ok((routes.routes(), reporter))
    }

    /// Keeps the health up to date for as long as it is polled.
    pub async fn report_health(&self, reporter: HealthReporter) {
        health::report(self.api.state().clone(), reporter).await;
    }

    /// Serves until `shutdown` is ready, then lets requests under way finish,
    /// up to the drain timeout.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let (routes, reporter) = self.services()?;
        health::set(&reporter, health::is_serving(self.api.state())).await;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = Server::builder()
            // gRPC-Web comes over HTTP/1.1 where there is no TLS.
            .accept_http1(true)
            // A watcher whose machine is gone gives its place back.
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .layer(GrpcWebLayer::new())
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                TcpIncoming::from(listener).with_nodelay(Some(true)),
                async {
                    let _ = stopped.await;
                },
            );
        let drained = async {
            tokio::select! {
                () = shutdown => {}
                () = self.report_health(reporter.clone()) => {}
            }
            // Balancers look elsewhere while the rest finishes. Streams that
            // never end (health watches, reflection) end with the timeout;
            // those of watchers end at once, with a token to go on by.
            health::set(&reporter, false).await;
            self.api.stop_watching();
            let _ = stop.send(());
            tokio::time::sleep(self.drain_timeout).await;
        };
        tokio::select! {
            served = server => Ok(served?),
            () = drained => Ok(()),
        }
    }
}
