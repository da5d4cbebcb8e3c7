//! What was taken back or judged again, as far as can be told without a look
//! into the store.

use std::collections::HashSet;

use custody_ledger::entry::EntryRef;
use custody_ledger::id::{EventTag, SubjectReference};
use parking_lot::RwLock;

/// Which events were taken back and which entries were judged again, as far as
/// 64 random bits tell them apart: few are, and the others need no look into
/// the store.
#[derive(Default)]
pub(super) struct Touched(RwLock<HashSet<u64>>);

impl Touched {
    pub(super) fn add(
        &self,
        retracted: impl Iterator<Item = (SubjectReference, EventTag)>,
        rejudged: impl Iterator<Item = EntryRef>,
    ) {
        let mut known = self.0.write();
        for (subject, tag) in retracted {
            known.insert(head_of(&subject.0));
            known.insert(head_of(&subject.0) ^ head_of(&tag.0).rotate_left(1));
        }
        for of in rejudged {
            known.insert(entry_hash(&of));
        }
    }

    /// `false` where no event of this person was taken back.
    pub(super) fn may_have_retracted(&self, subject: &SubjectReference) -> bool {
        self.0.read().contains(&head_of(&subject.0))
    }

    /// `false` where this event was not taken back.
    pub(super) fn may_be_retracted(&self, subject: &SubjectReference, tag: &EventTag) -> bool {
        let hash = head_of(&subject.0) ^ head_of(&tag.0).rotate_left(1);
        self.0.read().contains(&hash)
    }

    /// `false` where this entry was not judged again.
    pub(super) fn may_be_rejudged(&self, of: &EntryRef) -> bool {
        self.0.read().contains(&entry_hash(of))
    }
}

fn head_of(bytes: &[u8; 16]) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(head)
}

fn entry_hash(of: &EntryRef) -> u64 {
    head_of(&of.shard.0) ^ of.sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
