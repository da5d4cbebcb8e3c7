//! What is wrong with a pack, and where.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{pack}:{line}:{column}: {message}")]
pub struct PackError {
    /// The file.
    pub pack: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Everything that is wrong, at least one thing, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackErrors(Vec<PackError>);

impl PackErrors {
    pub(crate) fn one(error: PackError) -> Self {
        Self(vec![error])
    }

    pub(crate) fn of_toml(name: &str, text: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        Self::one(at(name, text, &span, error.message().to_owned()))
    }

    pub(crate) fn from_list(mut errors: Vec<PackError>) -> Option<Self> {
        errors.sort();
        errors.dedup();
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// What is wrong, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &PackError> {
        self.0.iter()
    }
}

impl fmt::Display for PackErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PackErrors {}

/// An error at a place of the text.
pub(crate) fn at(name: &str, text: &str, span: &Range<usize>, message: String) -> PackError {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    PackError {
        pack: name.to_owned(),
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message,
    }
}
