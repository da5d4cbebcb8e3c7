//! Trains a dictionary for codec 2 and its successors from invented messages:
//! `cargo run --release -p custody-vault --example train_dictionary FILE`.
//!
//! The same sources, zstd and arguments give the same bytes; their BLAKE3 is
//! printed. A dictionary that was ever in use is never replaced: what comes out
//! of a changed generator is another dictionary and needs another codec byte.

#![allow(clippy::print_stdout)]

mod corpus;

use std::error::Error;

use zstd::zstd_safe::zstd_sys;

/// Larger ones gain two bytes a message and cost cache.
const DICTIONARY_BYTES: usize = 64 << 10;
/// Length of the pieces that are picked from the samples. zstd's own search
/// for it looks at the sum alone and takes 1,998, which serves long messages at
/// the cost of short ones.
const SEGMENT_BYTES: u32 = 600;
/// Length of the strings that are counted.
const STRING_BYTES: u32 = 8;
/// The level whose choices the entropy tables fit.
const LEVEL: i32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().ok_or("usage: train_dictionary FILE")?;

    let mut samples = Vec::new();
    let mut sizes = Vec::new();
    let mut take = |message: Vec<u8>| {
        sizes.push(message.len());
        samples.extend(message);
    };
    // Other names every few messages: what is common to all of them counts.
    for seed in 1..=4 {
        corpus::generated(seed, 5_000, 2_000)?.for_each(&mut take);
    }
    for seed in 100..200 {
        corpus::short(seed, 200, None).for_each(&mut take);
    }
    for seed in 200..300 {
        corpus::lean(seed, 200).for_each(&mut take);
    }

    let dictionary = train(&samples, &sizes)?;
    std::fs::write(&path, &dictionary)?;
    println!(
        "{} samples, {} bytes; dictionary of {} bytes, BLAKE3 {}",
        sizes.len(),
        samples.len(),
        dictionary.len(),
        blake3::hash(&dictionary)
    );
    Ok(())
}

/// The crates around zstd offer only the training that searches for the
/// segment length itself.
fn train(samples: &[u8], sizes: &[usize]) -> Result<Vec<u8>, Box<dyn Error>> {
    if sizes.iter().sum::<usize>() != samples.len() {
        return Err("sizes and samples do not agree".into());
    }
    let mut dictionary = vec![0; DICTIONARY_BYTES];
    let parameters = zstd_sys::ZDICT_fastCover_params_t {
        k: SEGMENT_BYTES,
        d: STRING_BYTES,
        f: 20,
        steps: 0,
        nbThreads: 0,
        splitPoint: 1.0,
        accel: 1,
        shrinkDict: 0,
        shrinkDictMaxRegression: 0,
        zParams: zstd_sys::ZDICT_params_t {
            compressionLevel: LEVEL,
            notificationLevel: 0,
            // Not written into frames.
            dictID: 1,
        },
    };
    // SAFETY: the buffers are valid for the lengths that go with them, and the
    // sizes sum up to the samples' length.
    #[allow(unsafe_code)]
    let size = unsafe {
        zstd_sys::ZDICT_trainFromBuffer_fastCover(
            dictionary.as_mut_ptr().cast(),
            dictionary.len(),
            samples.as_ptr().cast(),
            sizes.as_ptr(),
            sizes.len().try_into()?,
            parameters,
        )
    };
    // Errors are sizes that no dictionary has.
    if size > DICTIONARY_BYTES {
        return Err("zstd cannot train on these samples".into());
    }
    dictionary.truncate(size);
    Ok(dictionary)
}
