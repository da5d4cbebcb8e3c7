//! The recent map, in memory.
//!
//! A binary trie without nodes of one child (a crit-bit tree): n records have
//! n - 1 inner nodes. The levels between two nodes, of which the other side is
//! empty, are hashed in one go when the lower node changes. Two arenas without
//! holes: 100 bytes a person, and an eighth to grow.

use custody_proof::map::{
    EMPTY, MAX_DEPTH, MapProof, Record, Terminal, bit, common_bits, leaf_hash, node_hash,
};
use custody_proof::tree::Hash;
use custody_proof::{ProofError, id::SubjectReference};

/// The most records: links have a bit less than 32.
pub(super) const MAX_RECORDS: usize = (1 << 31) - 1;

const LEAF: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link(u32);

#[derive(Clone, Copy)]
enum To {
    Leaf(usize),
    Inner(usize),
}

impl Link {
    const fn leaf(index: usize) -> Self {
        Self(index as u32 | LEAF)
    }

    const fn to(self) -> To {
        if self.0 & LEAF == 0 {
            To::Inner(self.0 as usize)
        } else {
            To::Leaf((self.0 & !LEAF) as usize)
        }
    }
}

#[derive(Debug)]
struct Inner {
    /// Of the subtree as its parent has it: just below the parent's bit.
    hash: Hash,
    children: [Link; 2],
    /// Where the paths of its records part.
    depth: u8,
    dirty: bool,
}

const _: () = assert!(size_of::<Inner>() == 44 && size_of::<Record>() == 56);

/// A map that is changed record by record, and hashed where it has changed.
#[derive(Debug, Default)]
pub(super) struct Trie {
    root: Option<Link>,
    leaves: Vec<Record>,
    inner: Vec<Inner>,
    /// The inner nodes down to the leaf last looked for.
    path: Vec<u32>,
}

impl Trie {
    pub(super) fn len(&self) -> usize {
        self.leaves.len()
    }

