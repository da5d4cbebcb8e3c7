//! What the judge says.

use arrayvec::ArrayVec;

use crate::rules::Ruleset;

/// Most declaring clauses that a verdict names. Further ones are left out:
/// what they declare is declared by those that are named too.
pub const MAX_DECLARING: usize = 32;

/// Findings of one verdict. An event of hundreds of terms that do not go
/// together has more; beyond this only codes that are not there yet are added.
pub const MAX_FINDINGS: usize = 64;

/// The class of a verdict, from the mildest to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The kind is not judged.
    #[default]
    NotJudged,
    /// Everything is declared and nothing is contrary to it.
    Conforms,
    /// There were findings, and a waiver suppresses each.
    Suppressed,
    /// Nothing declares this.
    Gap,
    /// Contrary to what was promised.
    Violation,
}

impl Outcome {
    /// The contract's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotJudged => "not_judged",
            Self::Conforms => "conforms",
            Self::Suppressed => "suppressed",
            Self::Gap => "gap",
            Self::Violation => "violation",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $class:ident $meaning:literal;)*) => {
        /// What may be found. The names are the contract's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl FindingCode {
            /// Every code.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The contract's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether nothing declares it, or it is contrary to a promise.
            pub const fn class(self) -> Outcome {
                match self { $(Self::$variant => Outcome::$class,)* }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    NoPolicy "no_policy" Gap "No policy applies.";
    PolicyMismatch "policy_mismatch" Gap "The event names a policy that was not in force.";
    UndeclaredCategory "undeclared_category" Gap "No clause declares the data category.";
    UndeclaredPurpose "undeclared_purpose" Gap "No clause declares the purpose.";
    UndeclaredRecipient "undeclared_recipient" Gap "No clause declares the recipient.";
    UndeclaredOrigin "undeclared_origin" Gap "No clause declares where the data came from.";
    UndeclaredDestination "undeclared_destination" Gap "No clause declares the country.";
    UndeclaredCombination "undeclared_combination" Gap "Each is declared, but not together.";
    WrongController "wrong_controller" Violation "The policy names another controller for this jurisdiction.";
    ConsentMissing "consent_missing" Violation "Consent is needed, and there is none.";
    ConsentWithdrawn "consent_withdrawn" Violation "Consent is needed, and it was withdrawn.";
    ConsentExpired "consent_expired" Violation "Consent is needed, and it has expired.";
    OptedOut "opted_out" Violation "The person opted out of this.";
    Objected "objected" Violation "The person objected to this.";
    Restricted "restricted" Violation "The person's data is restricted.";
    AfterErasure "after_erasure" Violation "The person's data had been erased.";
    Minor "minor" Violation "The policy takes no data of people under 18.";
    BasisMissing "basis_missing" Violation "A legal basis is needed, and none is named.";
    BasisUndeclared "basis_undeclared" Violation "The policy does not list this basis for this purpose.";
    SafeguardMissing "safeguard_missing" Violation "Data leaves the region without a transfer mechanism.";
    SafeguardInvalid "safeguard_invalid" Violation "Data leaves the region on something that is no transfer mechanism.";
    StorageElsewhere "storage_elsewhere" Violation "Stored outside the country that the policy promises.";
    Sale "sale" Violation "Sold, where the policy says that it is not.";
    NotAnonymised "not_anonymised" Violation "Identified data where only anonymised data may go.";
    RetentionExceeded "retention_exceeded" Violation "Used after its period had ended.";
    TermsReduced "terms_reduced" Violation "Collected under stronger terms, used under weaker ones without consent.";
    ResponseOverdue "response_overdue" Violation "A rights request is past its deadline.";
    NoticeOverdue "notice_overdue" Violation "A breach notice is past its deadline.";
}

impl FindingCode {
    /// The code of a contract's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

/// A clause of a [`Ruleset`]: a number that means something there only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClauseRef(pub(crate) u16);

/// A policy version of a [`Ruleset`]: a number that means something there
/// only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyRef(pub(crate) u16);

/// Where an entry stands in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryRef {
    /// The shard's id.
    pub shard: [u8; 16],
    /// The entry's number in the shard, from 0.
    pub sequence: u64,
}

/// One thing that the judge found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// The clauses that it rests on.
    pub clauses: Vec<ClauseRef>,
    /// Terms, party ids and country codes; nothing of the person.
    pub arguments: Vec<String>,
    /// The entries that decided it, such as a withdrawal.
    pub decided_by: Vec<EntryRef>,
    /// The id of the waiver that suppresses it.
    pub waiver: Option<String>,
}

/// What the judge says of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The worst of the findings that no waiver suppresses.
    pub outcome: Outcome,
    /// The policy version judged by.
    pub policy: Option<PolicyRef>,
    /// The clauses that declare what was done.
    pub clauses: ArrayVec<ClauseRef, MAX_DECLARING>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// A verdict in words that mean something without the ruleset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredVerdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The policy's id; empty where none applied.
    pub policy: String,
    /// Ids of the declaring clauses.
    pub clauses: Vec<String>,
    /// What was found.
    pub findings: Vec<StoredFinding>,
}

/// A finding in words that mean something without the ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFinding {
    /// What.
    pub code: FindingCode,
    /// Ids of the clauses that it rests on.
    pub clauses: Vec<String>,
    /// Terms, party ids and country codes; nothing of the person.
    pub arguments: Vec<String>,
    /// The entries that decided it.
    pub decided_by: Vec<EntryRef>,
    /// The id of the waiver that suppresses it.
    pub waiver: Option<String>,
}

impl Verdict {
    /// The verdict with ids in place of numbers.
    pub fn to_stored(&self, rules: &Ruleset) -> StoredVerdict {
        let ids = |clauses: &[ClauseRef]| -> Vec<String> {
            clauses
                .iter()
                .map(|clause| rules.clause(*clause).id.clone())
                .collect()
        };
        StoredVerdict {
            outcome: self.outcome,
            policy: self
                .policy
                .map(|policy| rules.policy(policy).id().to_owned())
                .unwrap_or_default(),
            clauses: ids(&self.clauses),
            findings: self
                .findings
                .iter()
                .map(|finding| StoredFinding {
                    code: finding.code,
                    clauses: ids(&finding.clauses),
                    arguments: finding.arguments.clone(),
                    decided_by: finding.decided_by.clone(),
                    waiver: finding.waiver.clone(),
                })
                .collect(),
        }
    }
}
