//! Codes of findings: stands in until the core's file takes its place.

use crate::judge::Outcome;

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
