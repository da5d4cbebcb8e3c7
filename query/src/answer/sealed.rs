//! Opening what was sealed, for the view `FULL`.

use std::collections::VecDeque;

use custody_ledger::Block;
use custody_ledger::id::ShardId;
use custody_proto::sealed::SealedMessage;
use custody_proto::v1;
use custody_vault::EntryContext;

use super::error::QueryError;
use super::scope::{Scope, Seen};

/// How many blocks are kept at hand: a person's entries often share one.
const KEPT_BLOCKS: usize = 16;

/// Reads sealed parts from the ledger and opens them.
#[derive(Default)]
pub(crate) struct Opener {
    blocks: VecDeque<(ShardId, u64, Block)>,
}

impl Opener {
    /// What was sealed of a row; `None` where nothing was.
    pub(crate) fn open(
        &mut self,
        scope: &Scope<'_>,
        seen: &Seen,
    ) -> Result<Option<v1::SealedPart>, QueryError> {
        if !seen.row.has_sealed {
            return Ok(None);
        }
        let place = seen.row.place;
        let unreadable = || QueryError::Sealed {
            shard: place.shard,
            sequence: place.sequence,
        };
        let sealed = self.sealed_bytes(scope, seen)?;
        let context = EntryContext {
            ledger: scope.state.ledger.id().0,
            shard: place.shard.0,
            sequence: place.sequence,
        };
        let person = &scope.subject.persons[seen.person];
        // Neither error says more: what does not open may hold anything.
        let plain = person.open(&context, &sealed).map_err(|_| unreadable())?;
        let message = SealedMessage::from_bytes(&plain).map_err(|_| unreadable())?;
        let event = message.reopen().map_err(|_| unreadable())?;
        Ok(Some(event.into()))
    }

    fn sealed_bytes(&mut self, scope: &Scope<'_>, seen: &Seen) -> Result<Vec<u8>, QueryError> {
        let place = seen.row.place;
        let block = self.block(scope, place.shard, seen.row.height)?;
        let missing = QueryError::EntryMissing {
            shard: place.shard,
            sequence: place.sequence,
        };
        let index = place.sequence.checked_sub(block.header.first_sequence);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let Some(entry) = index.and_then(|index| block.entries().nth(index)) else {
            return Err(missing);
        };
        Ok(entry?.1.sealed)
    }

    fn block(
        &mut self,
        scope: &Scope<'_>,
        shard: ShardId,
        height: u64,
    ) -> Result<&Block, QueryError> {
        let kept = self
            .blocks
            .iter()
            .position(|(s, h, _)| (*s, *h) == (shard, height));
        let index = match kept {
            Some(index) => index,
            None => {
                let block = scope.state.ledger.read_block(shard, height)?;
                let block = block
                    .ok_or(crate::read_model::ReadModelError::MissingBlock { shard, height })?;
                if self.blocks.len() == KEPT_BLOCKS {
                    self.blocks.pop_front();
                }
                self.blocks.push_back((shard, height, block));
                self.blocks.len() - 1
            }
        };
        Ok(&self.blocks[index].2)
    }
}
