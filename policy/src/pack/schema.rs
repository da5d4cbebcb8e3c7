//! The shape of a pack: what TOML may say.

use serde::Deserialize;
use toml::Spanned;

use super::date::Day;

/// A text and where it stands.
pub(crate) type Said = Spanned<String>;

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackFile {
    pub(crate) format: Spanned<u32>,
    pub(crate) policy: PolicyHead,
    #[serde(default)]
    pub(crate) groups: std::collections::BTreeMap<String, Vec<Said>>,
    #[serde(default)]
    pub(crate) clause: Vec<Spanned<RawClause>>,
}

/// Which policy version it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyHead {
    pub(crate) id: Said,
    pub(crate) family: Said,
    pub(crate) title: String,
    pub(crate) services: Vec<Said>,
    pub(crate) effective: Day,
    #[serde(default)]
    pub(crate) succeeds: Option<Said>,
    #[serde(default)]
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) basis_required: Vec<Said>,
    #[serde(default)]
    pub(crate) bases_closed: Vec<Said>,
    #[serde(default)]
    pub(crate) safeguard_required: Vec<Said>,
    #[serde(default)]
    pub(crate) processor: ProcessorRole,
    #[serde(default)]
    pub(crate) processor_clauses: Vec<Said>,
}

/// Whether the policy speaks of what is done on behalf of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProcessorRole {
    /// It is a controller's policy.
    #[default]
    Excluded,
    /// It speaks of both.
    Applies,
}

/// What a clause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClauseKind {
    /// For whom or what the policy is not.
    Exclusion,
    /// Who decides.
    Controller,
    /// Where data comes from.
    Origin,
    /// Which data.
    Category,
    /// Why.
    Purpose,
    /// Who gets it.
    Recipient,
    /// On which basis.
    Basis,
    /// Where it is kept.
    Storage,
    /// Where it may go.
    Destination,
    /// What a transfer rests on.
    Safeguard,
    /// How long it is kept.
    Retention,
    /// What a person may claim.
    Right,
    /// What holds for people under 18.
    Minors,
    /// The promise not to sell.
    NoSale,
    /// Which version governs what.
    Versioning,
    /// The duty to tell of a breach.
    Breach,
    /// Anything else.
    Statement,
}

impl ClauseKind {
    /// As it is written in a pack.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exclusion => "exclusion",
            Self::Controller => "controller",
            Self::Origin => "origin",
            Self::Category => "category",
            Self::Purpose => "purpose",
            Self::Recipient => "recipient",
            Self::Basis => "basis",
            Self::Storage => "storage",
            Self::Destination => "destination",
            Self::Safeguard => "safeguard",
            Self::Retention => "retention",
            Self::Right => "right",
            Self::Minors => "minors",
            Self::NoSale => "no_sale",
            Self::Versioning => "versioning",
            Self::Breach => "breach",
            Self::Statement => "statement",
        }
    }
}

/// How a clause is reflected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// The judge finds what is contrary to it.
    Enforced,
    /// An event is its evidence.
    Recorded,
    /// A report or a right answers it.
    Answered,
    /// Nothing can be checked.
    Stated,
}

impl Treatment {
    /// As it is written in a pack.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Recorded => "recorded",
            Self::Answered => "answered",
            Self::Stated => "stated",
        }
    }
}

/// Which version governs what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersioningRule {
    /// The latest version governs earlier data too.
    Retroactive,
    /// A version is in force when it is posted.
    EffectiveOnPosting,
    /// Earlier data keeps its terms until the person consents to weaker ones.
    ConsentIfReduced,
    /// The person is asked where the law requires it.
    ConsentIfRequired,
    /// The person is told.
    Notice,
    /// Which language counts.
    Language,
}

/// What starts a retention period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionTrigger {
    /// The account was closed.
    AccountClosed,
}

/// Where data comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OriginName {
    Subject,
    Device,
    ThirdParty,
    Public,
    Inferred,
}

/// The person's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleName {
    Buyer,
    Seller,
    Member,
    Visitor,
    Customer,
    EndUser,
    Employee,
    Other,
}

/// When consent is needed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConsent {
    #[serde(default)]
    pub(crate) r#where: Vec<Said>,
    #[serde(default)]
    pub(crate) explicit: bool,
    #[serde(default)]
    pub(crate) unless_basis: Vec<Said>,
    #[serde(default)]
    pub(crate) terms: Vec<Said>,
    #[serde(default)]
    pub(crate) clauses: Vec<Said>,
}

