//! From a question to its answer, without a network: what a request wants,
//! whom it is about, which rows it sees, and how they are shown.

mod error;

mod at_least;
mod moment;
mod subject;

mod filter;
mod page;
mod work;

mod everybody;
mod flow;
mod registry;
mod scope;

mod clause;
mod judgement;

mod entry;
mod finding;
mod in_bytes;
mod sealed;
mod table;
mod wire;

mod affected;
mod affected_wire;
mod checkpoint;
mod consent;
mod cycle;
mod dry_run;
mod events;
mod evidence;
mod findings;
mod oversight;
mod policies;
mod proved;
mod recipients;
mod record;
mod registers;
mod rights;
mod summary;
mod ties;
mod trace;
mod transfers;

use std::sync::Arc;
use std::time::SystemTime;

use custody_ledger::Ledger;
use custody_policy::Ruleset;
use custody_proto::v1;
use custody_vault::Vault;

pub(crate) use affected::find_affected;
pub(crate) use affected_wire::Persons;
pub use at_least::Wanted;
pub use entry::public_part;
pub use error::{Behind, FieldFault, Mark, QueryError};
pub use events::EventsInBytes;
pub use in_bytes::InBytes;
pub use oversight::OversightFindings;
pub use page::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE};
pub(crate) use proved::work_out;
pub use recipients::RecipientsInBytes;
pub use registers::{OversightRecipients, OversightRecipientsInBytes, OversightTransfers};
pub use rights::out_of_reach;
pub use trace::TraceInBytes;
pub use work::MAX_ROWS;
pub(crate) use work::Waiting;

/// What watching has in common with answers.
pub(crate) mod watched {
    pub(crate) use super::entry::{shard_head, show};
    pub(crate) use super::error::Faults;
    pub(crate) use super::filter::Filter;
    pub(crate) use super::finding::{FindingFilter, row};
    pub(crate) use super::flow::Flow;
    pub(crate) use super::judgement::overdue_of;
    pub(crate) use super::registry::Registry;
    pub(crate) use super::scope::Seen;
    pub(crate) use super::sealed::Opener;
    pub(crate) use super::subject::{Subject, check as check_subject};
}

use crate::consultation::Consultations;
use crate::custodian::Custodian;
use crate::read_model::{ReadModel, Visible};
use crate::watch::Blocks;
use clause::Rulebook;
use page::TokenKey;
use work::Work;

/// Tells the time, in nanoseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the operator wants persons erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasingOptions {
    /// Whether identifiers are marked where a request does not say. Default:
    /// they are.
    pub mark: bool,
    /// How old shares of a root key become, in days, before they are destroyed.
    /// Default: 30.
    pub escrow_max_age_days: u32,
}

impl Default for ErasingOptions {
    fn default() -> Self {
        Self {
            mark: true,
            escrow_max_age_days: 30,
        }
    }
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Everything that answers are made from; clones share it.
#[derive(Clone)]
pub struct QueryState {
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    pub(crate) read_model: ReadModel,
    pub(crate) tokens: TokenKey,
    pub(crate) rulebook: Rulebook,
    pub(crate) work: Work,
    clock: Clock,
    custodian: Option<Arc<dyn Custodian>>,
    pub(crate) erasing: ErasingOptions,
    pub(crate) consultations: Option<Consultations>,
    /// Blocks that watchers read lately.
    pub(crate) blocks: Arc<Blocks>,
}

impl QueryState {
    /// From an open ledger, its vault and its read model.
    pub fn new(ledger: Ledger, vault: Vault, read_model: ReadModel) -> Self {
        let secret = vault.house().tag("custody:query", "page tokens");
        Self {
            ledger,
            vault,
            read_model,
            tokens: TokenKey::new(&secret),
            rulebook: Rulebook::new(Ruleset::builtin()),
            work: Work::default(),
            clock: Arc::new(now_ns),
            custodian: None,
            erasing: ErasingOptions::default(),
            consultations: None,
            blocks: Arc::default(),
        }
    }

    /// At most so many rows are read for one question, instead of
    /// [`MAX_ROWS`].
    #[must_use]
    pub fn with_max_rows(mut self, max_rows: u64) -> Self {
        self.work = self.work.with_max_rows(max_rows);
        self
    }

    /// The same for one question, until its deadline, where it has one, and until
    /// what is returned beside it is dropped.
    pub(crate) fn until(&self, deadline: impl Into<Option<std::time::Instant>>) -> (Self, Waiting) {
        let (work, waiting) = self.work.until(deadline);
        let state = Self {
            work,
            ..self.clone()
        };
        (state, waiting)
    }

    /// Writes down who asks over gRPC. Without it nothing is written.
    #[must_use]
    pub fn with_consultations(mut self, consultations: Consultations) -> Self {
        self.consultations = Some(consultations);
        self
    }

    /// Other rules than the compiled ones: clauses are looked up in them, and
    /// dry runs are judged by them. What is stored keeps its judgement.
    #[must_use]
    pub fn with_rules(mut self, rules: &'static Ruleset) -> Self {
        self.rulebook = Rulebook::new(rules);
        self
    }

    /// Another clock than the system's: by it, deadlines have passed or not.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Who erases, holds and links. Without one, all of that is refused.
    #[must_use]
    pub fn with_custodian(mut self, custodian: Arc<dyn Custodian>) -> Self {
        self.custodian = Some(custodian);
        self
    }

    /// How the operator wants persons erased.
    #[must_use]
    pub fn with_erasing(mut self, erasing: ErasingOptions) -> Self {
        self.erasing = erasing;
        self
    }

    pub(crate) fn custodian(&self) -> Result<&Arc<dyn Custodian>, QueryError> {
        self.custodian.as_ref().ok_or(QueryError::NoPipeline)
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now_ns(&self) -> i64 {
        (self.clock)()
    }

    /// The read model that answers come from.
    pub fn read_model(&self) -> &ReadModel {
        &self.read_model
    }
}

/// A question: a request message that has an answer.
pub trait Ask: Sized + Send + 'static {
    /// The response message.
    type Answer: Send + 'static;

    /// The gRPC method, such as `custody.v1.LineageService/GetSubject`.
    const METHOD: &'static str;

    /// Whether the read model must have caught up first: an answer that is
    /// incomplete without anybody having asked for that is worse than none.
    const NEEDS_EVERYTHING: bool = true;

    /// Whether what is wanted must be signed before the question is answered.
    const SIGNED: bool = false;

    /// Checks the request and says how far the read model must have come.
    ///
    /// # Errors
    /// What is wrong with the request.
    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError>;

    /// Works the answer out from what is visible. Blocks on the disk.
    ///
    /// # Errors
    /// Why there is none.
    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError>;

    /// The person about whom a completeness proof is to come with the answer.
    fn proof_of(&self) -> Option<&str> {
        None
    }

    /// Adds the proof that [`Ask::proof_of`] asked for.
    fn add_proof(_answer: &mut Self::Answer, _proof: v1::ProveCompletenessResponse) {}
}
