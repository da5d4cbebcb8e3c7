//! Identifiers: `scheme:value`, byte for byte.

use crate::derive::{Name, Names};
use crate::error::VaultError;

/// Longest identifier in bytes, scheme and colon included.
pub const MAX_IDENTIFIER_BYTES: usize = 1024;

/// Most identifiers that one event may give for its person.
pub const MAX_IDENTIFIERS: usize = 256;

/// Whether an identifier is one person's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Finds and links persons.
    Unique,
    /// Many persons may have it: it points, and never links.
    Shared,
}

/// The schemes whose identifiers are one person's alone; all others are
/// shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueSchemes(Vec<String>);

impl UniqueSchemes {
    pub(crate) fn new(mut schemes: Vec<String>) -> Self {
        schemes.sort_unstable();
        schemes.dedup();
        Self(schemes)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// One a line; a scheme has no line feed of its own that would matter,
    /// because the same text is only ever compared.
    pub(crate) fn encode(&self) -> String {
        self.0.join("\n")
    }

    pub(crate) fn decode(text: &str) -> Self {
        Self::new(
            text.split('\n')
                .filter(|scheme| !scheme.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    fn class(&self, scheme: &str) -> Class {
        if self.0.iter().any(|unique| unique == scheme) {
            Class::Unique
        } else {
            Class::Shared
        }
    }
}

/// A well-formed identifier with its digest. Has no `Debug`: it is personal
/// data.
#[derive(Clone, Copy)]
pub(crate) struct Identifier<'a> {
    pub(crate) text: &'a str,
    pub(crate) digest: Name,
    pub(crate) class: Class,
}

impl<'a> Identifier<'a> {
    pub(crate) fn parse(
        text: &'a str,
        position: usize,
        schemes: &UniqueSchemes,
        names: &Names,
    ) -> Result<Self, VaultError> {
        let invalid = |reason| VaultError::InvalidIdentifier { position, reason };
        if text.len() > MAX_IDENTIFIER_BYTES {
            return Err(invalid("is longer than 1024 bytes"));
        }
        let (scheme, value) = text.split_once(':').ok_or(invalid("is not scheme:value"))?;
        if scheme.is_empty() {
            return Err(invalid("has no scheme"));
        }
        if value.is_empty() {
            return Err(invalid("has no value"));
        }
        Ok(Self {
            text,
            digest: names.identifier(text),
            class: schemes.class(scheme),
        })
    }

    /// All of a list, each once, in order.
    pub(crate) fn parse_all(
        list: &[&'a str],
        schemes: &UniqueSchemes,
        names: &Names,
    ) -> Result<Vec<Self>, VaultError> {
        if list.is_empty() {
            return Err(VaultError::NoIdentifier);
        }
        if list.len() > MAX_IDENTIFIERS {
            let (count, limit) = (list.len(), MAX_IDENTIFIERS);
            return Err(VaultError::TooManyIdentifiers { count, limit });
        }
        let mut parsed: Vec<Self> = Vec::with_capacity(list.len());
        for (position, text) in list.iter().enumerate() {
            let identifier = Self::parse(text, position, schemes, names)?;
            if parsed.iter().all(|seen| seen.digest != identifier.digest) {
                parsed.push(identifier);
            }
        }
        Ok(parsed)
    }
}
