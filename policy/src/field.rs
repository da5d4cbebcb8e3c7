//! Which terms may stand where.

use std::fmt;

use crate::term::Term;

/// Where a term stands in an event. A code means what it means in its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `purposes`: why.
    Purpose,
    /// `categories[].term`: which data.
    Category,
    /// A party's `category`: what kind of recipient.
    Recipient,
    /// `legal_basis`: on which basis.
    LegalBasis,
    /// `safeguard`: what a transfer rests on.
    Safeguard,
    /// `use.operation`: what was done.
    Operation,
    /// `rights_request.right`: what was claimed.
    Right,
    /// The scope of a consent, an objection or an erasure: a purpose, a
    /// category or a recipient. A code that is several of them is taken in
    /// this order; who asks about one of them resolves it in that field.
    Any,
}

/// What a field admits.
struct Admission {
    /// Kinds of the local table.
    kinds: &'static [&'static str],
    /// Terms with everything narrower.
    roots: &'static [&'static str],
    /// DPV groups as a whole, for what has no common root in the extract.
    groups: &'static [&'static str],
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 8] = [
        Self::Purpose,
        Self::Category,
        Self::Recipient,
        Self::LegalBasis,
        Self::Safeguard,
        Self::Operation,
        Self::Right,
        Self::Any,
    ];

    /// The event's name for it, as it appears in errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Purpose => "purpose",
            Self::Category => "category",
            Self::Recipient => "recipient category",
            Self::LegalBasis => "legal basis",
            Self::Safeguard => "safeguard",
            Self::Operation => "operation",
            Self::Right => "right",
            Self::Any => "scope",
        }
    }

    /// The fields whose terms stand here, in the order of precedence.
    pub(crate) const fn parts(self) -> &'static [Self] {
        match self {
            Self::Purpose => &[Self::Purpose],
            Self::Category => &[Self::Category],
            Self::Recipient => &[Self::Recipient],
            Self::LegalBasis => &[Self::LegalBasis],
            Self::Safeguard => &[Self::Safeguard],
            Self::Operation => &[Self::Operation],
            Self::Right => &[Self::Right],
            Self::Any => &[Self::Purpose, Self::Category, Self::Recipient],
        }
    }

    /// Whether this term may stand here.
    pub(crate) fn admits(self, term: Term) -> bool {
        if let [_, _, ..] = self.parts() {
            return self.parts().iter().any(|part| part.admits(term));
        }
        let admission = self.admission();
        if term.is_local() {
            return admission.kinds.contains(&term.group());
        }
        admission.groups.contains(&term.group())
            || admission.roots.contains(&term.curie())
            || term
                .ancestors()
                .iter()
                .any(|above| admission.roots.contains(&above.curie()))
    }

    const fn admission(self) -> Admission {
        match self {
            // DPV files the fulfilment of rights under legal obligations.
            Self::Purpose => Admission {
                kinds: &["purpose"],
                roots: &["dpv:Purpose", "dpv:RightsFulfilment"],
                groups: &[],
            },
            Self::Category => Admission {
                kinds: &["data_category"],
                roots: &["dpv:Data", "dpv:PersonalData"],
                groups: &[],
            },
            Self::Recipient => Admission {
                kinds: &["recipient"],
                roots: &["dpv:Entity"],
                groups: &[],
            },
            Self::LegalBasis => Admission {
                kinds: &["legal_basis", "law"],
                roots: &["dpv:LegalBasis"],
                groups: &[],
            },
            // Measures have their roots outside the extract. The GDPR's
            // transfer tools and derogations are bases in DPV.
            Self::Safeguard => Admission {
                kinds: &["safeguard"],
                roots: &["dpv:DataTransferLegalBasis", "eu-gdpr:DataTransferTool"],
                groups: &["measure"],
            },
            Self::Operation => Admission {
                kinds: &[],
                roots: &["dpv:Processing"],
                groups: &[],
            },
            Self::Right => Admission {
                kinds: &["right", "law"],
                roots: &["dpv:Right"],
                groups: &[],
            },
            Self::Any => Admission {
                kinds: &[],
                roots: &[],
                groups: &[],
            },
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
