//! Newtypes for what must not be mixed up.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};

macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 2 * $size];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $size];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError { digits: 2 * $size })?;
                Ok(Self(bytes))
            }
        }
    };
}

bytes_newtype!(
    /// Names a ledger: random, made once with its data directory.
    LedgerId, 16
);
bytes_newtype!(
    /// Names a shard: the first 16 bytes of the BLAKE3 digest of its
    /// descriptor, so that every node gives the same topic-partition the same
    /// name.
    ShardId, 16
);
bytes_newtype!(
    /// Stands for a person in the public part. 16 random-looking bytes: the
    /// chance that any two of 10^9 persons share one is below 2^-68, and every
    /// entry, index key and proof carries it.
    SubjectReference, 16
);
bytes_newtype!(
    /// Stands for an event in the public part, keyed with its person's key, so
    /// that it links events only within one person.
    EventTag, 16
);
bytes_newtype!(
    /// A BLAKE3 digest.
    Digest, 32
);

/// A text that is no id of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected {digits} hexadecimal digits")]
pub struct ParseIdError {
    /// How many digits were expected.
    pub digits: usize,
}
