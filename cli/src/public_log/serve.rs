//! The server: limits, and HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use custody_ledger::Ledger;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

use super::answer::{Answer, answer};
use super::{Path, metric};

/// Connections at a time. More wait to be accepted.
const CONNECTIONS: usize = 256;
/// Answers looked up at a time: each reads files.
const LOOK_UPS: usize = 4;
/// How long one may wait for its turn and be looked up.
const LOOK_UP: Duration = Duration::from_secs(10);
/// How long the head of a request may take, also the next one of a connection.
const HEAD: Duration = Duration::from_secs(10);
/// After this a connection ends with the answer under way.
const CONNECTION: Duration = Duration::from_secs(60);
/// How long that answer may take.
const LAST_ANSWER: Duration = Duration::from_secs(10);
/// The head of a request, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// After an error in accepting, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The log for outsiders. Cheap to clone.
#[derive(Clone)]
pub struct PublicLog {
    ledger: Ledger,
    look_ups: Arc<Semaphore>,
}

impl PublicLog {
    /// Of an open ledger. It must be dropped before the ledger is closed.
    pub fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
        }
    }

    async fn look_up(&self, path: Path) -> Option<Answer> {
        let turn = Arc::clone(&self.look_ups).acquire_owned();
        let ledger = self.ledger.clone();
        let looked_up = async {
            let turn = turn.await.ok()?;
            let work = tokio::task::spawn_blocking(move || {
                // Held by the work itself, which goes on after a timeout.
                let _turn = turn;
                answer(&ledger, path)
            });
            work.await.ok()
        };
        tokio::time::timeout(LOOK_UP, looked_up).await.ok()?
    }
}

async fn handle(State(log): State<PublicLog>, request: Request) -> Response {
    let path = Path::parse(request.uri().path());
    let what = path.as_ref().map_or("nothing", Path::what);
    let response = match (request.method(), path) {
        (&Method::GET | &Method::HEAD, Some(path)) => match log.look_up(path).await {
            Some(answer) => answer.into_response(),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "busy\n"),
        },
        (&Method::GET | &Method::HEAD, None) => plain(StatusCode::NOT_FOUND, "not found\n"),
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n"),
    };
    metric::answered(what, response.status().as_u16());
    response
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Found { body, kind, cache } => (
                [
                    (header::CONTENT_TYPE, kind),
                    (header::CACHE_CONTROL, cache),
                    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                    // Pages that verify in the browser read it too.
                    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
                ],
                Body::from(body),
            )
                .into_response(),
            Self::NotFound => plain(StatusCode::NOT_FOUND, "not found\n"),
            Self::NotYet => plain(StatusCode::SERVICE_UNAVAILABLE, "nothing is signed yet\n"),
            Self::Failed => plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot be read\n"),
        }
    }
}

/// What is not there now may be there in a moment.
fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}

/// Answers until it is told to stop, and then ends the answers under way.
pub async fn serve(listener: TcpListener, log: PublicLog, mut stop: watch::Receiver<bool>) {
    let router = Router::new().fallback(handle).with_state(log);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let told = stop.clone();
    let accepting = async {
        loop {
            // Before accepting: who finds no place waits in the kernel.
            let Ok(place) = Arc::clone(&connections).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let work = connection(stream, router.clone(), told.clone());
                    tokio::spawn(async move {
                        work.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "the log for outsiders cannot take a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        // An error means that the sender is gone, which is a stop too.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    // Each connection gives its place back when it has ended.
    let _ = tokio::time::timeout(LAST_ANSWER, connections.acquire_many(all)).await;
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = tokio::time::sleep(CONNECTION) => None,
        _ = stop.wait_for(|stop| *stop) => None,
    };
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_ANSWER, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection to the log for outsiders"),
        Err(_) => debug!("a connection to the log for outsiders took too long"),
    }
}

#[cfg(test)]
mod tests;
