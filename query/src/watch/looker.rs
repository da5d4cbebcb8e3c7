//! A watcher: looks at what is beyond its place, and moves on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use custody_ledger::ShardDescriptor;
use custody_ledger::id::{ShardId, SubjectReference};
use custody_proto::v1;
use custody_proto::v1::watch_response::What;
use prost::Message;

use super::blocks::{Blocks, NewBlock};
use super::place::{Places, TokenMaker};
use super::told::{Choice, Teller};
use crate::answer::watched::{Subject, shard_head};
use crate::answer::{QueryError, QueryState};
use crate::read_model::{EventRow, Visible, VisibleShard};

/// A look ends with the block in which it comes to so many messages, bytes or
/// blocks, so that watchers take turns.
const LOOK_MESSAGES: usize = 256;
const LOOK_BYTES: usize = 1 << 20;
const LOOK_BLOCKS: usize = 64;

/// A person is looked up again after so long, whatever the house shard says: a
/// crash may leave a link in the vault alone.
const LOOK_UP: Duration = Duration::from_secs(1);

/// A watcher that has begun.
pub struct Watching {
    pub(super) state: QueryState,
    pub(super) blocks: Arc<Blocks>,
    pub(super) choice: Choice,
    pub(super) tokens: TokenMaker,
    /// Everything below was told of.
    pub(super) places: Places,
    /// The next block of each shard to be looked at.
    pub(super) heights: HashMap<ShardId, u64>,
    /// Whom it is about; `None`: everybody.
    pub(super) whom: Option<Whom>,
    /// With which shard the next look begins.
    pub(super) turn: usize,
    /// How long it is silent at most.
    pub(crate) heartbeat: Duration,
}

/// A person who is watched.
pub(super) struct Whom {
    pub(super) identifier: String,
    pub(super) subject: Subject,
    /// The size of the house shard when the person was looked up last.
    pub(super) as_of: u64,
    /// And when that was.
    pub(super) looked_up: Instant,
}

/// What a look came to.
#[derive(Default)]
pub(crate) struct Look {
    /// What is told.
    pub(crate) messages: Vec<v1::WatchResponse>,
    /// Whether everything that is visible was looked at.
    pub(crate) is_done: bool,
    /// Whether the person has other references than before.
    pub(crate) is_somebody_else: bool,
}

impl Watching {
    /// Looks at what is visible beyond the place, up to a bound. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// What ends the stream: the person is gone, or something cannot be read.
    pub(crate) fn look(&mut self, visible: &Visible) -> Result<Look, QueryError> {
        let mut look = Look {
            is_somebody_else: self.look_up(visible)?,
            ..Look::default()
        };
        let shards: Vec<&VisibleShard> = visible.shards.values().collect();
        let (mut bytes, mut blocks) = (0, 0);
        // Shards take turns, a block each; a look goes on where the last ended.
        let mut idle = 0;
        while idle < shards.len() {
            if look.messages.len() >= LOOK_MESSAGES || bytes >= LOOK_BYTES || blocks >= LOOK_BLOCKS
            {
                return Ok(look);
            }
            let shard = shards[self.turn % shards.len()];
            self.turn = (self.turn + 1) % shards.len();
            let before = look.messages.len();
            if self.next_block(visible, shard, &mut look.messages)? {
                let told = look.messages[before..].iter();
                bytes += told.map(Message::encoded_len).sum::<usize>();
                blocks += 1;
                idle = 0;
            } else {
                idle += 1;
            }
        }
        look.is_done = true;
        Ok(look)
    }

    /// Says how far it has come.
    ///
    /// # Errors
    /// Where the token cannot be made.
    pub(crate) fn progress(&self, visible: &Visible) -> Result<v1::WatchResponse, QueryError> {
        let mut behind = 0;
        let shards = visible.shards.values().map(|shard| {
            let size = self.places.size(&shard.head.shard);
            behind += shard.head.size.saturating_sub(size);
            if size == shard.head.size {
                return shard_head(&shard.descriptor, &shard.head);
            }
            v1::ShardHead {
                shard: shard.head.shard.to_string(),
                topic: shard.descriptor.topic.clone(),
                partition: shard.descriptor.partition,
                epoch: shard.descriptor.epoch,
                size,
                ..v1::ShardHead::default()
            }
        });
        let shards = shards.collect();
        let signed = self.state.ledger.published();
        let head = v1::LedgerHead {
            shards,
            checkpoint: signed.map_or_else(Vec::new, |it| it.note.clone().into_bytes()),
        };
        let references = self.whom.iter().flat_map(|whom| whom.subject.references());
        Ok(v1::WatchResponse {
            what: Some(What::Progress(v1::WatchProgress {
                head: Some(head),
                behind,
                references: references.map(|it| it.to_string()).collect(),
            })),
            resume_token: self.tokens.make(&self.places)?,
        })
    }

