//! Policy packs: what one version of a policy says, in a form that a judge
//! can apply and a lawyer can write.
//!
//! A pack is a TOML file. `docs/policy-packs.md` is its reference. A pack
//! that is not understood to the last key is refused, with the line and the
//! column of everything that is wrong.

mod check;
mod date;
mod error;
mod schema;

use std::sync::LazyLock;

pub use date::Day;
pub use error::{PackError, PackErrors};
pub use schema::{ClauseKind, RetentionTrigger, Treatment, VersioningRule};

pub(crate) use schema::{PackFile, ProcessorRole, RawClause, RawConsent, Said};

/// The format of packs that is read.
pub const PACK_FORMAT: u32 = 1;

/// The longest pack that is read: 4 MiB.
const MAX_PACK_BYTES: usize = 4 << 20;

/// The five packs that are compiled in: name and text.
const FILES: [(&str, &str); 5] = [
    ("alc-2017.toml", include_str!("../packs/alc-2017.toml")),
    ("alc-2023.toml", include_str!("../packs/alc-2023.toml")),
    ("alb-2020.toml", include_str!("../packs/alb-2020.toml")),
    ("alb-2025.toml", include_str!("../packs/alb-2025.toml")),
    ("ae-2020.toml", include_str!("../packs/ae-2020.toml")),
];

static BUILTIN: LazyLock<Result<Vec<Pack>, PackErrors>> = LazyLock::new(|| {
    FILES
        .into_iter()
        .map(|(name, text)| Pack::parse(name, text))
        .collect()
});

/// One version of a policy.
#[derive(Clone, Debug)]
pub struct Pack {
    name: String,
    text: String,
    pub(crate) file: PackFile,
    clauses: Vec<Clause>,
    digest: [u8; 32],
}

/// One clause, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Its id, such as `ALB-2025.081`.
    pub id: String,
    /// Its section in the text.
    pub section: String,
    /// What it is about.
    pub kind: ClauseKind,
    /// Its code, where it has one: the local term is `custody:<code>`.
    pub code: Option<String>,
    /// What it says, in our own words.
    pub summary: String,
    /// A decision or a correction, where there is one.
    pub note: Option<String>,
    /// The addendum that it stands in.
    pub addendum: Option<String>,
    /// For whom: groups and ISO 3166 codes; empty for everybody.
    pub jurisdictions: Vec<String>,
    /// For whom not, of those.
    pub except: Vec<String>,
    /// From when, where it has a day of its own, nanoseconds since 1970 UTC.
    pub from_ns: Option<i64>,
    /// Of a clause that says who decides: the controllers' ids.
    pub controllers: Vec<String>,
    /// Codes of the recipients that it is limited to.
    pub recipients: Vec<String>,
    /// Terms that it covers beside its code.
    pub covers: Vec<String>,
    /// With what kind of thing its list goes on.
    pub open: Option<String>,
    /// How it is reflected.
    pub treatment: Treatment,
    /// Event kinds, reports or the reason, by treatment.
    pub treatment_detail: Vec<String>,
}

impl Pack {
    /// The packs that are compiled in.
    ///
    /// # Errors
    /// What is wrong with one of them; a test keeps them right.
    pub fn builtin() -> Result<&'static [Self], &'static PackErrors> {
        BUILTIN.as_deref()
    }

    /// Reads a pack. `name` stands in errors.
    ///
    /// # Errors
    /// [`PackErrors`] with everything that is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, PackErrors> {
        if text.len() > MAX_PACK_BYTES {
            return Err(PackErrors::one(PackError {
                pack: name.to_owned(),
                line: 1,
                column: 1,
                message: format!("a pack is at most {MAX_PACK_BYTES} bytes long"),
            }));
        }
        let file: PackFile =
            toml::from_str(text).map_err(|error| PackErrors::of_toml(name, text, &error))?;
        let clauses = check::check(name, text, &file)?;
        Ok(Self {
            name: name.to_owned(),
            digest: blake3::hash(text.as_bytes()).into(),
            text: text.to_owned(),
            file,
            clauses,
        })
    }

    /// The file's name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The policy's id, such as `ALB-2025`.
    pub fn id(&self) -> &str {
        self.file.policy.id.get_ref()
    }

    /// The policy that this is a version of, such as `ALB`.
    pub fn family(&self) -> &str {
        self.file.policy.family.get_ref()
    }

    /// What the policy is called.
    pub fn title(&self) -> &str {
        &self.file.policy.title
    }

    /// From when it is in force, nanoseconds since 1970 UTC.
    pub fn effective_ns(&self) -> i64 {
        self.file.policy.effective.start_ns()
    }

    /// The version before, where it names one.
    pub fn succeeds(&self) -> Option<&str> {
        let succeeds = self.file.policy.succeeds.as_ref()?;
        Some(succeeds.get_ref())
    }

    /// Where each act needs a basis: groups and ISO 3166 codes.
    pub fn basis_required(&self) -> impl Iterator<Item = &str> {
        texts(&self.file.policy.basis_required)
    }

    /// Where the lists of bases are closed.
    pub fn bases_closed(&self) -> impl Iterator<Item = &str> {
        texts(&self.file.policy.bases_closed)
    }

    /// Whose data needs a mechanism to leave.
    pub fn safeguard_required(&self) -> impl Iterator<Item = &str> {
        texts(&self.file.policy.safeguard_required)
    }

    /// The services that it is for.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.file
            .policy
            .services
            .iter()
            .map(|s| s.get_ref().as_str())
    }

    /// Where the text is published, if the pack says so.
    pub fn source(&self) -> Option<&str> {
        self.file.policy.source.as_deref()
    }

    /// Its clauses, as they stand in the file.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// An error at a place of the file.
    pub(crate) fn error_at(&self, span: &std::ops::Range<usize>, message: String) -> PackError {
        error::at(&self.name, &self.text, span, message)
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// BLAKE3 of the file.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

fn texts(list: &[Said]) -> impl Iterator<Item = &str> {
    list.iter().map(|said| said.get_ref().as_str())
}
