//! Where the blocks of each shard lie: in segments, then in databases.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::fault::{Fault, Place};
use crate::id::{LedgerId, ShardId};
use crate::segment::{self, Manifest, Segment, SegmentError, SegmentInfo};
use crate::shard::{Head, ShardDescriptor};
use crate::store::Store;
use crate::verify::block;
use crate::verify::meter::Meter;
use crate::verify::report::VerifyReport;
use crate::verify::span::{Span, Stops};

/// Where the blocks of a ledger lie.
pub(super) struct Sources {
    pub(super) dir: PathBuf,
    pub(super) ledger: LedgerId,
    pub(super) shards: BTreeMap<ShardId, Source>,
    /// Copies of the databases, in the order in which they were written.
    stores: Vec<Store>,
    /// Whether all databases that the manifest names could be opened. What is
    /// not there is lost only where they could.
    pub(super) complete: bool,
}

/// Where the blocks of one shard lie.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) descriptor: ShardDescriptor,
    pub(super) segments: Vec<SegmentInfo>,
    /// The head at the end of the segments, as the manifest names it.
    pub(super) sealed: Head,
}

impl Sources {
    pub(super) fn new(dir: &Path, ledger: LedgerId, manifest: Manifest) -> Self {
        let shards = manifest.shards.into_iter().map(|(shard, sealed)| {
            let source = Source {
                descriptor: sealed.descriptor,
                segments: sealed.segments,
                sealed: sealed.head,
            };
            (shard, source)
        });
        Self {
            dir: dir.to_owned(),
            ledger,
            shards: shards.collect(),
            stores: Vec::new(),
            complete: true,
        }
    }

    /// Adds a database, and the shards that only it has.
    pub(super) fn add_store(&mut self, store: Store, report: &mut VerifyReport) {
        let stored = match store.shards() {
            Ok(stored) => stored,
            Err(error) => {
                self.complete = false;
                return report.fault(Place::Store, &format!("the shards cannot be read: {error}"));
            }
        };
        for (shard, bytes) in stored {
            let place = Place::Shard { shard };
            match ShardDescriptor::decode(&bytes) {
                Ok(descriptor) if descriptor.id() == shard => {
                    let sealed = descriptor.origin(self.ledger);
                    self.shards.entry(shard).or_insert(Source {
                        descriptor,
                        segments: Vec::new(),
                        sealed,
                    });
                }
                Ok(_) => report.fault(place, "its descriptor is another shard's"),
                Err(error) => {
                    report.fault(place, &format!("its descriptor is damaged: {error}"));
                }
            }
        }
        self.stores.push(store);
    }

    /// Names the shards that have blocks in a database and no descriptor.
    pub(super) fn report_orphans(&self, report: &mut VerifyReport) {
        let known: BTreeSet<ShardId> = self.shards.keys().copied().collect();
        for store in &self.stores {
            match store.orphans(&known) {
                Ok(orphans) => {
                    for shard in orphans {
                        report.fault(Place::Shard { shard }, "it has blocks and no descriptor");
                    }
                }
                Err(error) => report.fault(Place::Store, &error.to_string()),
            }
        }
    }

    /// Checks one segment, from the head that it says it begins at.
    pub(super) fn check_segment(
        &self,
        source: &Source,
        info: &SegmentInfo,
        stops: &Stops,
        meter: &Meter<'_>,
    ) -> (Span, Option<Fault>) {
        let shard = source.sealed.shard;
        let path = segment::path(shard, info.first_height);
        let fault = |what: String| Fault {
            place: Place::File { path: path.clone() },
            what,
        };
        let nothing = || Span::starting_at(source.descriptor.origin(self.ledger));
        let segment = match Segment::attach(&self.dir.join(&path)) {
            Ok(segment) => segment,
            Err(error) => return (nothing(), Some(fault(unreadable(&error)))),
        };
        let header = segment.header();
        if header.ledger != self.ledger {
            return (nothing(), Some(fault("it belongs to another ledger".to_owned())));
        }
        if header.before.shard != shard {
            return (nothing(), Some(fault("it belongs to another shard".to_owned())));
        }
        let mut span = Span::starting_at(header.before);
        let walked = segment.walk(|_, bytes| {
            block::take_in(self.ledger, stops, &mut span, &bytes).map_err(Walk::Block)?;
            meter.block(0);
            Ok(())
        });
        meter.file(segment.length());
        let found = match walked {
            Err(Walk::Block(found)) => Some(found),
            Err(Walk::Segment(SegmentError::Block { height, source })) => Some(Fault {
                place: Place::Block { shard, height },
                what: source.to_string(),
            }),
            Err(Walk::Segment(error)) => Some(fault(unreadable(&error))),
            Ok(()) if span.head != header.after => Some(fault(
                "its blocks do not lead to the head that it says it ends at".to_owned(),
            )),
            Ok(()) if segment.length() != info.length || segment.digest() != info.digest => {
                Some(fault("it is not the file that the manifest names".to_owned()))
            }
            Ok(())
                if header.before.blocks != info.first_height
                    || header.blocks() != info.blocks
                    || header.before.size != info.first_sequence
                    || header.entries() != info.entries =>
            {
                Some(fault("it does not hold what the manifest says".to_owned()))
            }
            Ok(()) => None,
        };
        (span, found)
    }

    /// Checks what is not sealed of a shard.
    pub(super) fn check_tail(
        &self,
        source: &Source,
        stops: &Stops,
        meter: &Meter<'_>,
    ) -> (Span, Option<Fault>) {
        let mut span = Span::starting_at(source.sealed);
        let fault = self.walk_tail(&mut span, stops, meter).err();
        (span, fault)
    }

    fn walk_tail(&self, span: &mut Span, stops: &Stops, meter: &Meter<'_>) -> Result<(), Fault> {
        let shard = span.head.shard;
        for store in &self.stores {
            let last = store.last_height(shard).map_err(|error| Fault {
                place: Place::Shard { shard },
                what: error.to_string(),
            })?;
            let end = last.map_or(0, |last| last.saturating_add(1));
            while span.head.blocks < end {
                let height = span.head.blocks;
                let at = |what: String| Fault {
                    place: Place::Block { shard, height },
                    what,
                };
                let bytes = store
                    .block(shard, height)
                    .map_err(|error| at(error.to_string()))?
                    .ok_or_else(|| at("it is missing".to_owned()))?;
                block::take_in(self.ledger, stops, span, &bytes)?;
                meter.block(bytes.len() as u64);
            }
        }
        Ok(())
    }
}

fn unreadable(error: &SegmentError) -> String {
    match error {
        SegmentError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "is missing".to_owned()
        }
        SegmentError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it is cut short".to_owned()
        }
        SegmentError::Io(error) => format!("cannot be read: {error}"),
        error => error.to_string(),
    }
}

/// Why a walk ended early.
enum Walk {
    Segment(SegmentError),
    Block(Fault),
}

impl From<SegmentError> for Walk {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}
