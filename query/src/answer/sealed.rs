//! Opening what was sealed, for the view `FULL`.

use std::collections::VecDeque;

use custody_ledger::Block;
use custody_ledger::entry::{Entry, EntryView};
use custody_ledger::id::ShardId;
use custody_proto::sealed::SealedMessage;
use custody_proto::v1;
use custody_vault::{EntryContext, Person};

use super::QueryState;
use super::error::QueryError;
use super::scope::{Scope, Seen};
use crate::read_model::{EventRow, Place, StoredEvent};

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
        let person = &scope.subject.persons[seen.person];
        self.open_row(scope.state, person, &seen.row)
    }

    /// The same of a row as it is stored, of one of the scope's persons.
    pub(crate) fn open_stored(
        &mut self,
        scope: &Scope<'_>,
        person: usize,
        stored: &StoredEvent,
    ) -> Result<Option<v1::SealedPart>, QueryError> {
        if !stored.has_sealed {
            return Ok(None);
        }
        let person = &scope.subject.persons[person];
        self.open_at(scope.state, person, stored.place, stored.height)
    }

    /// The same of a row whose person is at hand.
    pub(crate) fn open_row(
        &mut self,
        state: &QueryState,
        person: &Person,
        row: &EventRow,
    ) -> Result<Option<v1::SealedPart>, QueryError> {
        if !row.has_sealed {
            return Ok(None);
        }
        self.open_at(state, person, row.place, row.height)
    }

    fn open_at(
        &mut self,
        state: &QueryState,
        person: &Person,
        place: Place,
        height: u64,
    ) -> Result<Option<v1::SealedPart>, QueryError> {
        let unreadable = || QueryError::Sealed {
            shard: place.shard,
            sequence: place.sequence,
        };
        let sealed = self.sealed_bytes(state, place, height)?;
        let context = EntryContext {
            ledger: state.ledger.id().0,
            shard: place.shard.0,
            sequence: place.sequence,
        };
        // Neither error says more: what does not open may hold anything.
        let plain = person.open(&context, &sealed).map_err(|_| unreadable())?;
        let message = SealedMessage::from_bytes(&plain).map_err(|_| unreadable())?;
        let event = message.reopen().map_err(|_| unreadable())?;
        Ok(Some(event.into()))
    }

    fn sealed_bytes(
        &mut self,
        state: &QueryState,
        place: Place,
        height: u64,
    ) -> Result<Vec<u8>, QueryError> {
        let block = self.block(state, place.shard, height)?;
        let missing = QueryError::EntryMissing {
            shard: place.shard,
            sequence: place.sequence,
        };
        let index = place.sequence.checked_sub(block.header.first_sequence);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let Some(stored) = index.and_then(|index| block.stored_entries().nth(index)) else {
            return Err(missing);
        };
        let (_, stored) = stored?;
        match EntryView::read(stored)? {
            Some(view) => Ok(view.sealed.to_vec()),
            None => Ok(Entry::decode(stored)?.sealed),
        }
    }

    fn block(
        &mut self,
        state: &QueryState,
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
                let block = state.ledger.read_block(shard, height)?;
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