/// One clause as it is written. Which keys belong to which kind is checked
/// afterwards, so that the error can say it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawClause {
    pub(crate) id: Said,
    pub(crate) section: Spanned<String>,
    pub(crate) kind: ClauseKind,
    pub(crate) summary: Said,
    pub(crate) code: Option<Said>,
    pub(crate) r#where: Option<Vec<Said>>,
    pub(crate) except: Option<Vec<Said>>,
    pub(crate) from: Option<Day>,
    pub(crate) until: Option<Day>,
    pub(crate) addendum: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) cites: Option<Vec<Said>>,

    pub(crate) treatment: Option<Spanned<Treatment>>,
    pub(crate) recorded_by: Option<Vec<Said>>,
    pub(crate) answered_by: Option<Vec<Said>>,
    pub(crate) stated: Option<Said>,

    pub(crate) covers: Option<Vec<Said>>,
    pub(crate) leaves_out: Option<Vec<Said>>,
    pub(crate) open: Option<Said>,
    pub(crate) consent: Option<Spanned<RawConsent>>,
    pub(crate) roles: Option<Spanned<Vec<RoleName>>>,
    pub(crate) anonymised: Option<Spanned<bool>>,
    pub(crate) weakens: Option<Spanned<bool>>,
    pub(crate) retained: Option<Spanned<bool>>,
    pub(crate) not_collected: Option<Spanned<bool>>,
    pub(crate) any_purpose: Option<Spanned<bool>>,
    pub(crate) implied: Option<Spanned<bool>>,
    pub(crate) purposes: Option<Vec<Said>>,
    pub(crate) categories: Option<Vec<Said>>,
    pub(crate) bases: Option<Vec<Said>>,
    pub(crate) r#as: Option<Said>,
    pub(crate) continues: Option<Vec<Said>>,
    pub(crate) recipients: Option<Vec<Said>>,
    pub(crate) parties: Option<Vec<Said>>,
    pub(crate) controllers: Option<Vec<Said>>,
    pub(crate) origins: Option<Spanned<Vec<OriginName>>>,
    pub(crate) countries: Option<Vec<Said>>,
    pub(crate) closed: Option<Spanned<bool>>,
    pub(crate) counts: Option<Spanned<bool>>,
    pub(crate) trigger: Option<Spanned<RetentionTrigger>>,
    pub(crate) rights: Option<Vec<Said>>,
    pub(crate) stops: Option<Vec<Said>>,
    pub(crate) takes_none: Option<Spanned<bool>>,
    pub(crate) rule: Option<Spanned<VersioningRule>>,
}

impl RawClause {
    /// The keys beside the common ones that were said, and where.
    pub(crate) fn particular_keys(&self) -> Vec<(&'static str, std::ops::Range<usize>)> {
        fn list(
            name: &'static str,
            said: Option<&Vec<Said>>,
            id: &Said,
        ) -> Option<(&'static str, std::ops::Range<usize>)> {
            said.map(|list| (name, list.first().map_or(id.span(), Spanned::span)))
        }
        fn one<T>(
            name: &'static str,
            said: Option<&Spanned<T>>,
        ) -> Option<(&'static str, std::ops::Range<usize>)> {
            said.map(|value| (name, value.span()))
        }
        let id = &self.id;
        [
            list("covers", self.covers.as_ref(), id),
            list("leaves_out", self.leaves_out.as_ref(), id),
            one("open", self.open.as_ref()),
            one("consent", self.consent.as_ref()),
            one("roles", self.roles.as_ref()),
            one("anonymised", self.anonymised.as_ref()),
            one("weakens", self.weakens.as_ref()),
            one("retained", self.retained.as_ref()),
            one("not_collected", self.not_collected.as_ref()),
            one("any_purpose", self.any_purpose.as_ref()),
            one("implied", self.implied.as_ref()),
            list("purposes", self.purposes.as_ref(), id),
            list("categories", self.categories.as_ref(), id),
            list("bases", self.bases.as_ref(), id),
            one("as", self.r#as.as_ref()),
            list("continues", self.continues.as_ref(), id),
            list("recipients", self.recipients.as_ref(), id),
            list("parties", self.parties.as_ref(), id),
            list("controllers", self.controllers.as_ref(), id),
            one("origins", self.origins.as_ref()),
            list("countries", self.countries.as_ref(), id),
            one("closed", self.closed.as_ref()),
            one("counts", self.counts.as_ref()),
            one("trigger", self.trigger.as_ref()),
            list("rights", self.rights.as_ref(), id),
            list("stops", self.stops.as_ref(), id),
            one("takes_none", self.takes_none.as_ref()),
            one("rule", self.rule.as_ref()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
