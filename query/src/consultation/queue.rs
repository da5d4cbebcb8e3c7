//! The way of a consultation from an answer to the thread that writes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use custody_ledger::id::{Digest, SubjectReference};
use custody_vault::Vault;
use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tonic::metadata::MetadataMap;

use super::asked::{self, Whose};
use super::caller::{Caller, CallerRules};
use super::listing::{ListingKey, Listings};
use super::metric;
use super::record::{Consultation, query_text};
use crate::answer::QueryError;

/// A loss is told at most this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What becomes of an answer whose consultation cannot be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsultationMode {
    /// It leaves at once. A consultation that finds the queue full, or that the
    /// ledger does not take, is lost: a metric counts it and the log says so.
    #[default]
    BestEffort,
    /// It leaves when its consultation is durable, and not without.
    Durable,
}

/// How consultations are kept.
#[derive(Clone)]
pub struct ConsultationOptions {
    /// What becomes of an answer whose consultation cannot be kept. Default:
    /// [`ConsultationMode::BestEffort`].
    pub mode: ConsultationMode,
    /// So many wait to be written at most. Default 10,000.
    pub queue: usize,
    /// What a caller must say.
    pub callers: CallerRules,
    /// The digest of the rules in force, which stands in every block.
    pub ruleset: Digest,
    /// Tells the time, nanoseconds since 1970 UTC. Default: the system's.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl ConsultationOptions {
    /// The defaults, under these rules.
    pub fn new(ruleset: Digest) -> Self {
        Self {
            mode: ConsultationMode::default(),
            queue: 10_000,
            callers: CallerRules::default(),
            ruleset,
            clock: Arc::new(system_clock),
        }
    }
}

fn system_clock() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Where answers say that somebody looked; clones share it. Made by
/// [`ConsultationWriter::start`](super::ConsultationWriter::start).
#[derive(Clone)]
pub struct Consultations(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) options: ConsultationOptions,
    pub(super) vault: Vault,
    state: Mutex<State>,
    filled: Condvar,
    space: Arc<Semaphore>,
    listings: Listings,
    listing_key: [u8; 32],
    lost: Lost,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    closed: bool,
}

/// A consultation that waits to be written.
pub(super) struct Waiting {
    pub(super) consultation: Consultation,
    /// Told whether it is durable.
    pub(super) done: Option<oneshot::Sender<bool>>,
    /// Its place in the queue, until it is written.
    pub(super) _space: OwnedSemaphorePermit,
}

/// A question that was asked, before it is answered.
pub(crate) struct Asked {
    caller: Caller,
    whose: Whose,
    query: String,
    listing: ListingKey,
    is_first: bool,
    time_ns: i64,
}

