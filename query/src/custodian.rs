//! Who does what the operator decides: the interface to the room that takes
//! events in, which writes the house shard and owns the vault's changes.
//!
//! Answers are made from what is there; an erasure, a hold or a link changes it.
//! This crate may not use the one that does so, so it is handed one.

use custody_proto::v1;

/// Persons to be erased, as one: under one new root key.
///
/// Nothing in it is free text: it stays in the ledger when the persons are gone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ErasureOrder {
    /// Their references, all of each linked set.
    pub subjects: Vec<[u8; 16]>,
    /// Ids of the organisations that had been given their data (GDPR Art. 19).
    pub recipients: Vec<String>,
    /// How many entries are about them.
    pub entries: u64,
    /// Why: `[a-z0-9._-]{1,64}`.
    pub reason: String,
    /// The operator's ticket: the same alphabet, or empty.
    pub ticket: String,
    /// Whether their identifiers are to be marked.
    pub mark: bool,
}

/// Does what the operator decides. Erasures, holds and the house shard's words
/// about them are as in the contract.
pub trait Custodian: Send + Sync {
    /// Requests an erasure and does it, unless a hold stands against it: then
    /// it goes on by itself when there is none left. Returns when it is done or
    /// waits.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn erase(&self, order: ErasureOrder) -> Result<v1::Erasure, CustodianError>;

    /// Every erasure, in the order of their requests.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn erasures(&self) -> Result<Vec<v1::Erasure>, CustodianError>;

    /// Takes back an erasure that waits.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn withdraw(&self, id: [u8; 16]) -> Result<v1::Erasure, CustodianError>;

    /// Holds these persons, or everybody where `None`, for a matter.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn place_hold(
        &self,
        matter: &str,
        subjects: Option<Vec<[u8; 16]>>,
        until_ns: Option<i64>,
    ) -> Result<v1::Hold, CustodianError>;

    /// Lifts a hold, of these persons or, where `None`, of everybody in the
    /// matter.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn lift_hold(
        &self,
        matter: &str,
        subjects: Option<Vec<[u8; 16]>>,
    ) -> Result<(), CustodianError>;

    /// Holds in force.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn holds(&self) -> Result<Vec<v1::Hold>, CustodianError>;

    /// Says that two persons are one. `false`: they were linked already.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn link(&self, a: [u8; 16], b: [u8; 16], cause: &str) -> Result<bool, CustodianError>;

    /// Takes the link between two persons back. `false`: there was none.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn unlink(&self, a: [u8; 16], b: [u8; 16], cause: &str) -> Result<bool, CustodianError>;

    /// Says that an identifier is nobody's from a moment on, nanoseconds since
    /// 1970 UTC. Returns whose it was.
    ///
    /// # Errors
    /// [`CustodianError`].
    fn release(
        &self,
        identifier: &str,
        from_ns: i64,
        cause: &str,
    ) -> Result<Option<[u8; 16]>, CustodianError>;
}

/// Why something was not done. No message names a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustodianError {
    /// What was asked for is not well-formed.
    #[error("{0}")]
    Invalid(String),
    /// There is no such erasure.
    #[error("there is no such erasure")]
    UnknownErasure,
    /// There is no such hold.
    #[error("there is no such hold")]
    UnknownHold,
    /// It cannot be done as things stand.
    #[error("{0}")]
    Refused(String),
    /// It cannot be done now. What began goes on by itself.
    #[error("{0}")]
    Unavailable(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}
