//! The names and versions of the documents.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::EvidenceError;

/// Which format a document of evidence has. There is one; a later one would be
/// another value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvidenceFormat {
    /// `custody.evidence/v1`
    #[default]
    #[serde(rename = "custody.evidence/v1")]
    V1,
}

/// Which format a completeness proof has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompletenessFormat {
    /// `custody.completeness/v1`
    #[default]
    #[serde(rename = "custody.completeness/v1")]
    V1,
}

/// Which format an inclusion proof has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InclusionFormat {
    /// `custody.inclusion/v1`
    #[default]
    #[serde(rename = "custody.inclusion/v1")]
    V1,
}

/// Which format a consistency proof has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsistencyFormat {
    /// `custody.consistency/v1`
    #[default]
    #[serde(rename = "custody.consistency/v1")]
    V1,
}

/// Which format a certificate of erasure has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErasureFormat {
    /// `custody.erasure-certificate/v1`
    #[default]
    #[serde(rename = "custody.erasure-certificate/v1")]
    V1,
}

/// All that is read where the rest does not fit.
#[derive(Deserialize)]
struct Named {
    format: String,
}

/// Reads a document of a format `<name>/v1`.
pub(super) fn read<T: DeserializeOwned>(
    json: &[u8],
    expected: &'static str,
) -> Result<T, EvidenceError> {
    let error = match serde_json::from_slice(json) {
        Ok(document) => return Ok(document),
        Err(error) => error,
    };
    // A document of another version has other fields: that is what is to be
    // said of it.
    match serde_json::from_slice::<Named>(json) {
        Ok(named) if named.format != expected => Err(EvidenceError::Format { expected }),
        _ => Err(EvidenceError::Json {
            line: error.line(),
            column: error.column(),
        }),
    }
}

/// The document, in one line.
pub(super) fn write<T: Serialize>(document: &T) -> String {
    // Strings, numbers and lists of them: nothing that JSON cannot say.
    serde_json::to_string(document).unwrap_or_default()
}
