//! What stands in a ciphertext: the content, made short and padded.
//!
//! ```text
//! codec 0  length 4 | content                             | zeros to 64·n
//! codec 1  length 4 | zstd frame with its content size    | zeros to 64·n
//! codec 2  zstd block, by dictionary 1; ends in no zero   | zeros to 64·n
//! ```
//!
//! **Codec 2 leaves out what is always the same.** A message is one compressed
//! block of at most 128 KiB. Magic, frame header and block header (RFC 8878,
//! section 3.1.1) would be 9 bytes that say nothing; opening puts them there
//! again. A length is not needed either: the block ends in a bit stream that is
//! read backwards from a set bit, so its last byte is not zero, and the padding
//! is what follows it. What does not come out like that is stored by codec 1
//! or 0.
//!
//! **The dictionary is part of the format.** `dictionary_1.zstd` was trained
//! from invented messages by `examples/train_dictionary.rs` and is never made
//! again: a better one gets the next codec byte. It holds no data of anybody.
//!
//! **Compressing before sealing leaks.** Who can put text of their own beside a
//! secret into one message, and sees the length of what is stored, may learn by
//! trying whether the two agree (CRIME, 2012, did so with cookies). A producer
//! that quotes a stranger's text in an event is such a case. What limits it:
//! every message is compressed on its own, so nothing is learnt about another
//! one; an event is stored once, so that one try is one more event in the
//! ledger; lengths come in steps of 64 bytes, so that most tries change
//! nothing. It is not ruled out: a try that moves a message across a step is
//! seen. The dictionary itself is public, and that an event is short says that
//! it resembles the dictionary.

use std::cell::RefCell;
use std::sync::LazyLock;

use zeroize::{Zeroize, Zeroizing};
use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, DDict};

use crate::entry::{MAX_PLAIN_BYTES, PADDING_BYTES, SealError};

pub(crate) const STORED: u8 = 0;
pub(crate) const ZSTD: u8 = 1;
pub(crate) const DICTIONARY_1: u8 = 2;

pub(crate) static DICTIONARY: &[u8] = include_bytes!("dictionary_1.zstd");

const LENGTH_BYTES: usize = 4;
/// Of codec 1. Above what codec 2 takes only speed counts.
const ZSTD_LEVEL: i32 = 1;

/// Most that one block decompresses to (RFC 8878, section 3.1.1.2.4).
const MAX_BLOCK_BYTES: usize = 128 << 10;
/// Magic; no content size, checksum or dictionary id, and a window follows; a
/// window of 128 KiB.
const FRAME_HEADER: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
/// Where the compressor writes the window that it needs.
const WINDOW_AT: usize = 5;
const BLOCK_HEADER_BYTES: usize = 3;
const HEADERS_BYTES: usize = FRAME_HEADER.len() + BLOCK_HEADER_BYTES;
/// Last block; compressed.
const LAST_COMPRESSED: u32 = 1 | 2 << 1;

/// Most bytes that [`pack`] appends for so much content, on its way.
pub(crate) fn room(plain: usize) -> usize {
    let frame = LENGTH_BYTES + zstd_safe::compress_bound(plain).max(plain);
    frame.next_multiple_of(PADDING_BYTES)
}

/// Appends content and padding to `out`; says by which codec. Compression is
/// kept only where it saves a padding step.
pub(crate) fn pack(plain: &[u8], out: &mut Vec<u8>) -> Result<u8, SealError> {
    let start = out.len();
    let stored = padded(LENGTH_BYTES + plain.len());
    if stored > PADDING_BYTES {
        out.resize(start + room(plain.len()), 0);
        let work = &mut out[start..];
        let packed = match compress_block(plain, work)? {
            Some(size) => Some((DICTIONARY_1, size)),
            None => compress_frame(plain, work)?.map(|size| (ZSTD, size)),
        };
        if let Some((codec, size)) = packed
            && padded(size) < stored
        {
            work[size..].zeroize();
            out.truncate(start + padded(size));
            return Ok(codec);
        }
        work.zeroize();
        out.truncate(start);
    }
    out.extend_from_slice(&length(plain.len())?);
    out.extend_from_slice(plain);
    out.resize(start + stored, 0);
    Ok(STORED)
}

