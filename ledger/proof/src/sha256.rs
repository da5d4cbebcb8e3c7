//! SHA-256 (FIPS 180-4) of short messages of a length known beforehand.
//!
//! Trees and maps hash millions of messages of 33, 57 and 65 bytes. Padding
//! them in place spares the buffering of a general hasher.

use sha2::block_api::compress256;

use crate::tree::Hash;

/// The initial value (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// `SHA-256(prefix ‖ parts)`, a message of `BYTES` bytes in `BLOCKS` blocks.
pub(crate) fn of_parts<const BYTES: usize, const BLOCKS: usize>(
    prefix: u8,
    parts: &[&[u8]],
) -> Hash {
    const { assert!(BYTES + 9 <= BLOCKS * 64 && BYTES + 9 > (BLOCKS - 1) * 64) };
    debug_assert_eq!(
        parts.iter().map(|part| part.len()).sum::<usize>() + 1,
        BYTES
    );
    let mut blocks = [[0; 64]; BLOCKS];
    let message = blocks.as_flattened_mut();
    message[0] = prefix;
    let mut at = 1;
    for part in parts {
        message[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    // Section 5.1.1: a one bit, zeros, the length in bits.
    message[BYTES] = 0x80;
    let end = message.len();
    message[end - 8..].copy_from_slice(&(BYTES as u64 * 8).to_be_bytes());

    let mut state = INITIAL;
    compress256(&mut state, &blocks);
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Hash(hash)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn agrees_with_the_general_hasher() {
        let message: Vec<u8> = (1..=128).collect();
        let general = |prefix: u8, length: usize| {
            let mut whole = vec![prefix];
            whole.extend_from_slice(&message[..length]);
            Hash(Sha256::digest(whole).into())
        };
        assert_eq!(of_parts::<33, 1>(0, &[&message[..32]]), general(0, 32));
        assert_eq!(
            of_parts::<57, 2>(0, &[&message[..16], &message[16..56]]),
            general(0, 56)
        );
        assert_eq!(
            of_parts::<65, 2>(1, &[&message[..32], &message[32..64]]),
            general(1, 64)
        );
    }
}
