//! New keys for those who sign waivers.

use custody_proof::note::{KeyError, SigningKey};

/// A new key for a signer, from the system's randomness.
///
/// # Errors
/// A name that a note cannot carry, or no randomness.
pub fn generate_key(name: &str) -> Result<SigningKey, KeyError> {
    SigningKey::generate(name, aws_lc_rs::rand::fill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_new() {
        let new = || generate_key("a.example").unwrap();
        assert_ne!(new().verifying_key(), new().verifying_key());
        assert_eq!(generate_key("a b").unwrap_err(), KeyError::Name);
    }
}