/// Takes the padding off, and undoes the codec. What it allocates is bounded
/// by [`MAX_PLAIN_BYTES`], whatever the content says.
pub(crate) fn unpack(
    codec: u8,
    mut content: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    match codec {
        STORED => {
            let end = measured(&content)?;
            content.copy_within(LENGTH_BYTES..end, 0);
            // `truncate` leaves the tail in the buffer; dropping wipes all of
            // its capacity.
            content.truncate(end - LENGTH_BYTES);
            Ok(content)
        }
        ZSTD => {
            let end = measured(&content)?;
            decompress_frame(&content[LENGTH_BYTES..end])
        }
        DICTIONARY_1 => {
            let last = content.iter().rposition(|&byte| byte != 0);
            let size = last.ok_or(SealError::Malformed)? + 1;
            if padded(size) != content.len() {
                return Err(SealError::Malformed);
            }
            decompress_block(&content[..size])
        }
        other => Err(SealError::UnknownCodec(other)),
    }
}

/// Rounded up to a padding step.
fn padded(size: usize) -> usize {
    size.next_multiple_of(PADDING_BYTES)
}

fn length(size: usize) -> Result<[u8; LENGTH_BYTES], SealError> {
    let length = u32::try_from(size).map_err(|_| SealError::TooLarge { size })?;
    Ok(length.to_le_bytes())
}

/// Where content behind a length ends. There is exactly one encoding for each
/// content: the fewest steps, padded by zeros.
fn measured(content: &[u8]) -> Result<usize, SealError> {
    let length = content.first_chunk().copied().ok_or(SealError::Malformed)?;
    let size = u32::from_le_bytes(length) as usize;
    let end = LENGTH_BYTES + size;
    if size > content.len() || padded(end) != content.len() {
        return Err(SealError::Malformed);
    }
    if content[end..].iter().any(|&byte| byte != 0) {
        return Err(SealError::Malformed);
    }
    Ok(end)
}

/// A block that was opened is here until it is copied out, and then wiped.
struct Opener {
    context: DCtx<'static>,
    plain: Zeroizing<Vec<u8>>,
}

static DECODER: LazyLock<Option<DDict<'static>>> = LazyLock::new(|| DDict::try_create(DICTIONARY));

thread_local! {
    // A context costs far more than a message, and a digested dictionary far
    // more than a context. Its window keeps the last content of the thread in
    // memory, as the caller's own buffer does.
    static BLOCKS: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static FRAMES: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static OPENER: RefCell<Option<Opener>> = const { RefCell::new(None) };
    static OPENED_FRAMES: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

fn failed<T>(_: T) -> SealError {
    SealError::Cipher
}

/// Level 3 costs half as much and leaves messages two to twelve bytes longer;
/// level 19 takes some ten bytes more off at forty times the cost. What comes
/// of it is printed by `examples/sizes.rs`. No part of the format.
fn block_compressor() -> Result<CCtx<'static>, SealError> {
    let mut context = CCtx::try_create().ok_or(SealError::Cipher)?;
    for parameter in [
        CParameter::CompressionLevel(3),
        CParameter::Strategy(zstd_safe::Strategy::ZSTD_greedy),
        CParameter::SearchLog(3),
        CParameter::MinMatch(5),
        CParameter::ContentSizeFlag(false),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
    ] {
        context.set_parameter(parameter).map_err(failed)?;
    }
    context.load_dictionary(DICTIONARY).map_err(failed)?;
    Ok(context)
}

