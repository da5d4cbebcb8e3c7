//! Asking: waiting until the read model has come far enough, then working the
//! answer out off the runtime's threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use super::deadline::Deadline;
use super::metric;
use super::status::status_of;
use super::watch::{DEFAULT_WATCHERS, Watchers};
use crate::answer::{Ask, QueryError, QueryState, Wanted, work_out};
use crate::consultation::Consult;
use crate::read_model::{Following, Visible};

/// So many answers are worked out at once; more wait for their turn, so that
/// nobody's large answers take all of the runtime's blocking threads.
const CONCURRENT_ANSWERS: usize = 64;

/// So many exports are in memory at once, each whole.
const CONCURRENT_EXPORTS: usize = 4;

/// How often it is looked whether enough is signed.
const LOOK: Duration = Duration::from_millis(20);

/// Answers questions, with or without a network in between. Clones share
/// everything.
#[derive(Clone)]
pub struct LineageApi {
    state: QueryState,
    turns: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    watchers: Watchers,
}

impl LineageApi {
    /// Over an open ledger, vault and read model.
    pub fn new(state: QueryState) -> Self {
        Self {
            state,
            turns: Arc::new(Semaphore::new(CONCURRENT_ANSWERS)),
            exports: Arc::new(Semaphore::new(CONCURRENT_EXPORTS)),
            watchers: Watchers::new(DEFAULT_WATCHERS),
        }
    }

    /// How many may watch at once. Default: [`DEFAULT_WATCHERS`].
    #[must_use]
    pub fn watchers_at_most(mut self, limit: usize) -> Self {
        self.watchers = Watchers::new(limit);
        self
    }

    /// Ends the streams of all watchers, and begins no more: before the stores
    /// are closed.
    pub fn stop_watching(&self) {
        self.watchers.stop();
    }

    pub(super) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    /// What answers are made from.
    pub fn state(&self) -> &QueryState {
        &self.state
    }

    /// Asks on this thread, which blocks: for callers without a runtime.
    ///
    /// # Errors
    /// A status with a `google.rpc.ErrorInfo`.
    pub fn ask<Q: Ask>(&self, question: Q, deadline: Deadline) -> Result<Q::Answer, Status> {
        let answer = || {
            let wanted = question.wanted(&self.state)?;
            let enough = |visible: &Visible| is_settled::<Q>(&wanted, visible);
            let (visible, _) = self.state.read_model.wait_until(deadline.0, enough);
            let visible = check::<Q>(&wanted, visible)?;
            while must_be_signed(&question) && !self.is_signed(&wanted, deadline)? {
                std::thread::sleep(LOOK);
            }
            let (state, _waiting) = self.state.until(deadline.0);
            work_out(question, &state, visible)
        };
        answer().map_err(|error| handled(Q::METHOD, &error))
    }

    /// Asks from a task. The disk is read on the runtime's blocking threads.
    ///
    /// # Errors
    /// A status with a `google.rpc.ErrorInfo`.
    pub async fn ask_async<Q: Ask>(
        &self,
        question: Q,
        deadline: Deadline,
    ) -> Result<Q::Answer, Status> {
        let answer = self.answer(question, deadline).await;
        answer.map_err(|error| handled(Q::METHOD, &error))
    }