    /// Looks the person up again where the house shard has moved, and says
    /// whether the references are others now.
    ///
    /// A link is in the vault before it is in the house shard, and there before
    /// the event that brought it: who looks the person up once an event is
    /// visible finds whose it is.
    fn look_up(&mut self, visible: &Visible) -> Result<bool, QueryError> {
        let house = visible.size(&ShardDescriptor::house().id());
        let Some(whom) = &mut self.whom else {
            return Ok(false);
        };
        if whom.as_of == house && whom.looked_up.elapsed() < LOOK_UP {
            return Ok(false);
        }
        let subject = Subject::find(&self.state, &whom.identifier)?;
        let before: BTreeSet<SubjectReference> = whom.subject.references().collect();
        let now: BTreeSet<SubjectReference> = subject.references().collect();
        whom.subject = subject;
        whom.as_of = house;
        whom.looked_up = Instant::now();
        Ok(before != now)
    }

    /// Looks at the next block of a shard, where there is one.
    fn next_block(
        &mut self,
        visible: &Visible,
        shard: &VisibleShard,
        messages: &mut Vec<v1::WatchResponse>,
    ) -> Result<bool, QueryError> {
        let (id, height) = (shard.head.shard, self.next_height(shard)?);
        if height >= shard.head.blocks {
            return Ok(false);
        }
        let block = self.blocks.get(&self.state.ledger, id, height)?;
        self.block(visible, id, &block, messages)?;
        self.heights.insert(id, height + 1);
        Ok(true)
    }

    /// The first block that holds something beyond the place.
    fn next_height(&mut self, shard: &VisibleShard) -> Result<u64, QueryError> {
        let id = shard.head.shard;
        if let Some(height) = self.heights.get(&id) {
            return Ok(*height);
        }
        let size = self.places.size(&id);
        let height = match size {
            0 => 0,
            size if size >= shard.head.size => shard.head.blocks,
            size => {
                let found = self.state.ledger.find_block(id, size)?;
                found.ok_or(QueryError::EntryMissing {
                    shard: id,
                    sequence: size,
                })?
            }
        };
        self.heights.insert(id, height);
        Ok(height)
    }

    fn block(
        &mut self,
        visible: &Visible,
        shard: ShardId,
        block: &NewBlock,
        messages: &mut Vec<v1::WatchResponse>,
    ) -> Result<(), QueryError> {
        let Self {
            state,
            choice,
            tokens,
            places,
            whom,
            ..
        } = self;
        let subject = whom.as_ref().map(|whom| &whom.subject);
        let rows: Vec<&EventRow> = match subject {
            None => block.rows.iter().collect(),
            Some(subject) => block.rows_of(subject.references()),
        };
        if !rows.is_empty() {
            let mut teller = Teller::new(state, visible, subject);
            for row in rows {
                let sequence = row.place.sequence;
                if sequence < places.size(&shard) {
                    continue;
                }
                let told_before = if sequence == places.size(&shard) {
                    places.told(&shard)
                } else {
                    0
                };
                let told = teller.tell(choice, row)?;
                let last = told.len();
                for (index, what) in told.into_iter().enumerate() {
                    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                    if number <= told_before {
                        continue;
                    }
                    if index + 1 == last {
                        places.reach(shard, sequence + 1);
                    } else {
                        places.reach_within(shard, sequence, number);
                    }
                    messages.push(v1::WatchResponse {
                        what: Some(what),
                        resume_token: tokens.make(places)?,
                    });
                }
                places.reach(shard, sequence + 1);
            }
        }
        if block.size_after > places.size(&shard) {
            places.reach(shard, block.size_after);
        }
        Ok(())
    }
}