/// One block by the dictionary, at the beginning of `out`; none where it would
/// not be one compressed block that ends in no zero.
fn compress_block(plain: &[u8], out: &mut [u8]) -> Result<Option<usize>, SealError> {
    if plain.len() > MAX_BLOCK_BYTES {
        return Ok(None);
    }
    let size = BLOCKS.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => slot.insert(block_compressor()?),
        };
        context.compress2(out, plain).map_err(failed)
    })?;
    let Some((headers, block)) = out[..size].split_first_chunk::<HEADERS_BYTES>() else {
        return Ok(None);
    };
    let mut expected = headers_of(block.len());
    expected[WINDOW_AT] = headers[WINDOW_AT];
    if *headers != expected || block.last().is_none_or(|&last| last == 0) {
        return Ok(None);
    }
    out.copy_within(HEADERS_BYTES..size, 0);
    Ok(Some(size - HEADERS_BYTES))
}

/// Frame header and block header of a frame of one block.
fn headers_of(block_bytes: usize) -> [u8; HEADERS_BYTES] {
    let mut headers = [0; HEADERS_BYTES];
    let (frame, block) = headers.split_at_mut(FRAME_HEADER.len());
    frame.copy_from_slice(&FRAME_HEADER);
    // At most 128 KiB: 21 bits hold it.
    let header = LAST_COMPRESSED | (block_bytes as u32) << 3;
    block.copy_from_slice(&header.to_le_bytes()[..BLOCK_HEADER_BYTES]);
    headers
}

fn decompress_block(block: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if block.len() > MAX_BLOCK_BYTES {
        return Err(SealError::Malformed);
    }
    let mut frame = Zeroizing::new(Vec::with_capacity(HEADERS_BYTES + block.len()));
    frame.extend_from_slice(&headers_of(block.len()));
    frame.extend_from_slice(block);
    OPENER.with_borrow_mut(|slot| {
        let opener = match slot {
            Some(opener) => opener,
            None => {
                let mut context = DCtx::try_create().ok_or(SealError::Cipher)?;
                let dictionary = DECODER.as_ref().ok_or(SealError::Cipher)?;
                context.ref_ddict(dictionary).map_err(failed)?;
                // Pages that nothing was written to cost nothing.
                let plain = Zeroizing::new(vec![0; MAX_BLOCK_BYTES]);
                slot.insert(Opener { context, plain })
            }
        };
        let result = opener
            .context
            .decompress(opener.plain.as_mut_slice(), &frame);
        let Ok(size) = result else {
            opener.plain.as_mut_slice().zeroize();
            return Err(SealError::Malformed);
        };
        let plain = Zeroizing::new(opener.plain[..size].to_vec());
        // The decoder copies in strides and writes a little past the end; of
        // large content it keeps a part at the end of the buffer.
        let touched = if size < MAX_BLOCK_BYTES / 4 {
            size + 256
        } else {
            MAX_BLOCK_BYTES
        };
        opener.plain[..touched].zeroize();
        Ok(plain)
    })
}

/// Length and frame at the beginning of `out`.
fn compress_frame(plain: &[u8], out: &mut [u8]) -> Result<Option<usize>, SealError> {
    let size = FRAMES.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => {
                let mut new = CCtx::try_create().ok_or(SealError::Cipher)?;
                new.set_parameter(CParameter::CompressionLevel(ZSTD_LEVEL))
                    .map_err(failed)?;
                slot.insert(new)
            }
        };
        context
            .compress2(&mut out[LENGTH_BYTES..], plain)
            .map_err(failed)
    })?;
    out[..LENGTH_BYTES].copy_from_slice(&length(size)?);
    Ok(Some(LENGTH_BYTES + size))
}

fn decompress_frame(frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    // Checked before anything is allocated for it.
    let size = match zstd_safe::get_frame_content_size(frame) {
        Ok(Some(size)) if size <= MAX_PLAIN_BYTES as u64 => size as usize,
        _ => return Err(SealError::Malformed),
    };
    OPENED_FRAMES.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => slot.insert(DCtx::try_create().ok_or(SealError::Cipher)?),
        };
        let mut plain = Zeroizing::new(vec![0; size]);
        let written = context
            .decompress(plain.as_mut_slice(), frame)
            .map_err(|_| SealError::Malformed)?;
        if written != size {
            return Err(SealError::Malformed);
        }
        Ok(plain)
    })
}

#[cfg(test)]
mod tests;