    async fn answer<Q: Ask>(
        &self,
        question: Q,
        deadline: Deadline,
    ) -> Result<Q::Answer, QueryError> {
        let (visible, turn) = self.visible_for(&question, deadline).await?;
        // Dropped with this future: nobody works for a caller who went away.
        let (state, _waiting) = self.state.until(deadline.0);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work_out(question, &state, visible)
        });
        answer.await.map_err(|_| QueryError::Interrupted)?
    }

    /// Waits until the read model has come far enough for a question, and for
    /// the turn to answer it.
    pub(super) async fn visible_for<Q: Ask>(
        &self,
        question: &Q,
        deadline: Deadline,
    ) -> Result<(Arc<Visible>, OwnedSemaphorePermit), QueryError> {
        let wanted = question.wanted(&self.state)?;
        let mut watch = self.state.read_model.watch();
        let enough = |visible: &Arc<Visible>| is_settled::<Q>(&wanted, visible);
        // What is visible at the deadline is checked either way.
        let _ = tokio::time::timeout_at(deadline.0.into(), watch.wait_for(enough)).await;
        let visible = check::<Q>(&wanted, self.state.read_model.visible())?;
        while must_be_signed(question) && !self.is_signed(&wanted, deadline)? {
            tokio::time::sleep(LOOK).await;
        }
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| QueryError::Interrupted)?;
        Ok((visible, turn))
    }

    /// Whether what is wanted is signed, or else whether there is time left.
    fn is_signed(&self, wanted: &Wanted, deadline: Deadline) -> Result<bool, QueryError> {
        let published = self.state.ledger.published();
        match wanted.check_signed(published.as_deref()) {
            Err(_) if Instant::now() < deadline.0 => Ok(false),
            checked => checked.map(|()| true),
        }
    }

    /// Waits for the turn to export.
    pub(super) async fn export_turn(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.exports)
            .acquire_owned()
            .await
            .map_err(|_| status_of(&QueryError::Interrupted))
    }

    /// Answers a gRPC request, has it written down who asked, and counts it.
    pub(super) async fn respond<Q: Consult>(
        &self,
        request: Request<Q>,
    ) -> Result<Response<Q::Answer>, Status> {
        let start = Instant::now();
        let deadline = Deadline::of(request.metadata());
        let answer = self.consult(request, deadline).await;
        let answer = answer.map_err(|error| handled(Q::METHOD, &error));
        let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        count(Q::METHOD, code, start);
        answer.map(Response::new)
    }

    async fn consult<Q: Consult>(
        &self,
        request: Request<Q>,
        deadline: Deadline,
    ) -> Result<Q::Answer, QueryError> {
        let (metadata, _, question) = request.into_parts();
        let asked = match &self.state.consultations {
            Some(kept) => {
                let asked = kept.asked(&metadata, Q::METHOD, question.whose(), question.said())?;
                Some((kept, asked))
            }
            None => None,
        };
        let mut answer = self.answer(question, deadline).await?;
        if let Some((kept, asked)) = asked {
            let (rows, entry_of) = (Q::rows(&answer), Q::entry_of(&answer));
            kept.answered(asked, rows, entry_of, deadline.0).await?;
        }
        if let Some(head) = Q::head(&mut answer)
            && head.checkpoint.is_empty()
            && let Some(signed) = self.state.ledger.published()
        {
            head.checkpoint = signed.note.clone().into_bytes();
        }
        Ok(answer)
    }
}

/// Refuses a method that does not exist yet, and counts that.
pub(super) fn refuse<T>(method: &'static str) -> Result<T, Status> {
    count(method, Code::Unimplemented, Instant::now());
    Err(status_of(&QueryError::Unimplemented(method)))
}

pub(super) fn count(method: &'static str, code: Code, start: Instant) {
    metrics::counter!(metric::REQUESTS, "method" => method, "code" => format!("{code:?}"))
        .increment(1);
    metrics::histogram!(metric::REQUEST_DURATION, "method" => method)
        .record(start.elapsed().as_secs_f64());
}

/// Whether what is wanted must be signed before the question is answered.
fn must_be_signed<Q: Ask>(question: &Q) -> bool {
    Q::SIGNED || question.proof_of().is_some()
}

/// Whether waiting longer would change nothing.
fn is_settled<Q: Ask>(wanted: &Wanted, visible: &Visible) -> bool {
    let complete = !Q::NEEDS_EVERYTHING || visible.following == Following::Live;
    (complete && wanted.is_reached(visible)) || matches!(visible.following, Following::Failed(_))
}

/// What to answer from, or why there is no answer.
fn check<Q: Ask>(wanted: &Wanted, visible: Arc<Visible>) -> Result<Arc<Visible>, QueryError> {
    let missing = wanted.missing(&visible);
    match &visible.following {
        Following::Failed(_) if Q::NEEDS_EVERYTHING || !missing.is_empty() => {
            return Err(QueryError::NotFollowing);
        }
        Following::CatchingUp if Q::NEEDS_EVERYTHING => return Err(QueryError::CatchingUp),
        _ => {}
    }
    if missing.is_empty() {
        return Ok(visible);
    }
    match missing.iter().find(|behind| !behind.known) {
        Some(unknown) => Err(QueryError::ShardUnknown(unknown.shard)),
        None => Err(QueryError::Behind(missing)),
    }
}

/// Logs what the operator must know, once, and makes the status.
pub(super) fn handled(method: &'static str, error: &QueryError) -> Status {
    let status = status_of(error);
    if matches!(status.code(), Code::Internal | Code::DataLoss) {
        tracing::error!(method, %error, "a question could not be answered");
    }
    status
}
