//! The graph of what came from what, against a plain model that follows the
//! ids that the events were given, not their tags.

use std::collections::{BTreeMap, BTreeSet};

use custody_proto::v1;
use custody_proto::v1::trace_lineage_request::Direction;

use crate::model::hex;
use crate::oracle::{Oracle, Question};
use crate::world::{Fact, World};

/// An edge as it is compared: both tags, whether it ends in the open, whether
/// it lies on a cycle.
type Edge = (Vec<u8>, Vec<u8>, bool, bool);

pub(crate) fn check_traces(world: &World, subject: &str, question: &Question, depth: i32) {
    let Some(identity) = world.vault.lookup(subject).unwrap() else {
        return;
    };
    let references = identity.persons.iter().map(|it| hex(&it.reference()));
    let oracle = Oracle {
        world,
        references: references.collect(),
    };
    let facts = there(&oracle, question);
    let starts = [None, facts.first(), facts.last()];
    for (start, max_depth) in starts.into_iter().zip([0, depth - 1, 0]) {
        for direction in [Direction::Both, Direction::Upstream, Direction::Downstream] {
            let request = v1::TraceLineageRequest {
                subject: subject.to_owned(),
                start: start.map(|fact| v1::EntryPosition {
                    shard: fact.shard.to_string(),
                    sequence: fact.sequence,
                    offset: None,
                }),
                direction: direction.into(),
                max_depth,
                as_of: question.as_of,
                ..Default::default()
            };
            let answer = world.ask(request).unwrap();
            let depth = if max_depth == 0 {
                64
            } else {
                max_depth as usize
            };
            let expected = trace(&facts, start, direction, depth);
            let nodes: Vec<_> = answer
                .nodes
                .iter()
                .map(|node| {
                    let at = node.position.clone().unwrap();
                    (at.shard, at.sequence)
                })
                .collect();
            let edges: Vec<Edge> = answer
                .edges
                .into_iter()
                .map(|it| (it.parent_tag, it.child_tag, it.open_end, it.cycle))
                .collect();
            assert_eq!((nodes, edges, answer.truncated), expected);
        }
    }
}

/// The person's events as they were there, in order.
fn there(oracle: &Oracle<'_>, question: &Question) -> Vec<Fact> {
    let everything = Question {
        as_of: question.as_of,
        ..Question::default()
    };
    let all = oracle.matching(&everything).into_iter();
    all.map(|(fact, _)| fact)
        .filter(|fact| fact.entry.event_tag.is_some())
        .collect()
}

type Expected = (Vec<(String, u64)>, Vec<Edge>, bool);

fn trace(facts: &[Fact], start: Option<&Fact>, direction: Direction, depth: usize) -> Expected {
    let at = |fact: &Fact| (fact.shard, fact.sequence);
    let starts: BTreeSet<usize> = (0..facts.len())
        .filter(|index| start.is_none_or(|start| at(start) == at(&facts[*index])))
        .collect();
    let came_from =
        |child: usize, parent: usize| facts[child].parents.contains(&facts[parent].event_id);
    let mut nodes = starts.clone();
    let mut back = starts.clone();
    let mut beyond = BTreeSet::new();
    for (goes, is_back) in [
        (direction != Direction::Downstream, true),
        (direction != Direction::Upstream, false),
    ] {
        if !goes {
            continue;
        }
        let mut met = starts.clone();
        let mut layer = starts.clone();
        for step in 0..=depth {
            let next: BTreeSet<usize> = (0..facts.len())
                .filter(|other| {
                    !met.contains(other)
                        && layer.iter().any(|it| {
                            if is_back {
                                came_from(*it, *other)
                            } else {
                                came_from(*other, *it)
                            }
                        })
                })
                .collect();
            if step == depth {
                beyond.extend(next);
                break;
            }
            met.extend(&next);
            layer = next;
        }
        if is_back {
            back.extend(&met);
        }
        nodes.extend(met);
    }
    let tag = |index: usize| facts[index].entry.event_tag.unwrap();
    let mut edges = BTreeMap::new();
    for child in &nodes {
        for (id, said) in facts[*child]
            .parents
            .iter()
            .zip(&facts[*child].entry.parent_tags)
        {
            for parent in nodes.iter().filter(|it| facts[**it].event_id == *id) {
                edges.insert((tag(*parent), tag(*child)), false);
            }
            let is_there = facts.iter().any(|fact| fact.event_id == *id);
            if !is_there && back.contains(child) && direction != Direction::Downstream {
                edges.insert((*said, tag(*child)), true);
            }
        }
    }
    let between: Vec<_> = edges
        .iter()
        .filter(|(_, open)| !**open)
        .map(|(it, _)| *it)
        .collect();
    let leads = |from, to| {
        let mut reached = BTreeSet::from([from]);
        loop {
            let next: BTreeSet<_> = between
                .iter()
                .filter(|(parent, child)| reached.contains(parent) && !reached.contains(child))
                .map(|(_, child)| *child)
                .collect();
            if next.is_empty() {
                return reached.contains(&to);
            }
            reached.extend(next);
        }
    };
    let edges = edges.iter().map(|((parent, child), open)| {
        (
            parent.as_bytes().to_vec(),
            child.as_bytes().to_vec(),
            *open,
            !open && leads(*child, *parent),
        )
    });
    (
        nodes
            .iter()
            .map(|it| (facts[*it].shard.to_string(), facts[*it].sequence))
            .collect(),
        edges.collect(),
        beyond.iter().any(|it| !nodes.contains(it)),
    )
}
