//! What events are judged by: packs, compiled to tables.

mod compile;
mod policy;
mod tables;
mod termset;

use std::sync::LazyLock;

use crate::pack::{Clause, Pack, PackErrors};
use crate::term::VOCABULARY_DIGEST;
use crate::verdict::{ClauseRef, PolicyRef};

pub use policy::Policy;
pub(crate) use tables::{Applies, Deciding, Rule, RuleSet, Rules, Single, Tables};
pub(crate) use termset::TermSet;

/// The version of the judge. It changes whenever the same event could get
/// another verdict from the same packs.
pub const JUDGE_VERSION: u32 = 2;

static BUILTIN: LazyLock<Ruleset> = LazyLock::new(|| {
    let packs = Pack::builtin().map(<[Pack]>::to_vec).unwrap_or_default();
    // Tests hold the packs that are compiled in to compiling. Were they not
    // to, nothing would be judged, and every event would say so: no_policy.
    Ruleset::compile(packs).unwrap_or_else(|_| Ruleset::empty())
});

/// What events are judged by: packs, vocabulary, law and judge version.
#[derive(Clone, Debug)]
pub struct Ruleset {
    clauses: Vec<Clause>,
    /// By clause: those that are cited with it.
    cited_with: Vec<Vec<ClauseRef>>,
    policies: Vec<Policy>,
    /// Ascending by service; the versions of each by date.
    services: Vec<(String, Vec<PolicyRef>)>,
    digest: [u8; 32],
}

impl Ruleset {
    /// The rules that are compiled in: the five policies.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Compiles packs. Two versions of one family for the same service must
    /// not begin on the same day.
    ///
    /// # Errors
    /// [`PackErrors`] where packs do not fit each other.
    pub fn compile(packs: Vec<Pack>) -> Result<Self, PackErrors> {
        compile::compile(packs)
    }

    fn empty() -> Self {
        Self {
            clauses: Vec::new(),
            cited_with: Vec::new(),
            policies: Vec::new(),
            services: Vec::new(),
            digest: Self::digest_of(&[]),
        }
    }

    fn digest_of(packs: &[Pack]) -> [u8; 32] {
        let mut digest = blake3::Hasher::new();
        digest.update(b"custody ruleset v2");
        digest.update(&JUDGE_VERSION.to_le_bytes());
        digest.update(&VOCABULARY_DIGEST);
        digest.update(&crate::law::digest());
        digest.update(&(packs.len() as u64).to_le_bytes());
        for pack in packs {
            digest.update(&pack.digest());
        }
        digest.finalize().into()
    }

    /// BLAKE3 over everything that a verdict depends on beside the event and
    /// the person's state. Equal digests give equal verdicts.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// BLAKE3 of the vocabulary's files.
    pub fn vocabulary_digest() -> [u8; 32] {
        VOCABULARY_DIGEST
    }

    /// The policy versions, by family and date.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// The policy version of an id, such as `ALB-2025`.
    pub fn policy_of(&self, id: &str) -> Option<PolicyRef> {
        self.policies
            .iter()
            .position(|policy| policy.id() == id)
            .and_then(|index| u16::try_from(index).ok())
            .map(PolicyRef)
    }

    /// A policy version. `policy` is of this ruleset.
    pub fn policy(&self, policy: PolicyRef) -> &Policy {
        &self.policies[usize::from(policy.0)]
    }

    /// A clause. `clause` is of this ruleset.
    pub fn clause(&self, clause: ClauseRef) -> &Clause {
        &self.clauses[usize::from(clause.0)]
    }

    /// The clause of an id, such as `ALB-2025.081`.
    pub fn clause_of(&self, id: &str) -> Option<&Clause> {
        self.clauses.iter().find(|clause| clause.id == id)
    }

    /// The clauses that are cited with a clause.
    pub(crate) fn cited_with(&self, clause: ClauseRef) -> &[ClauseRef] {
        self.cited_with
            .get(usize::from(clause.0))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The versions for a service, by date.
    pub(crate) fn versions(&self, service: &str) -> &[PolicyRef] {
        self.services
            .binary_search_by(|(known, _)| known.as_str().cmp(service))
            .map(|index| self.services[index].1.as_slice())
            .unwrap_or_default()
    }

    /// The version for a service that is in force at a time.
    pub fn in_force(&self, service: &str, time_ns: i64) -> Option<PolicyRef> {
        self.versions(service)
            .iter()
            .rev()
            .copied()
            .find(|policy| self.policy(*policy).effective_ns() <= time_ns)
    }
}