impl Consultations {
    pub(super) fn new(vault: Vault, options: ConsultationOptions) -> Self {
        let secret = vault.house().tag("custody:query", "listings");
        // A permit is of 32 bits; nobody's queue is longer.
        let space = options.queue.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            options,
            vault,
            state: Mutex::default(),
            filled: Condvar::new(),
            space: Arc::new(Semaphore::new(space)),
            listings: Listings::default(),
            listing_key: blake3::derive_key("custody consultation listing v1", &secret),
            lost: Lost::default(),
        }))
    }

    /// Reads who asks what.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] where the caller does not say what is required.
    pub(crate) fn asked(
        &self,
        metadata: &MetadataMap,
        method: &'static str,
        whose: Whose,
        mut request: Value,
    ) -> Result<Asked, QueryError> {
        let shared = &self.0;
        let caller = shared.options.callers.read(metadata)?;
        let is_first = asked::strip(&mut request);
        let query = query_text(method, &request.to_string());
        let mut hasher = blake3::Hasher::new_keyed(&shared.listing_key);
        let about = match &whose {
            Whose::Person(subject) => subject.as_str(),
            _ => "",
        };
        for part in [about, &query, &caller.by, &caller.role, &caller.reason] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut listing = ListingKey::default();
        listing.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Ok(Asked {
            caller,
            whose,
            query,
            listing,
            is_first,
            time_ns: (shared.options.clock)(),
        })
    }

    /// Writes down that a question was answered. In the durable mode it is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`QueryError::NotConsulted`]: the answer must not leave.
    pub(crate) async fn answered(
        &self,
        asked: Asked,
        rows: u64,
        entry_of: Option<SubjectReference>,
        deadline: Instant,
    ) -> Result<(), QueryError> {
        let shared = &self.0;
        let consultation = match self.consultation(asked, rows, entry_of) {
            Ok(Some(consultation)) => consultation,
            Ok(None) => return Ok(()),
            Err(error) => match shared.options.mode {
                ConsultationMode::BestEffort => {
                    tracing::error!(%error, "whose data was asked for cannot be looked up");
                    shared.lost.add(1);
                    return Ok(());
                }
                ConsultationMode::Durable => return Err(error),
            },
        };
        match shared.options.mode {
            ConsultationMode::BestEffort => {
                self.put_if_space(consultation);
                Ok(())
            }
            ConsultationMode::Durable => {
                let kept = self.put_and_wait(consultation);
                match tokio::time::timeout_at(deadline.into(), kept).await {
                    Ok(true) => Ok(()),
                    _ => Err(QueryError::NotConsulted),
                }
            }
        }
    }

    /// What there is to write: nothing where the answer was about nobody, or
    /// where it is a further page.
    fn consultation(
        &self,
        asked: Asked,
        rows: u64,
        entry_of: Option<SubjectReference>,
    ) -> Result<Option<Consultation>, QueryError> {
        let shared = &self.0;
        let whose = match &asked.whose {
            Whose::Nobody => return Ok(None),
            Whose::Everybody => None,
            Whose::OfEntry => match entry_of {
                None => return Ok(None),
                whose => whose,
            },
            // The answer has just looked the person up.
            Whose::Person(subject) => match shared.vault.lookup(subject) {
                Ok(Some(identity)) => identity
                    .persons
                    .first()
                    .map(|person| SubjectReference(person.reference())),
                Ok(None) => {
                    metric::count("erased", 1);
                    return Ok(None);
                }
                Err(error) => return Err(QueryError::Vault(error)),
            },
        };
        let now = Instant::now();
        if shared.listings.is_known(asked.listing, asked.is_first, now) {
            return Ok(None);
        }
        Ok(Some(Consultation {
            time_ns: asked.time_ns,
            whose,
            caller: asked.caller,
            query: asked.query,
            count: rows,
        }))
    }

    /// Counts the rows of a stream, whose consultation is written when it ends,
    /// however it ends. In the durable mode it is written before the first row,
    /// without a number, and durable when this returns.
    ///
    /// # Errors
    /// As [`Consultations::answered`].
    #[allow(dead_code, reason = "streams over everybody are counted with it")]
    pub(crate) async fn counting(
        &self,
        asked: Asked,
        deadline: Instant,
    ) -> Result<Counting, QueryError> {
        if self.0.options.mode == ConsultationMode::Durable {
            self.answered(asked, 0, None, deadline).await?;
            return Ok(Counting(None));
        }
        Ok(Counting(Some((self.clone(), asked, 0))))
    }

    fn put_if_space(&self, consultation: Consultation) {
        match Arc::clone(&self.0.space).try_acquire_owned() {
            Ok(space) => self.put(consultation, None, space),
            Err(_) => self.0.lost.add(1),
        }
    }

    async fn put_and_wait(&self, consultation: Consultation) -> bool {
        let Ok(space) = Arc::clone(&self.0.space).acquire_owned().await else {
            return false;
        };
        let (done, durable) = oneshot::channel();
        self.put(consultation, Some(done), space);
        durable.await.unwrap_or(false)
    }

    fn put(
        &self,
        consultation: Consultation,
        done: Option<oneshot::Sender<bool>>,
        space: OwnedSemaphorePermit,
    ) {
        let shared = &self.0;
        let mut state = shared.state.lock();
        if state.closed {
            drop(state);
            // Who waits hears it from the sender that is gone.
            if done.is_none() {
                shared.lost.add(1);
            }
            return;
        }
        state.waiting.push_back(Waiting {
            consultation,
            done,
            _space: space,
        });
        metrics::gauge!(metric::CONSULTATIONS_QUEUED).set(state.waiting.len() as f64);
        drop(state);
        shared.filled.notify_one();
    }
}

impl Shared {
    /// Waits for consultations and takes at most so many. After the first it
    /// waits a little for more, where nobody waits for them to be durable.
    /// `None` when the queue is closed and empty.
    pub(super) fn take(&self, most: usize, linger: Duration) -> Option<Vec<Waiting>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            self.filled.wait(&mut state);
        }
        let until = Instant::now() + linger;
        while self.options.mode == ConsultationMode::BestEffort
            && state.waiting.len() < most
            && !state.closed
            && !self.filled.wait_until(&mut state, until).timed_out()
        {}
        let number = state.waiting.len().min(most);
        let taken = state.waiting.drain(..number).collect();
        metrics::gauge!(metric::CONSULTATIONS_QUEUED).set(state.waiting.len() as f64);
        Some(taken)
    }

    pub(super) fn lost(&self, number: u64) {
        self.lost.add(number);
    }

    /// Takes no more. What waits is written.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.lost.tell(Duration::ZERO);
    }
}

/// Counts what is lost, and says so.
#[derive(Default)]
struct Lost {
    untold: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Lost {
    fn add(&self, number: u64) {
        if number > 0 {
            metric::count("lost", number);
            self.untold.fetch_add(number, Ordering::Relaxed);
            self.tell(TOLD_EVERY);
        }
    }

    fn tell(&self, every: Duration) {
        let mut told = self.told.lock();
        if told.is_some_and(|told| told.elapsed() < every) {
            return;
        }
        let lost = self.untold.swap(0, Ordering::Relaxed);
        if lost > 0 {
            *told = Some(Instant::now());
            tracing::error!(lost, "consultations were lost: nothing says who looked");
        }
    }
}

/// Counts the rows of a stream. When it is dropped, the consultation is
/// written.
pub struct Counting(Option<(Consultations, Asked, u64)>);

impl Counting {
    /// So many rows were shown.
    pub fn add(&mut self, rows: u64) {
        if let Some((_, _, counted)) = &mut self.0 {
            *counted += rows;
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let Some((consultations, asked, rows)) = self.0.take() else {
            return;
        };
        // The vault is asked about persons only.
        if let Ok(Some(consultation)) = consultations.consultation(asked, rows, None) {
            consultations.put_if_space(consultation);
        }
    }
}
