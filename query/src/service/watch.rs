//! Streams to watchers: a task each, that looks, tells, and waits.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use custody_proto::v1;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_stream::Stream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use super::api::{LineageApi, count, handled};
use super::metric;
use crate::answer::QueryError;
use crate::consultation::Consult;
use crate::read_model::{Following, Visible};
use crate::watch::{Look, Watching};

/// How many may watch at once where nothing else is said.
pub const DEFAULT_WATCHERS: usize = 256;

/// So many look at once; the others wait for their turn.
const CONCURRENT_LOOKS: usize = 4;

/// A watcher that has seen everything looks again no sooner: what comes one by
/// one is told in groups.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Messages that wait for the network.
const AHEAD: usize = 64;

/// A watcher that takes nothing for so long is let go.
const STALL: Duration = Duration::from_secs(60);

/// Who watches, and how many may.
#[derive(Clone)]
pub(super) struct Watchers {
    limit: usize,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl Watchers {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            turns: Arc::new(Semaphore::new(CONCURRENT_LOOKS)),
            stopping: watch::Sender::new(false),
        }
    }

    /// Ends every stream and begins no more.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, QueryError> {
        if *self.stopping.borrow() {
            return Err(QueryError::Stopping);
        }
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| QueryError::TooManyWatchers { limit: self.limit })
    }
}

impl LineageApi {
    /// Begins a stream.
    pub(super) async fn tell<Q>(
        &self,
        request: Request<Q>,
    ) -> Result<Response<BoxStream<v1::WatchResponse>>, Status>
    where
        Q: Consult<Answer = Watching>,
    {
        let place = self.watchers().place().map_err(|error| {
            let status = handled(Q::METHOD, &error);
            count(Q::METHOD, status.code(), std::time::Instant::now());
            status
        })?;
        // Subscribed before the first look, so that nothing falls between.
        let visible = self.state().read_model().watch();
        let watching = self.respond(request).await?.into_inner();
        let (sender, receiver) = mpsc::channel(AHEAD);
        let end = End::default();
        let stream = Watched {
            receiver,
            end: end.clone(),
        };
        let task = Task {
            method: Q::METHOD,
            watchers: self.watchers().clone(),
            visible,
            sender,
            _place: place,
        };
        tokio::spawn(async move {
            metrics::gauge!(metric::WATCHERS).increment(1.0);
            let ended = task.run(watching).await;
            metrics::gauge!(metric::WATCHERS).decrement(1.0);
            // Set before the channel closes, which is when it is looked for.
            end.set(ended);
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// One stream.
struct Task {
    method: &'static str,
    watchers: Watchers,
    visible: watch::Receiver<Arc<Visible>>,
    sender: mpsc::Sender<v1::WatchResponse>,
    _place: OwnedSemaphorePermit,
}

/// Why a stream ends. A client that went away is not told.
enum Ended {
    Gone,
    Why(QueryError),
}

impl From<QueryError> for Ended {
    fn from(error: QueryError) -> Self {
        Self::Why(error)
    }
}

impl Task {
    /// Runs until the client goes, the server stops or something fails.
    async fn run(
        mut self,
        watching: Watching,
    ) -> (Option<Status>, mpsc::Sender<v1::WatchResponse>) {
        let mut stopping = self.watchers.stopping.subscribe();
        let sender = self.sender.clone();
        let ended = tokio::select! {
            ended = self.tell(watching) => ended,
            _ = stopping.wait_for(|stopping| *stopping) => Ended::Why(QueryError::Stopping),
            () = sender.closed() => Ended::Gone,
        };
        let status = match ended {
            Ended::Gone => None,
            Ended::Why(error) => Some(handled(self.method, &error)),
        };
        (status, sender)
    }

    /// Never returns without a reason.
    async fn tell(&mut self, watching: Watching) -> Ended {
        match self.tell_on(watching).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn tell_on(&mut self, mut watching: Watching) -> Result<std::convert::Infallible, Ended> {
        let heartbeat = watching.heartbeat;
        let now = self.now()?;
        // The first message says that the stream stands, and from where on.
        self.send(watching.progress(&now)?).await?;
        let mut silent_since = Instant::now();
        loop {
            let visible = self.now()?;
            let looked_at = Instant::now();
            let look;
            (watching, look) = self.look(watching, Arc::clone(&visible)).await?;
            let is_silent = look.messages.is_empty();
            for message in look.messages {
                self.send(message).await?;
            }
            if look.is_somebody_else || silent_since.elapsed() >= heartbeat {
                self.send(watching.progress(&visible)?).await?;
                silent_since = Instant::now();
            } else if !is_silent {
                silent_since = Instant::now();
            }
            if look.is_done {
                tokio::time::sleep_until(looked_at + LOOK_EVERY).await;
                // A follower that is gone publishes no more; the heart beats.
                let changed = self.visible.changed();
                let _ = tokio::time::timeout_at(silent_since + heartbeat, changed).await;
            }
        }
    }

    /// What is visible now.
    fn now(&mut self) -> Result<Arc<Visible>, Ended> {
        let visible = Arc::clone(&self.visible.borrow_and_update());
        match visible.following {
            Following::Failed(_) => Err(Ended::Why(QueryError::NotFollowing)),
            _ => Ok(visible),
        }
    }

    async fn look(
        &self,
        mut watching: Watching,
        visible: Arc<Visible>,
    ) -> Result<(Watching, Look), Ended> {
        let turn = Arc::clone(&self.watchers.turns).acquire_owned().await;
        let turn = turn.map_err(|_| QueryError::Interrupted)?;
        let looked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let look = watching.look(&visible);
            (watching, look)
        });
        let (watching, look) = looked.await.map_err(|_| QueryError::Interrupted)?;
        Ok((watching, look?))
    }

    async fn send(&self, message: v1::WatchResponse) -> Result<(), Ended> {
        match tokio::time::timeout(STALL, self.sender.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(Ended::Why(QueryError::WatcherTooSlow)),
        }
    }
}

/// Where the status waits that a stream ends with: behind the messages that are
/// still on their way.
#[derive(Clone, Default)]
struct End(Arc<Mutex<Option<Status>>>);

impl End {
    fn set(&self, (status, sender): (Option<Status>, mpsc::Sender<v1::WatchResponse>)) {
        *self.0.lock() = status;
        drop(sender);
    }
}

/// The stream that the transport reads.
struct Watched {
    receiver: mpsc::Receiver<v1::WatchResponse>,
    end: End,
}

impl Stream for Watched {
    type Item = Result<v1::WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(message)) => Poll::Ready(Some(Ok(message))),
            Poll::Ready(None) => Poll::Ready(self.end.0.lock().take().map(Err)),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::status_of;
    use tonic::Code;

    #[test]
    fn places_are_bounded_and_given_back() {
        let watchers = Watchers::new(1);
        let place = watchers.place().unwrap();
        let refused = status_of(&watchers.place().err().unwrap());
        assert_eq!(refused.code(), Code::ResourceExhausted);
        drop(place);
        assert!(watchers.place().is_ok());
        watchers.stop();
        let refused = status_of(&watchers.place().err().unwrap());
        assert_eq!(refused.code(), Code::Unavailable);
    }
}
