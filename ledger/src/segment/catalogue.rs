//! All segments of a ledger, found by shard and height.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::Block;
use crate::error::{LedgerError, OpenError};
use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::segment::cache::Cache;
use crate::segment::layout::Header;
use crate::segment::manifest::{SealedShard, SegmentInfo};
use crate::segment::path;
use crate::segment::read::{Segment, SegmentError};
use crate::shard::Head;

/// The sealed part of a ledger.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    dir: PathBuf,
    ledger: LedgerId,
    shards: BTreeMap<ShardId, SealedShard>,
    cache: Arc<Cache>,
}

impl Catalogue {
    pub(crate) fn new(
        dir: &Path,
        ledger: LedgerId,
        shards: BTreeMap<ShardId, SealedShard>,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            ledger,
            shards,
            cache: Arc::default(),
        }
    }

    /// The same files, and those that were sealed since.
    pub(crate) fn with(&self, shards: BTreeMap<ShardId, SealedShard>) -> Self {
        Self {
            shards,
            ..self.clone()
        }
    }

    pub(crate) fn shards(&self) -> &BTreeMap<ShardId, SealedShard> {
        &self.shards
    }

    /// The head at the end of the sealed part; `None` where nothing of the
    /// shard is known here.
    pub(crate) fn head(&self, shard: ShardId) -> Option<Head> {
        self.shards.get(&shard).map(|sealed| sealed.head)
    }

    /// How many blocks of a shard are sealed.
    pub(crate) fn blocks(&self, shard: ShardId) -> u64 {
        self.head(shard).map_or(0, |head| head.blocks)
    }

    /// The segment that a block lies in.
    pub(crate) fn locate(&self, shard: ShardId, height: u64) -> Option<&SegmentInfo> {
        let segments = &self.shards.get(&shard)?.segments;
        let after = segments.partition_point(|segment| segment.first_height <= height);
        let segment = segments.get(after.checked_sub(1)?)?;
        (height - segment.first_height < segment.blocks).then_some(segment)
    }

    fn segment(&self, shard: ShardId, info: &SegmentInfo) -> Result<Arc<Segment>, SegmentError> {
        if let Some(segment) = self.cache.get(shard, info.first_height) {
            return Ok(segment);
        }
        let segment = Arc::new(self.attach(shard, info)?);
        self.cache
            .put(shard, info.first_height, Arc::clone(&segment));
        Ok(segment)
    }

    /// Opens the file of a segment anew.
    pub(crate) fn attach(
        &self,
        shard: ShardId,
        info: &SegmentInfo,
    ) -> Result<Segment, SegmentError> {
        Segment::attach(&self.dir.join(path(shard, info.first_height)))
    }

    /// A sealed block; `None` where it is not sealed.
    pub(crate) fn block(&self, shard: ShardId, height: u64) -> Result<Option<Block>, LedgerError> {
        let Some(info) = self.locate(shard, height) else {
            return Ok(None);
        };
        let block = self
            .segment(shard, info)
            .and_then(|segment| segment.block(height))
            .map_err(|error| read_error(shard, height, info, error))?;
        block
            .ok_or_else(|| LedgerError::Damaged {
                fault: missing(shard, height),
            })
            .map(Some)
    }

    /// The height of the block that holds an entry; `None` where it is not
    /// sealed.
    pub(crate) fn find(&self, shard: ShardId, sequence: u64) -> Result<Option<u64>, LedgerError> {
        let Some(sealed) = self.shards.get(&shard) else {
            return Ok(None);
        };
        if sequence >= sealed.head.size {
            return Ok(None);
        }
        let after = sealed
            .segments
            .partition_point(|segment| segment.first_sequence <= sequence);
        let Some(info) = after.checked_sub(1).and_then(|at| sealed.segments.get(at)) else {
            return Ok(None);
        };
        self.segment(shard, info)
            .and_then(|segment| segment.find(sequence))
            .map(Some)
            .map_err(|error| read_error(shard, info.first_height, info, error))
    }

    /// Checks the header, the index, the end and the length of every file, and
    /// that the segments of a shard follow each other. Not the blocks.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        for (&shard, sealed) in &self.shards {
            let mut head = sealed.descriptor.origin(self.ledger);
            for info in &sealed.segments {
                let file = path(shard, info.first_height);
                let damaged = |what: String| OpenError::Damaged {
                    fault: Fault {
                        place: Place::File { path: file.clone() },
                        what,
                    },
                };
                let segment = match Segment::open(&self.dir.join(&file)) {
                    Ok(segment) => segment,
                    Err(SegmentError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(damaged("is missing".to_owned()));
                    }
                    Err(SegmentError::Io(error))
                        if error.kind() != io::ErrorKind::UnexpectedEof =>
                    {
                        return Err(OpenError::io("read", &self.dir.join(&file))(error));
                    }
                    Err(error) => return Err(damaged(error.to_string())),
                };
                self.check_one(sealed, &head, info, &segment)
                    .map_err(|what| damaged(what.to_owned()))?;
                head = segment.header().after;
            }
            if head != sealed.head {
                return Err(OpenError::Damaged {
                    fault: Fault {
                        place: Place::Shard { shard },
                        what: "its segments do not lead to the head that the manifest names"
                            .to_owned(),
                    },
                });
            }
        }
        Ok(())
    }

    /// Whether a file is the segment that the manifest names, after `head`.
    pub(crate) fn check_one(
        &self,
        sealed: &SealedShard,
        head: &Head,
        info: &SegmentInfo,
        segment: &Segment,
    ) -> Result<(), &'static str> {
        let header: &Header = segment.header();
        if header.ledger != self.ledger || header.descriptor.id() != sealed.descriptor.id() {
            return Err("it is another shard's");
        }
        if segment.length() != info.length || segment.digest() != info.digest {
            return Err("it is not the file that the manifest names");
        }
        if header.blocks() != info.blocks || header.entries() != info.entries {
            return Err("it does not hold what the manifest says");
        }
        if header.before != *head {
            return Err("it does not continue the segment before");
        }
        Ok(())
    }
}

fn missing(shard: ShardId, height: u64) -> Fault {
    Fault {
        place: Place::Block { shard, height },
        what: "it is missing".to_owned(),
    }
}

/// A segment that cannot be read: what is damaged, told from what the machine
/// refuses.
pub(crate) fn read_error(
    shard: ShardId,
    height: u64,
    info: &SegmentInfo,
    error: SegmentError,
) -> LedgerError {
    let file = path(shard, info.first_height);
    let (height, what) = match error {
        SegmentError::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ) =>
        {
            return LedgerError::Read {
                reason: format!("{}: {error}", file.display()),
            };
        }
        SegmentError::Block { height, source } => (height, source.to_string()),
        error => (height, error.to_string()),
    };
    LedgerError::Damaged {
        fault: Fault {
            place: Place::Block { shard, height },
            what: format!("{}: {what}", file.display()),
        },
    }
}
