//! What events are judged by.

use std::sync::LazyLock;

use crate::term::VOCABULARY_DIGEST;

/// The version of the judge. It changes whenever the same event could get
/// another verdict from the same packs.
pub const JUDGE_VERSION: u32 = 1;

static BUILTIN: LazyLock<Ruleset> = LazyLock::new(Ruleset::compile);

/// What events are judged by: vocabulary and judge version. No policy pack is
/// part of it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    digest: [u8; 32],
}

impl Ruleset {
    /// The compiled rules.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    fn compile() -> Self {
        let mut digest = blake3::Hasher::new();
        digest.update(b"custody ruleset v1");
        digest.update(&JUDGE_VERSION.to_le_bytes());
        digest.update(&VOCABULARY_DIGEST);
        // The number of packs; their digests follow it.
        digest.update(&0u32.to_le_bytes());
        Self {
            digest: digest.finalize().into(),
        }
    }

    /// BLAKE3 over everything that a verdict depends on beside the event.
    /// Equal digests give equal verdicts.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::Ruleset;

    /// Changes with every change of the vocabulary or the judge: on purpose,
    /// because blocks name the rules that they were judged by.
    #[test]
    fn digest_is_golden() {
        assert_eq!(
            hex::encode(Ruleset::builtin().digest()),
            "70ed7866dd1e34b17f27504b93473c325d470afde3cdb3258321eb7586cef8c9"
        );
    }
}
