//! Who asks: what a request's metadata say of it.

use tonic::metadata::MetadataMap;

use crate::answer::{FieldFault, QueryError};

/// The metadata key of who asks. What is not ASCII goes under this key and
/// `-bin`, as UTF-8; so with the others.
pub const CALLER_KEY: &str = "custody-caller";

/// The metadata key of the role in which somebody asks.
pub const ROLE_KEY: &str = "custody-role";

/// The metadata key of why.
pub const REASON_KEY: &str = "custody-reason";

/// The longest name of a caller, in bytes.
pub const MAX_CALLER_BYTES: usize = 256;

/// The longest role, in bytes.
pub const MAX_ROLE_BYTES: usize = 64;

/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 1024;

/// What a caller must say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerRules {
    /// Whether who asks must be said. Default: no.
    pub caller_required: bool,
    /// Whether a reason must be given. Default: no.
    pub reason_required: bool,
    /// The role of a caller who names none. Default: none.
    pub default_role: String,
}

/// Who asks, as who asks says. Nothing here is proof of it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) by: String,
    pub(super) role: String,
    pub(super) reason: String,
}

impl CallerRules {
    /// Reads a request's metadata.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] where something is missing, too long or no text.
    pub(super) fn read(&self, metadata: &MetadataMap) -> Result<Caller, QueryError> {
        let mut faults = Vec::new();
        let mut caller = Caller {
            by: text(metadata, CALLER_KEY, MAX_CALLER_BYTES, &mut faults),
            role: text(metadata, ROLE_KEY, MAX_ROLE_BYTES, &mut faults),
            reason: text(metadata, REASON_KEY, MAX_REASON_BYTES, &mut faults),
        };
        if caller.role.is_empty() {
            caller.role.clone_from(&self.default_role);
        }
        if faults.is_empty() {
            let missing = [
                (self.caller_required, &caller.by, CALLER_KEY, "who asks"),
                (self.reason_required, &caller.reason, REASON_KEY, "why"),
            ];
            for (required, said, key, what) in missing {
                if required && said.is_empty() {
                    faults.push(fault(key, format!("must say {what}")));
                }
            }
        }
        if faults.is_empty() {
            Ok(caller)
        } else {
            Err(QueryError::Invalid(faults))
        }
    }
}

/// A value of the metadata; empty where there is none.
fn text(
    metadata: &MetadataMap,
    key: &'static str,
    limit: usize,
    faults: &mut Vec<FieldFault>,
) -> String {
    let bytes = match metadata.get(key) {
        Some(value) => Some(value.as_bytes().to_vec()),
        None => match metadata
            .get_bin(format!("{key}-bin"))
            .map(|it| it.to_bytes())
        {
            Some(Ok(bytes)) => Some(bytes.to_vec()),
            Some(Err(_)) => Some(vec![0]),
            None => None,
        },
    };
    let said = String::from_utf8(bytes.unwrap_or_default());
    match said {
        Ok(said) if said.len() > limit => {
            faults.push(fault(key, format!("must not be longer than {limit} bytes")));
        }
        Ok(said) if !said.chars().any(char::is_control) => return said.trim().to_owned(),
        _ => faults.push(fault(
            key,
            "must be text without control characters; what is not ASCII goes under the key \
             with `-bin`, as UTF-8"
                .to_owned(),
        )),
    }
    String::new()
}

fn fault(key: &str, description: String) -> FieldFault {
    FieldFault {
        field: format!("metadata.{key}"),
        description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::metadata::MetadataValue;

    fn said(rules: &CallerRules, metadata: &MetadataMap) -> Result<[String; 3], Vec<String>> {
        match rules.read(metadata) {
            Ok(caller) => Ok([caller.by, caller.role, caller.reason]),
            Err(QueryError::Invalid(faults)) => {
                Err(faults.into_iter().map(|it| it.field).collect())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn who_asks_is_read_in_both_forms() {
        let mut metadata = MetadataMap::new();
        metadata.insert(CALLER_KEY, "li.wei".parse().unwrap());
        let reason = MetadataValue::from_bytes("客户提问".as_bytes());
        metadata.insert_bin("custody-reason-bin", reason);
        let rules = CallerRules {
            default_role: "support".to_owned(),
            ..CallerRules::default()
        };
        let expected = ["li.wei", "support", "客户提问"].map(str::to_owned);
        assert_eq!(said(&rules, &metadata), Ok(expected));
        metadata.insert(ROLE_KEY, " dpo ".parse().unwrap());
        assert_eq!(said(&rules, &metadata).unwrap()[1], "dpo");
    }

    #[test]
    fn what_is_required_is_named_where_it_is_missing() {
        let nothing = MetadataMap::new();
        let rules = CallerRules {
            caller_required: true,
            reason_required: true,
            default_role: String::new(),
        };
        let missing = ["metadata.custody-caller", "metadata.custody-reason"];
        assert_eq!(
            said(&rules, &nothing),
            Err(missing.map(str::to_owned).to_vec())
        );
        assert!(said(&CallerRules::default(), &nothing).is_ok());
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let rules = CallerRules::default();
        for (key, limit) in [
            (CALLER_KEY, MAX_CALLER_BYTES),
            (ROLE_KEY, MAX_ROLE_BYTES),
            (REASON_KEY, MAX_REASON_BYTES),
        ] {
            let mut metadata = MetadataMap::new();
            metadata.insert(key, "x".repeat(limit).parse().unwrap());
            assert!(said(&rules, &metadata).is_ok());
            metadata.insert(key, "x".repeat(limit + 1).parse().unwrap());
            assert!(said(&rules, &metadata).is_err(), "{key}");
        }
        let mut metadata = MetadataMap::new();
        for bytes in [&b"a\nb"[..], b"\xff"] {
            metadata.insert_bin("custody-caller-bin", MetadataValue::from_bytes(bytes));
            assert!(said(&rules, &metadata).is_err());
        }
    }
}