    /// How many bytes are allocated.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.leaves.capacity() * size_of::<Record>() + self.inner.capacity() * size_of::<Inner>()
    }

    pub(super) fn get(&self, reference: &SubjectReference) -> Option<&Record> {
        let mut link = self.root?;
        loop {
            match link.to() {
                To::Leaf(index) => {
                    let record = &self.leaves[index];
                    return (record.reference == *reference).then_some(record);
                }
                To::Inner(index) => link = self.inner[index].child(reference),
            }
        }
    }

    /// Puts a record in place of that of the same person.
    pub(super) fn insert(&mut self, record: Record) {
        let Some(mut link) = self.root else {
            push(&mut self.leaves, record);
            self.root = Some(Link::leaf(0));
            return;
        };
        self.path.clear();
        let nearest = loop {
            match link.to() {
                To::Leaf(index) => break index,
                To::Inner(index) => {
                    self.path.push(index as u32);
                    link = self.inner[index].child(&record.reference);
                }
            }
        };
        let depth = common_bits(&self.leaves[nearest].reference, &record.reference);
        if depth == MAX_DEPTH {
            self.leaves[nearest] = record;
            for &index in &self.path {
                self.inner[index as usize].dirty = true;
            }
            return;
        }
        // A new node where the paths part: below all that part before.
        let above = self
            .path
            .partition_point(|&index| usize::from(self.inner[index as usize].depth) < depth);
        let below = match self.path.get(above) {
            Some(&index) => Link(index),
            None => Link::leaf(nearest),
        };
        // What is below has fewer levels above it now.
        if let To::Inner(index) = below.to() {
            self.inner[index].dirty = true;
        }
        let leaf = Link::leaf(self.leaves.len());
        let right = bit(&record.reference, depth);
        push(&mut self.leaves, record);
        let new = Link(self.inner.len() as u32);
        push(
            &mut self.inner,
            Inner {
                hash: EMPTY,
                children: if right { [below, leaf] } else { [leaf, below] },
                depth: depth as u8,
                dirty: true,
            },
        );
        match above.checked_sub(1) {
            None => self.root = Some(new),
            Some(last) => {
                let parent = &mut self.inner[self.path[last] as usize];
                let side = usize::from(bit(&record.reference, usize::from(parent.depth)));
                parent.children[side] = new;
            }
        }
        for &index in &self.path[..above] {
            self.inner[index as usize].dirty = true;
        }
    }

    /// Hashes what has changed, and returns the root.
    pub(super) fn rehash(&mut self) -> Hash {
        match self.root {
            None => EMPTY,
            Some(root) => self.rehash_below(root, 0),
        }
    }

    /// The hash of a subtree as it is at a depth.
    fn rehash_below(&mut self, link: Link, top: usize) -> Hash {
        let index = match link.to() {
            To::Leaf(index) => return leaf_hash(&self.leaves[index]),
            To::Inner(index) => index,
        };
        if !self.inner[index].dirty {
            return self.inner[index].hash;
        }
        let [left, right] = self.inner[index].children;
        let depth = usize::from(self.inner[index].depth);
        let left = self.rehash_below(left, depth + 1);
        let right = self.rehash_below(right, depth + 1);
        let hash = self.raise(node_hash(&left, &right), link, depth, top);
        let node = &mut self.inner[index];
        (node.hash, node.dirty) = (hash, false);
        hash
    }

    /// The hash of a subtree at `top`, from that at `depth`: the levels
    /// between are empty on their other side.
    fn raise(&self, hash: Hash, link: Link, depth: usize, top: usize) -> Hash {
        if depth == top {
            return hash;
        }
        let within = self.any_below(link);
        (top..depth).rev().fold(hash, |hash, depth| {
            if bit(within, depth) {
                node_hash(&EMPTY, &hash)
            } else {
                node_hash(&hash, &EMPTY)
            }
        })
    }

    /// A reference of a subtree: all have the bits above it in common.
    fn any_below(&self, mut link: Link) -> &SubjectReference {
        loop {
            match link.to() {
                To::Leaf(index) => return &self.leaves[index].reference,
                To::Inner(index) => link = self.inner[index].children[0],
            }
        }
    }

    fn hash(&self, link: Link) -> Hash {
        match link.to() {
            To::Leaf(index) => leaf_hash(&self.leaves[index]),
            To::Inner(index) => self.inner[index].hash,
        }
    }

    /// What the map has under a reference, since it was last hashed.
    pub(super) fn prove(&self, reference: &SubjectReference) -> Result<MapProof, ProofError> {
        let mut siblings = Vec::new();
        let Some(mut link) = self.root else {
            return MapProof::new(siblings, Terminal::Empty);
        };
        loop {
            let node = match link.to() {
                To::Leaf(index) => {
                    return MapProof::new(siblings, Terminal::Leaf(self.leaves[index]));
                }
                To::Inner(index) => &self.inner[index],
            };
            let (top, depth) = (siblings.len(), usize::from(node.depth));
            if top < depth {
                let common = common_bits(self.any_below(link), reference).min(depth);
                siblings.resize(common, EMPTY);
                if common < depth {
                    let [left, right] = node.children.map(|child| self.hash(child));
                    let hash = node_hash(&left, &right);
                    siblings.push(self.raise(hash, link, depth, common + 1));
                    return MapProof::new(siblings, Terminal::Empty);
                }
            }
            let right = bit(reference, depth);
            siblings.push(self.hash(node.children[usize::from(!right)]));
            link = node.children[usize::from(right)];
        }
    }

    /// All records, in ascending order of their references.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        let mut ahead: Vec<Link> = self.root.into_iter().collect();
        std::iter::from_fn(move || {
            loop {
                match ahead.pop()?.to() {
                    To::Leaf(index) => return Some(&self.leaves[index]),
                    To::Inner(index) => {
                        let [left, right] = self.inner[index].children;
                        ahead.extend([right, left]);
                    }
                }
            }
        })
    }
}

impl Inner {
    fn child(&self, reference: &SubjectReference) -> Link {
        self.children[usize::from(bit(reference, usize::from(self.depth)))]
    }
}

/// Grows by an eighth, not by double: memory a person is what this map costs.
fn push<T>(arena: &mut Vec<T>, item: T) {
    if arena.len() == arena.capacity() {
        arena.reserve_exact(64 + arena.len() / 8);
    }
    arena.push(item);
}
