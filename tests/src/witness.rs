//! A witness for tests: [C2SP tlog-witness](https://c2sp.org/tlog-witness),
//! with a memory that ends with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use custody_proof::checkpoint::Checkpoint;
use custody_proof::cosignature::{CosignerKey, CosigningKey};
use custody_proof::note::{Limits, Note, VerifyingKey};
use custody_proof::tree::{Hash, empty_root, verify_consistency};
use custody_proof::witness::{AddCheckpoint, Answer, PATH, Refusal};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A witness on 127.0.0.1. It cosigns the checkpoints of logs that it
/// [trusts](Self::trust), each tree only where it continues the one before.
pub struct Witness {
    url: String,
    inner: Arc<Inner>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    key: CosigningKey,
    state: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    trusted: Vec<VerifyingKey>,
    logs: BTreeMap<String, (u64, Hash)>,
    is_down: bool,
    asked: u64,
}

impl Witness {
    /// Starts one of this name. `seed` makes its key.
    ///
    /// # Errors
    /// Where it cannot listen, or the name is none.
    pub fn start(name: &str, seed: u8) -> Result<Self> {
        let inner = Arc::new(Inner {
            key: CosigningKey::from_seed(name, &[seed; 32])?,
            state: Mutex::default(),
        });
        let router = Router::new()
            .route(&format!("/{PATH}"), post(handle))
            .with_state(Arc::clone(&inner));
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = channel();
        let thread = std::thread::Builder::new()
            .name("witness".to_owned())
            .spawn(move || serve(router, &ready, stopped))?;
        let address = started.recv().context("the witness ended")??;
        Ok(Self {
            url: format!("http://{address}"),
            inner,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Its submission prefix.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What verifies its cosignatures.
    pub fn key(&self) -> &CosignerKey {
        self.inner.key.cosigner_key()
    }

    /// Takes checkpoints of the log with the name of this key.
    pub fn trust(&self, key: VerifyingKey) {
        self.inner.state.lock().trusted.push(key);
    }

    /// The last tree of a log that it has cosigned.
    pub fn seen(&self, origin: &str) -> Option<(u64, Hash)> {
        self.inner.state.lock().logs.get(origin).copied()
    }

    /// How often it was asked.
    pub fn asked(&self) -> u64 {
        self.inner.state.lock().asked
    }

    /// Answers 503 to everything, or works again.
    pub fn set_down(&self, is_down: bool) {
        self.inner.state.lock().is_down = is_down;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    router: Router,
    ready: &std::sync::mpsc::Sender<Result<std::net::SocketAddr>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error.into()));
            return;
        }
    };
    runtime.block_on(async {
        let bound = async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let listener = match bound.await {
            Ok((listener, address)) => {
                let _ = ready.send(Ok(address));
                listener
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        tokio::select! {
            _ = axum::serve(listener, router).into_future() => {}
            _ = stopped => {}
        }
    });
}

async fn handle(State(inner): State<Arc<Inner>>, body: String) -> Response {
    let time_s = SystemTime::now().duration_since(UNIX_EPOCH);
    let answer = inner.answer(&body, time_s.unwrap_or_default().as_secs());
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [(header::CONTENT_TYPE, answer.content_type())];
    (status, kind, answer.body()).into_response()
}

impl Inner {
    /// What the specification says, step by step.
    fn answer(&self, body: &str, time_s: u64) -> Answer {
        let mut state = self.state.lock();
        state.asked += 1;
        if state.is_down {
            return Answer::Refused(Refusal::Other(503));
        }
        let malformed = Answer::Refused(Refusal::Malformed);
        let Ok(request) = AddCheckpoint::parse(body) else {
            return malformed;
        };
        let Ok(note) = Note::parse_within(&request.note, Limits::CHECKPOINT) else {
            return malformed;
        };
        let Ok(checkpoint) = Checkpoint::parse(note.text()) else {
            return malformed;
        };
        let origin = &checkpoint.origin;
        let keys: Vec<VerifyingKey> = state
            .trusted
            .iter()
            .filter(|key| key.name() == origin)
            .cloned()
            .collect();
        if keys.is_empty() {
            return Answer::Refused(Refusal::UnknownLog);
        }
        if note.opened_by(&keys).is_err() {
            return Answer::Refused(Refusal::Untrusted);
        }
        if request.old_size > checkpoint.size {
            return malformed;
        }
        let (size, root) = state.logs.get(origin).copied().unwrap_or((0, empty_root()));
        let is_same = size == checkpoint.size && root != checkpoint.root;
        if request.old_size != size || is_same {
            return Answer::Conflict { size };
        }
        let continues = verify_consistency(
            size,
            &root,
            checkpoint.size,
            &checkpoint.root,
            &request.proof,
        );
        if continues.is_err() {
            return Answer::Refused(Refusal::Inconsistent);
        }
        let Ok(cosignature) = self.key.cosign(note.text(), time_s) else {
            return Answer::Refused(Refusal::Other(500));
        };
        let seen = (checkpoint.size, checkpoint.root);
        state.logs.insert(checkpoint.origin, seen);
        Answer::Cosigned(vec![cosignature])
    }
}
