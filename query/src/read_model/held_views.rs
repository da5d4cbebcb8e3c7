//! Kept rows as they stood at heads of a little while ago. The pages of an
//! answer rest on the head of the first; without this the second would have to
//! be added up from all entries as soon as anything came in between.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use custody_ledger::id::ShardId;

use super::store::View;
use super::visible::Visible;

/// So many heads are remembered.
const HEADS: usize = 64;

/// For so long after the last page that was asked for. What is remembered keeps
/// the store from giving up what was overwritten since.
const WHILE: Duration = Duration::from_secs(300);

/// How far each shard was, without those that were empty.
type Sizes = Vec<(ShardId, u64)>;

/// Kept rows at heads of a little while ago, the last one asked for last.
#[derive(Default)]
pub(super) struct HeldViews(VecDeque<(Instant, Sizes, View)>);

impl HeldViews {
    pub(super) fn hold(&mut self, visible: &Visible) {
        let Some(view) = &visible.view else {
            return;
        };
        let sizes = sizes(visible);
        self.0
            .retain(|(since, known, _)| *known != sizes && since.elapsed() < WHILE);
        if self.0.len() == HEADS {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), sizes, view.clone()));
    }

    /// The same heads with kept rows, where it is known how they stood: now, or
    /// a little while ago.
    pub(super) fn give(&mut self, mut head: Visible, now: &Visible) -> Visible {
        self.0.retain(|(since, ..)| since.elapsed() < WHILE);
        let wanted = sizes(&head);
        head.view = if sizes(now) == wanted {
            now.view.clone()
        } else {
            let known = self.0.iter().find(|(_, sizes, _)| *sizes == wanted);
            known.map(|(.., view)| view.clone())
        };
        head
    }
}

fn sizes(visible: &Visible) -> Sizes {
    let shards = visible.shards.iter();
    let sizes = shards.map(|(shard, visible)| (*shard, visible.head.size));
    sizes.filter(|(_, size)| *size > 0).collect()
}
