//! Which edges of a graph lie on a cycle: those whose ends reach each other.

use std::collections::{HashMap, HashSet};

use custody_ledger::id::EventTag;

/// The edges that lie on a cycle, by Kosaraju's way of finding strongly
/// connected components. No recursion: a chain may be as long as a graph.
pub(crate) fn on_cycles(edges: &[(EventTag, EventTag)]) -> HashSet<(EventTag, EventTag)> {
    let (mut on, mut back) = (Neighbours::default(), Neighbours::default());
    for (parent, child) in edges {
        on.0.entry(*parent).or_default().push(*child);
        back.0.entry(*child).or_default().push(*parent);
    }
    let mut order = Vec::new();
    let mut met = HashSet::new();
    for (parent, _) in edges {
        on.visit(*parent, &mut met, |done| order.push(done));
    }
    let mut component = HashMap::new();
    let mut met = HashSet::new();
    for node in order.into_iter().rev() {
        back.visit(node, &mut met, |done| {
            component.insert(done, node);
        });
    }
    let same = |(parent, child): &&(EventTag, EventTag)| {
        parent == child || component.get(parent) == component.get(child)
    };
    edges.iter().filter(same).copied().collect()
}

#[derive(Default)]
struct Neighbours(HashMap<EventTag, Vec<EventTag>>);

impl Neighbours {
    /// Visits what can be reached, and says of each node when all behind it is
    /// done.
    fn visit(&self, from: EventTag, met: &mut HashSet<EventTag>, mut done: impl FnMut(EventTag)) {
        if !met.insert(from) {
            return;
        }
        let mut path = vec![(from, 0)];
        while let Some((node, index)) = path.last_mut() {
            let next = self.0.get(node).and_then(|all| all.get(*index));
            match next {
                Some(next) => {
                    *index += 1;
                    if met.insert(*next) {
                        path.push((*next, 0));
                    }
                }
                None => {
                    done(*node);
                    path.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(number: u8) -> EventTag {
        EventTag([number; 16])
    }

    proptest! {
        #[test]
        fn an_edge_is_on_a_cycle_where_its_end_leads_back(
            edges in prop::collection::vec((0..8u8, 0..8u8), 0..20)
        ) {
            let edges: Vec<_> = edges.iter().map(|(a, b)| (tag(*a), tag(*b))).collect();
            let leads = |from: EventTag, to: EventTag| {
                let mut reached = HashSet::from([from]);
                for _ in 0..edges.len() {
                    for (parent, child) in &edges {
                        if reached.contains(parent) {
                            reached.insert(*child);
                        }
                    }
                }
                reached.contains(&to)
            };
            let expected: HashSet<_> = edges
                .iter()
                .filter(|(parent, child)| leads(*child, *parent))
                .copied()
                .collect();
            prop_assert_eq!(on_cycles(&edges), expected);
        }
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let node = |number: u32| {
            let mut tag = [0; 16];
            tag[..4].copy_from_slice(&number.to_le_bytes());
            EventTag(tag)
        };
        let edges: Vec<_> = (0..100_000).map(|n| (node(n), node(n + 1))).collect();
        assert!(on_cycles(&edges).is_empty());
    }
}
