//! Whether a block continues its shard.

use crate::block::{Block, BlockHeader};
use crate::chain;
use crate::error::DecodeError;
use crate::id::LedgerId;
use crate::shard::Head;

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Break {
    #[error("it belongs to another ledger")]
    Ledger,
    #[error("it belongs to another shard")]
    Shard,
    #[error("it is of epoch {found}, which cannot follow epoch {expected} here")]
    Epoch { expected: u32, found: u32 },
    #[error("its height is {found}, not {expected}")]
    Height { expected: u64, found: u64 },
    #[error("the digest of the block before differs")]
    Previous,
    #[error("its first sequence is {found}, not {expected}")]
    Sequence { expected: u64, found: u64 },
    #[error("its first offset is {found:?}, not {expected:?}")]
    Offset {
        expected: Option<i64>,
        found: Option<i64>,
    },
    #[error("its recorded time is before that of the block before")]
    RecordedTime,
    #[error("it accounts for nothing, and begins no epoch")]
    Empty,
    #[error("its entries cannot be told apart: {0}")]
    Entries(DecodeError),
    #[error("the chain over its entries differs")]
    Chain,
}

/// Which epochs may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epochs {
    /// The head's only: an ordinary append.
    Same,
    /// The head's or a greater one: a stored block may begin a resumption.
    SameOrResumed,
    /// A greater one only: the append that begins a resumption.
    Resumed,
}

impl Epochs {
    fn allow(self, head: u32, block: u32) -> bool {
        match self {
            Self::Same => block == head,
            Self::SameOrResumed => block >= head,
            Self::Resumed => block > head,
        }
    }
}

/// Whether a block with this header may follow `head`.
pub(crate) fn check_header(
    ledger: LedgerId,
    epochs: Epochs,
    head: &Head,
    block: &BlockHeader,
) -> Result<(), Break> {
    let broken = if block.ledger != ledger {
        Break::Ledger
    } else if block.shard != head.shard {
        Break::Shard
    } else if !epochs.allow(head.epoch, block.epoch) {
        Break::Epoch {
            expected: head.epoch,
            found: block.epoch,
        }
    } else if block.height != head.blocks {
        Break::Height {
            expected: head.blocks,
            found: block.height,
        }
    } else if block.previous != head.block_digest {
        Break::Previous
    } else if block.first_sequence != head.size {
        Break::Sequence {
            expected: head.size,
            found: block.first_sequence,
        }
    } else if block.first_offset != head.next_offset {
        Break::Offset {
            expected: head.next_offset,
            found: block.first_offset,
        }
    } else if block.recorded_time_ns < head.recorded_time_ns {
        Break::RecordedTime
    } else if block.is_empty() && block.epoch == head.epoch {
        Break::Empty
    } else {
        return Ok(());
    };
    Err(broken)
}

/// Whether the block's entries make the chain that its header says.
pub(crate) fn check_chain(head: &Head, block: &Block) -> Result<(), Break> {
    let mut chain_head = head.chain_head;
    for stored in block.stored_entries() {
        chain_head = chain::link(chain_head, stored.map_err(Break::Entries)?.1);
    }
    if chain_head == block.header.chain_head {
        Ok(())
    } else {
        Err(Break::Chain)
    }
}
