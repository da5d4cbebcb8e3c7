//! One shard as the notary follows it: what was read again from the disk, and
//! the tree and the map over it.

use std::sync::Arc;

use custody_proof::chain;
use custody_proof::checkpoint::Counts;
use custody_proof::entry::Outline;

use crate::block::{Block, GapCause};
use crate::fault::{Fault, Place};
use crate::id::{Digest, LedgerId};
use crate::map::ShardMap;
use crate::notary::NotaryError;
use crate::notary::sign::SignedHead;
use crate::shard::{Head, ShardDescriptor};
use crate::succession::{self, Epochs};
use crate::tree::{StoredLeaves, Tree};

/// A shard's tree and map, up to the last block that was read again.
pub(crate) struct ShardLog {
    pub(super) descriptor: ShardDescriptor,
    /// What was signed of it last.
    pub(super) signed: Option<SignedHead>,
    /// After the last block that was read again.
    pub(super) head: Head,
    pub(super) tree: Tree,
    pub(super) map: ShardMap,
    pub(super) counts: Counts,
    /// Blocks below this height are in `counts` already.
    pub(super) counted_blocks: u64,
    /// Entries below this sequence are in the map already.
    pub(super) mapped_size: u64,
    /// How many entries the map's saved state lacks.
    pub(super) unsaved: u64,
}

impl ShardLog {
    /// Takes in the block that follows, after everything in it has been
    /// computed anew from its bytes.
    ///
    /// # Errors
    /// What is wrong with it; the log stays as it was.
    pub(super) fn advance(&mut self, ledger: LedgerId, block: &Block) -> Result<(), NotaryError> {
        let (shard, height) = (self.head.shard, self.head.blocks);
        let at = |what: String| Fault {
            place: Place::Block { shard, height },
            what,
        };
        // Whether a new epoch has a reason was looked at before the block was
        // taken.
        succession::check_header(ledger, Epochs::SameOrResumed, &self.head, &block.header)
            .map_err(|error| at(error.to_string()))?;
        let links = links(self.head.chain_head, block).map_err(at)?;
        for (sequence, (link, outline)) in (self.head.size..).zip(&links) {
            if sequence >= self.tree.size() {
                self.tree.push(link);
            }
            if let Some(subject) = outline.subject
                && sequence >= self.mapped_size
            {
                self.map
                    .touch(subject, sequence, *link)
                    .map_err(|error| NotaryError::map(shard, &error))?;
            }
        }
        if height >= self.counted_blocks {
            self.count(block);
        }
        self.head = block.head_after();
        self.mapped_size = self.mapped_size.max(self.head.size);
        self.unsaved += links.len() as u64;
        Ok(())
    }

    fn count(&mut self, block: &Block) {
        let header = &block.header;
        let counts = &mut self.counts;
        counts.entries += u64::from(header.entries);
        // Offsets bound these.
        counts.duplicates = counts.duplicates.saturating_add(header.duplicates);
        counts.rejected = counts.rejected.saturating_add(header.rejected);
        for (sum, cause) in [
            (
                &mut counts.control_or_compacted,
                GapCause::ControlOrCompacted,
            ),
            (&mut counts.lost_to_retention, GapCause::LostToRetention),
            (&mut counts.unknown, GapCause::Unknown),
        ] {
            *sum = sum.saturating_add(header.gaps[cause.index()]);
        }
        self.counted_blocks = header.height + 1;
    }
}

/// The ledger's own log, of manifests.
pub(super) struct LedgerLog {
    pub(super) tree: Tree,
    pub(super) leaves: Arc<StoredLeaves>,
}

/// h(i) of every entry of a block, which must end in what its header says, and
/// what the entry says first.
fn links(mut chain_head: Digest, block: &Block) -> Result<Vec<(Digest, Outline)>, String> {
    let mut links = Vec::with_capacity(block.header.entries as usize);
    for stored in block.stored_entries() {
        let (sequence, bytes) = stored.map_err(|error| error.to_string())?;
        chain_head = chain::link(chain_head, bytes);
        let outline = Outline::read(bytes).map_err(|error| format!("entry {sequence}: {error}"))?;
        links.push((chain_head, outline));
    }
    if chain_head != block.header.chain_head {
        return Err("the chain over its entries differs".to_owned());
    }
    if links.len() as u64 != u64::from(block.header.entries) {
        return Err(format!(
            "it has {} entries, and counts {}",
            links.len(),
            block.header.entries
        ));
    }
    Ok(links)
}
