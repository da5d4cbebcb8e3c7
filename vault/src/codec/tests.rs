use proptest::prelude::*;

use super::*;

fn packed(plain: &[u8]) -> (u8, Vec<u8>) {
    let mut out = b"before".to_vec();
    let codec = pack(plain, &mut out).unwrap();
    assert_eq!(&out[..6], b"before");
    let content = out.split_off(6);
    assert_eq!(content.len() % PADDING_BYTES, 0);
    (codec, content)
}

fn unpacked(codec: u8, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    unpack(codec, Zeroizing::new(content.to_vec()))
}

/// Like a message: text that the dictionary has, and some that it has not.
fn message(bytes: usize) -> Vec<u8> {
    let mut number = 1_u64;
    let mut text = Vec::new();
    while text.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005) + 1;
        text.extend(
            format!(r#"{{"specversion":"1.0","id":"{number:x}","source":"//orders.example"}}"#)
                .bytes(),
        );
    }
    text.truncate(bytes);
    text
}

/// Sizes at which a codec or a limit takes over from another.
#[test]
fn each_size_has_its_codec() {
    for (bytes, expected) in [
        (0, STORED),
        (1, STORED),
        (60, STORED),
        (61, DICTIONARY_1),
        (300, DICTIONARY_1),
        (20_000, DICTIONARY_1),
        (MAX_BLOCK_BYTES + 1, ZSTD),
        (1 << 20, ZSTD),
    ] {
        let plain = message(bytes);
        let (codec, content) = packed(&plain);
        assert_eq!(codec, expected, "{bytes} bytes");
        assert_eq!(*unpacked(codec, &content).unwrap(), plain, "{bytes} bytes");
    }
    let mut noise = [0; 1000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    assert_eq!(packed(&noise).0, STORED);
}

/// What was written before there was a dictionary.
#[test]
fn old_codecs_open() {
    let plain = message(300);
    let mut frame = vec![0; 1000];
    let size = compress_frame(&plain, &mut frame).unwrap().unwrap();
    frame.truncate(padded(size));
    assert_eq!(*unpacked(ZSTD, &frame).unwrap(), plain);
    let mut stored = length(plain.len()).unwrap().to_vec();
    stored.extend(&plain);
    stored.resize(padded(stored.len()), 0);
    assert_eq!(*unpacked(STORED, &stored).unwrap(), plain);
}

/// One encoding for each content: no step too many, none too few.
#[test]
fn another_padding_is_refused() {
    let (codec, content) = packed(&message(300));
    assert_eq!(codec, DICTIONARY_1);
    let mut longer = content.clone();
    longer.resize(content.len() + PADDING_BYTES, 0);
    for bad in [&longer[..], &content[..content.len() - PADDING_BYTES], &[]] {
        assert_eq!(unpacked(codec, bad).err(), Some(SealError::Malformed));
    }
    let zeros = [0; PADDING_BYTES];
    assert_eq!(unpacked(codec, &zeros).err(), Some(SealError::Malformed));
    assert_eq!(
        unpacked(3, &content).err(),
        Some(SealError::UnknownCodec(3))
    );
}

/// A block says nothing of its size: whatever is in it, no more than a block
/// comes out, and the thread opens the next one as before.
#[test]
fn hostile_blocks_are_bounded() {
    let good = packed(&message(300)).1;
    let opens = || assert_eq!(*unpacked(DICTIONARY_1, &good).unwrap(), message(300));
    opens();
    // The greatest that there is, from few bytes.
    let all = vec![7; MAX_BLOCK_BYTES];
    let (codec, content) = packed(&all);
    assert_eq!((codec, content.len()), (DICTIONARY_1, PADDING_BYTES));
    assert_eq!(*unpacked(codec, &content).unwrap(), all);
    opens();
    // More compressed than a block may have.
    let too_long = vec![1; MAX_BLOCK_BYTES + PADDING_BYTES];
    assert_eq!(
        unpacked(DICTIONARY_1, &too_long).err(),
        Some(SealError::Malformed)
    );
    // Every byte of a good one changed: something else or an error, never a
    // panic and never more than a block.
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            if let Ok(plain) = unpacked(DICTIONARY_1, &bad) {
                assert!(plain.len() <= MAX_BLOCK_BYTES);
            }
        }
    }
    opens();
}

/// What was opened does not stay in the buffer that it was opened in.
#[test]
fn the_buffer_is_wiped() {
    for bytes in [100, 5_000, MAX_BLOCK_BYTES / 4, MAX_BLOCK_BYTES] {
        let (codec, mut content) = packed(&message(bytes));
        assert_eq!(codec, DICTIONARY_1);
        unpacked(codec, &content).unwrap();
        assert_wiped(bytes);
        let at = content.len() / 3;
        content[at] ^= 0x55;
        let _ = unpacked(codec, &content);
        assert_wiped(bytes);
    }
}

fn assert_wiped(bytes: usize) {
    OPENER.with_borrow(|opener| {
        let plain = &opener.as_ref().unwrap().plain;
        assert!(plain.iter().all(|&byte| byte == 0), "{bytes} bytes");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_packed_unpacks(
        parts in prop::collection::vec(
            prop_oneof![
                // A piece of the dictionary, a run, noise.
                (0..DICTIONARY.len() - 400, 1_usize..400).prop_map(|(at, n)| DICTIONARY[at..at + n].to_vec()),
                (any::<u8>(), 0_usize..300).prop_map(|(byte, n)| vec![byte; n]),
                prop::collection::vec(any::<u8>(), 0..200),
            ],
            0..8,
        ),
    ) {
        let plain = parts.concat();
        let (codec, content) = packed(&plain);
        prop_assert!(content.len() <= padded(LENGTH_BYTES + plain.len()));
        prop_assert_eq!(&**unpacked(codec, &content).unwrap(), &plain[..]);
    }

    #[test]
    fn noise_stays_within_bounds(mut noise in prop::collection::vec(any::<u8>(), 64..512), codec in 0_u8..3) {
        noise.truncate(noise.len() / PADDING_BYTES * PADDING_BYTES);
        if let Ok(plain) = unpacked(codec, &noise) {
            prop_assert!(plain.len() <= MAX_BLOCK_BYTES);
        }
    }
}
