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
mod sealed;
mod table;

mod affected;
mod checkpoint;
mod consent;
mod dry_run;
mod events;
mod evidence;
mod findings;
mod oversight;
mod policies;
mod recipients;
mod registers;
mod summary;
mod transfers;

use std::sync::Arc;

use custody_ledger::Ledger;
use custody_policy::Ruleset;
use custody_vault::Vault;

pub(crate) use affected::find_affected;
pub use at_least::Wanted;
pub use entry::public_part;
pub use error::{Behind, FieldFault, Mark, QueryError};
pub use oversight::OversightFindings;
pub use page::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE};
pub use registers::{OversightRecipients, OversightTransfers};
pub use work::MAX_ROWS;
pub(crate) use work::Waiting;

use crate::read_model::{ReadModel, Visible};
use clause::Rulebook;
use page::TokenKey;
use work::Work;

/// Everything that answers are made from; clones share it.
#[derive(Clone)]
pub struct QueryState {
    pub(crate) ledger: Ledger,
    pub(crate) vault: Vault,
    pub(crate) read_model: ReadModel,
    pub(crate) tokens: TokenKey,
    pub(crate) rulebook: Rulebook,
    pub(crate) work: Work,
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
        }
    }

    /// At most so many rows are read for one question, instead of
    /// [`MAX_ROWS`].
    #[must_use]
    pub fn with_max_rows(mut self, max_rows: u64) -> Self {
        self.work = self.work.with_max_rows(max_rows);
        self
    }

    /// The same for one question, until its deadline and until what is returned
    /// beside it is dropped.
    pub(crate) fn until(&self, deadline: std::time::Instant) -> (Self, Waiting) {
        let (work, waiting) = self.work.until(deadline);
        let state = Self {
            work,
            ..self.clone()
        };
        (state, waiting)
    }

    /// Other rules than the compiled ones: clauses are looked up in them, and
    /// dry runs are judged by them. What is stored keeps its judgement.
    #[must_use]
    pub fn with_rules(mut self, rules: &'static Ruleset) -> Self {
        self.rulebook = Rulebook::new(rules);
        self
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
}
