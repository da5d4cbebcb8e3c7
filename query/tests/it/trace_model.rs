//! The graph of what came from what, against a plain model that follows the
//! ids that the events were given, not their tags.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use custody_ledger::EventTag;
use custody_proto::v1;
use custody_proto::v1::trace_lineage_request::Direction;

use crate::entry_model::{Show, shown};
use crate::oracle::{Oracle, Question};
use crate::person_model::{Whose, assert_same};
use crate::world::{Fact, World};

/// How a graph is asked for.
pub(crate) struct Tracing {
    /// The number of the event among those of the person, modulo their number;
    /// `None`: all.
    pub(crate) start: Option<usize>,
    pub(crate) direction: Direction,
    pub(crate) max_depth: i32,
    pub(crate) max_nodes: i32,
}

pub(crate) fn check_trace(world: &World, whose: &Whose, question: &Question, wish: &Tracing) {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    // The person's events as they were there, in order.
    let there = oracle.matching(&question.everything()).into_iter();
    let there: Vec<_> = there
        .filter(|(fact, _)| fact.entry.event_tag.is_some())
        .collect();
    let facts: Vec<&Fact> = there.iter().map(|(fact, _)| *fact).collect();
    let start = wish.start.filter(|_| !facts.is_empty());
    let start = start.map(|start| start % facts.len());
    let request = v1::TraceLineageRequest {
        subject: whose.subject.clone(),
        start: start.map(|start| v1::EntryPosition {
            shard: facts[start].shard.to_string(),
            sequence: facts[start].sequence,
            offset: None,
        }),
        direction: wish.direction.into(),
        max_depth: wish.max_depth,
        max_nodes: wish.max_nodes,
        as_of: question.as_of,
        ..Default::default()
    };
    let answer = world.ask(request).unwrap();

    let or = |said: i32, default: usize| match usize::try_from(said).unwrap() {
        0 => default,
        said => said.min(10_000),
    };
    let expected = Graph::of(&facts, start, wish.direction, or(wish.max_depth, 64));
    let show = Show {
        until: question.recorded_until(),
        ..Show::default()
    };
    let nodes: Vec<_> = expected
        .nodes
        .iter()
        .map(|node| shown(&oracle, facts[*node], there[*node].1, show))
        .collect();
    let most = or(wish.max_nodes, 1000);
    if nodes.len() > most {
        // Which ones are left out is not said; each that is there is right.
        assert!(answer.truncated);
        assert_eq!(answer.nodes.len(), most);
        let mut all = nodes.iter();
        assert!(answer.nodes.iter().all(|node| all.any(|it| it == node)));
        return;
    }
    assert_same(&answer.nodes, &nodes);
    assert_same(&answer.edges, &expected.edges);
    assert_eq!(answer.truncated, expected.truncated);
}

struct Graph {
    /// Numbers of facts.
    nodes: BTreeSet<usize>,
    edges: Vec<v1::LineageEdge>,
    truncated: bool,
}

impl Graph {
    fn of(facts: &[&Fact], start: Option<usize>, direction: Direction, depth: usize) -> Self {
        let mut with_id: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut came_from: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, fact) in facts.iter().enumerate() {
            with_id.entry(&fact.event_id).or_default().push(number);
            for id in &fact.parents {
                came_from.entry(id).or_default().push(number);
            }
        }
        let none = Vec::new();
        let before = |number: usize| -> Vec<usize> {
            let parents = facts[number].parents.iter();
            let parents = parents.map(|id| with_id.get(id.as_str()).unwrap_or(&none));
            parents.flatten().copied().collect()
        };
        let after = |number: usize| -> Vec<usize> {
            let id = facts[number].event_id.as_str();
            came_from.get(id).unwrap_or(&none).clone()
        };

        let starts: BTreeSet<usize> = match start {
            Some(start) => BTreeSet::from([start]),
            None => (0..facts.len()).collect(),
        };
        let (mut nodes, mut back) = (starts.clone(), starts.clone());
        let mut beyond = BTreeSet::new();
        if direction != Direction::Downstream {
            back = reach(&starts, depth, &before, &mut beyond);
            nodes.extend(&back);
        }
        if direction != Direction::Upstream {
            nodes.extend(reach(&starts, depth, &after, &mut beyond));
        }

        let tag = |number: usize| facts[number].entry.event_tag.unwrap();
        let mut edges: BTreeMap<(EventTag, EventTag), bool> = BTreeMap::new();
        for child in &nodes {
            let fact = facts[*child];
            for (id, said) in fact.parents.iter().zip(&fact.entry.parent_tags) {
                let parents = with_id.get(id.as_str()).unwrap_or(&none);
                for parent in parents.iter().filter(|it| nodes.contains(it)) {
                    edges.insert((tag(*parent), tag(*child)), false);
                }
                if parents.is_empty() && back.contains(child) && direction != Direction::Downstream
                {
                    edges.insert((*said, tag(*child)), true);
                }
            }
        }
        let mut onward: HashMap<EventTag, Vec<EventTag>> = HashMap::new();
        for ((parent, child), open) in &edges {
            if !open {
                onward.entry(*parent).or_default().push(*child);
            }
        }
        let leads = |from: EventTag, to: EventTag| {
            let (mut reached, mut next) = (BTreeSet::from([from]), vec![from]);
            while let Some(tag) = next.pop() {
                for child in onward.get(&tag).into_iter().flatten() {
                    if reached.insert(*child) {
                        next.push(*child);
                    }
                }
            }
            reached.contains(&to)
        };
        let edges = edges.iter().map(|((parent, child), open)| v1::LineageEdge {
            parent_tag: parent.as_bytes().to_vec(),
            child_tag: child.as_bytes().to_vec(),
            open_end: *open,
            cycle: !open && leads(*child, *parent),
        });
        Self {
            edges: edges.collect(),
            truncated: beyond.iter().any(|it| !nodes.contains(it)),
            nodes,
        }
    }
}

/// Whatever is at most so many steps away, and what lies one step beyond.
fn reach(
    starts: &BTreeSet<usize>,
    depth: usize,
    step: &impl Fn(usize) -> Vec<usize>,
    beyond: &mut BTreeSet<usize>,
) -> BTreeSet<usize> {
    let (mut met, mut layer) = (starts.clone(), starts.clone());
    for taken in 0..=depth {
        let next = layer.iter().flat_map(|number| step(*number));
        let next: BTreeSet<usize> = next.filter(|number| !met.contains(number)).collect();
        if taken == depth {
            beyond.extend(next);
            break;
        }
        if next.is_empty() {
            break;
        }
        met.extend(&next);
        layer = next;
    }
    met
}
