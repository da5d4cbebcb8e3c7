//! Sealing: blocks into a segment file, and that file checked as it lies on
//! the disk.

use std::fs;
use std::io;
use std::path::Path;

use crate::block::Block;
use crate::durable;
use crate::error::Step;
use crate::fault::{Fault, Place};
use crate::ledger::Steps;
use crate::segment;
use crate::segment::layout::Header;
use crate::segment::manifest::SegmentInfo;
use crate::segment::read::{Segment, SegmentError};
use crate::segment::write::{Compression, Writer};
use crate::succession::{self, Epochs};

/// What stopped a sealing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The machine did; it can be tried again.
    #[error("{step} failed: {source}")]
    Io { step: Step, source: io::Error },
    /// What is on disk is not what was committed.
    #[error("{0}")]
    Damaged(Fault),
}

impl SealError {
    pub(crate) fn io(step: Step) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { step, source }
    }
}

/// Writes the blocks that `read` gives, from the head before to the head
/// after, and checks what was written. Nothing names the file yet.
pub(crate) fn segment(
    dir: &Path,
    header: &Header,
    compression: Compression,
    steps: &Steps,
    mut read: impl FnMut(u64) -> Result<Vec<u8>, SealError>,
) -> Result<SegmentInfo, SealError> {
    let shard = header.before.shard;
    let path = dir.join(segment::path(shard, header.before.blocks));
    let new = path.with_extension("new");
    let mut damaged = None;
    let mut written = None;
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
            // The name of the shard's directory.
            parent.parent().map_or(Ok(()), durable::sync_dir)?;
        }
        let mut writer = Writer::create(&new, header, compression)?;
        for height in header.before.blocks..header.after.blocks {
            match read(height) {
                Ok(block) => writer.push(&block)?,
                Err(SealError::Io { source, .. }) => return Err(source),
                Err(error) => {
                    damaged = Some(error);
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        written = Some(writer.finish()?);
        Ok(())
    };
    let result = steps.take_or_tear(Step::SegmentWrite, write, || tear(&new));
    if let Some(error) = damaged {
        return Err(error);
    }
    result.map_err(SealError::io(Step::SegmentWrite))?;
    let Some(written) = written else {
        return Err(SealError::io(Step::SegmentWrite)(
            io::ErrorKind::Other.into(),
        ));
    };
    let name = || {
        written.file.sync_all()?;
        fs::rename(&new, &path)?;
        path.parent().map_or(Ok(()), durable::sync_dir)
    };
    steps
        // Named, and not all of it on disk.
        .take_or_tear(Step::SegmentSync, name, || tear(&path))
        .map_err(SealError::io(Step::SegmentSync))?;
    let info = SegmentInfo {
        first_height: header.before.blocks,
        blocks: header.blocks(),
        first_sequence: header.before.size,
        entries: header.entries(),
        length: written.length,
        digest: written.digest,
    };
    drop(written.file);
    let mut checked = Ok(());
    steps
        .take(Step::Reread, || {
            checked = check(dir, header, &info);
            Ok(())
        })
        .map_err(SealError::io(Step::Reread))?;
    checked?;
    Ok(info)
}

/// Leaves half of a file.
fn tear(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(file.metadata()?.len() / 2)
}

/// Reads a segment as it lies on the disk and computes anew what ties it
/// together: checksums, the digests of blocks and their succession, from the
/// head before to the head after.
fn check(dir: &Path, header: &Header, info: &SegmentInfo) -> Result<(), SealError> {
    let shard = header.before.shard;
    let relative = segment::path(shard, header.before.blocks);
    let whole = |what: String| {
        SealError::Damaged(Fault {
            place: Place::File {
                path: relative.clone(),
            },
            what,
        })
    };
    let at = |height: u64, what: String| {
        SealError::Damaged(Fault {
            place: Place::Block { shard, height },
            what,
        })
    };
    let failed = |error: SegmentError| match error {
        // Cut short is damaged; anything else is the machine's.
        SegmentError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            SealError::io(Step::Reread)(source)
        }
        SegmentError::Block { height, source } => at(height, source.to_string()),
        error => whole(error.to_string()),
    };
    // A descriptor of its own, and no page that is still in memory from
    // writing.
    let segment = Segment::attach(&dir.join(&relative)).map_err(failed)?;
    segment.forget_cached();
    let is_the_one = segment.header() == header
        && segment.length() == info.length
        && segment.digest() == info.digest;
    if !is_the_one {
        return Err(whole("it is not the one that was written".to_owned()));
    }
    let mut head = header.before;
    let walked = segment.walk(|walked| {
        let height = walked.height;
        let block = Block::from_stored(walked.bytes.to_vec())
            .map_err(|error| Walk::Broken(height, error.to_string()))?;
        // The block's digest is over its entries too, so the chain in its
        // header is that of these bytes as it was when they were committed.
        succession::check_header(header.ledger, Epochs::SameOrResumed, &head, &block.header)
            .map_err(|error| Walk::Broken(height, error.to_string()))?;
        head = block.head_after();
        Ok(())
    });
    match walked {
        Ok(()) => {}
        Err(Walk::Segment(error)) => return Err(failed(error)),
        Err(Walk::Broken(height, what)) => return Err(at(height, what)),
    }
    if head != header.after {
        let what = "its blocks do not lead to the head that was committed";
        return Err(whole(what.to_owned()));
    }
    Ok(())
}

/// Why a walk ended early.
enum Walk {
    Segment(SegmentError),
    Broken(u64, String),
}

impl From<SegmentError> for Walk {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}
