//! Health, readiness and metrics over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::error::CommandError;

/// Whether this process can be sent work, and if not, why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether everything required is well.
    pub ready: bool,
    /// Each thing looked at.
    pub checks: Vec<Check>,
}

/// One thing that readiness rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: `kafka`, `ledger`, `read_model`, `witnesses`.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// Whether this process is not ready without it.
    pub required: bool,
    /// In words. Names no person.
    pub detail: String,
}

impl Readiness {
    /// Ready where every required check is well.
    pub fn of(checks: Vec<Check>) -> Self {
        Self {
            ready: checks.iter().all(|check| check.ok || !check.required),
            checks,
        }
    }
}

/// Looks whether this process is ready. Called for each request; must not block.
pub type Probe = Arc<dyn Fn() -> Readiness + Send + Sync>;

#[derive(Clone)]
struct Shared {
    metrics: PrometheusHandle,
    probe: Probe,
}

/// The routes `/livez`, `/readyz` and `/metrics`.
pub fn router(metrics: PrometheusHandle, probe: Probe) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(Shared { metrics, probe })
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    let readiness = (shared.probe)();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::to_string(&readiness).unwrap_or_default() + "\n";
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn show_metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let body = shared.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], body)
}

/// Takes the address, so that a port in use is found out at start.
///
/// # Errors
/// [`CommandError::Listen`].
pub async fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| CommandError::Listen {
            address: address.to_string(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_check_is_enough() {
        let check = |ok, required| Check {
            name: "ledger",
            ok,
            required,
            detail: String::new(),
        };
        assert!(Readiness::of(vec![check(true, true), check(false, false)]).ready);
        assert!(!Readiness::of(vec![check(true, true), check(false, true)]).ready);
    }

    async fn status(probe: Probe, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new()
            .build_recorder()
            .handle();
        let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(metrics, probe)).await });
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readiness_is_a_status_and_its_reasons() {
        let probe = |ok: bool| -> Probe {
            Arc::new(move || {
                Readiness::of(vec![Check {
                    name: "kafka",
                    ok,
                    required: true,
                    detail: "no broker answers".to_owned(),
                }])
            })
        };
        assert!(
            status(probe(true), "/readyz")
                .await
                .starts_with("HTTP/1.1 200")
        );
        let not_ready = status(probe(false), "/readyz").await;
        assert!(not_ready.starts_with("HTTP/1.1 503"), "{not_ready}");
        assert!(not_ready.contains("no broker answers"), "{not_ready}");
        assert!(
            status(probe(false), "/livez")
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert!(
            status(probe(false), "/metrics")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }
}
