//! `TraceLineage`: the graph of what came from what.
//!
//! An event carries its own tag and the tags of the events that it came from,
//! all under the person's key, so that the graph is followed in the public
//! part. Tags do not lead from one person to another that was linked later;
//! there, what was sealed is opened and the tags are made under the other's key.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use custody_ledger::id::{EventTag, ShardId};
use custody_proto::v1;
use custody_proto::v1::trace_lineage_request::Direction;

use super::at_least::Wanted;
use super::cycle::on_cycles;
use super::entry;
use super::error::{Faults, QueryError};
use super::events;
use super::filter::Filter;
use super::in_bytes::InBytes;
use super::moment::AsOf;
use super::scope::{Course, Scope};
use super::sealed::Opener;
use super::ties::{Tags, Ties, place_of};
use super::wire::EntryWriter;
use super::work::Meter;
use super::{Ask, QueryState, subject};
use crate::read_model::{Place, StoredEvent, Tie, Visible};

/// How many steps are taken where none are asked for, and at most.
const DEPTH: (usize, usize) = (64, 10_000);

/// How many nodes there are where none are asked for, and at most.
const NODES: (usize, usize) = (1_000, 10_000);

fn limit(asked: i32, (default, most): (usize, usize), field: &str, faults: &mut Faults) -> usize {
    match usize::try_from(asked) {
        Ok(0) => default,
        Ok(asked) => asked.min(most),
        Err(_) => {
            faults.push(field, "must not be negative");
            default
        }
    }
}

/// What a request asks for.
struct Wish {
    start: Option<(ShardId, u64)>,
    back: bool,
    on: bool,
    max_depth: usize,
    max_nodes: usize,
    as_of: AsOf,
}

fn read(request: &v1::TraceLineageRequest, faults: &mut Faults) -> Wish {
    subject::check(&request.subject, faults);
    let start = request.start.as_ref().and_then(|start| {
        let shard = start.shard.parse().ok();
        if shard.is_none() {
            faults.push("start.shard", "must be a shard's id: 32 hexadecimal digits");
        }
        Some((shard?, start.sequence))
    });
    let direction = Direction::try_from(request.direction).unwrap_or_else(|_| {
        faults.push("direction", "is no direction");
        Direction::Both
    });
    Wish {
        start,
        back: direction != Direction::Downstream,
        on: direction != Direction::Upstream,
        max_depth: limit(request.max_depth, DEPTH, "max_depth", faults),
        max_nodes: limit(request.max_nodes, NODES, "max_nodes", faults),
        as_of: AsOf::read(request.as_of.as_ref(), faults),
    }
}

/// `TraceLineage`, answered in bytes.
#[derive(Clone, Debug, Default)]
pub struct TraceInBytes(pub v1::TraceLineageRequest);

impl Ask for TraceInBytes {
    type Answer = InBytes<v1::TraceLineageResponse>;
    const METHOD: &'static str = "custody.v1.LineageService/TraceLineage";

    fn wanted(&self, _state: &QueryState) -> Result<Wanted, QueryError> {
        let mut faults = Faults::default();
        read(&self.0, &mut faults);
        let wanted = Wanted::read(self.0.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let wish = read(&self.0, &mut faults);
        let mut everything = Filter::read(None, &mut faults);
        let wish = faults.or(wish)?;
        let scope = Scope::open(state, &self.0.subject, &visible, wish.as_of)?;
        let mut trace = Trace {
            scope: &scope,
            wish,
            opener: Opener::default(),
            ties: Ties::new(&scope),
            nodes: BTreeMap::new(),
            truncated: false,
            cut: Vec::new(),
            meter: state.work.meter(),
        };
        trace.starts()?;
        if trace.wish.back {
            trace.follow(Tie::Is)?;
        }
        if trace.wish.on {
            trace.follow(Tie::CameFrom)?;
        }
        let edges = trace.edges()?;
        let mut writer = EntryWriter::default();
        for node in trace.nodes.values() {
            let (person, stored) = (node.person, &node.stored);
            if events::begin(&mut writer, &scope, &mut everything, person, stored, false)? {
                writer.end();
            }
        }
        Ok(InBytes {
            rows: writer.bytes,
            count: writer.count,
            rest: v1::TraceLineageResponse {
                nodes: Vec::new(),
                edges,
                head: Some(entry::ledger_head(&visible)),
                // The other way may have come to what this one left out.
                truncated: trace.truncated
                    || trace.cut.iter().any(|it| !trace.nodes.contains_key(it)),
            },
        })
    }
}

/// The same as messages.
impl Ask for v1::TraceLineageRequest {
    type Answer = v1::TraceLineageResponse;
    const METHOD: &'static str = TraceInBytes::METHOD;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        TraceInBytes(self.clone()).wanted(state)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        TraceInBytes(self).answer(state, visible)?.into_message()
    }
}

/// One event, and by which tags it and what it came from are known.
struct Node {
    /// Whose it is, among the subject's persons.
    person: usize,
    stored: StoredEvent,
    tag: Option<EventTag>,
    is_start: bool,
    /// Whether it is one that a start came from, or a start.
    is_back: bool,
    own: Vec<(usize, EventTag)>,
    /// One for each event that it came from; the first tag is the one it says.
    parents: Vec<Vec<(usize, EventTag)>>,
}

struct Trace<'a> {
    scope: &'a Scope<'a>,
    wish: Wish,
    opener: Opener,
    ties: Ties,
    nodes: BTreeMap<Place, Node>,
    truncated: bool,
    /// What lies beyond the last step.
    cut: Vec<Place>,
    meter: Meter<'a>,
}

impl Trace<'_> {
    /// The event asked for, or every event of the person, the oldest first.
    fn starts(&mut self) -> Result<(), QueryError> {
        let scope = self.scope;
        let (start, max_nodes) = (self.wish.start, self.wish.max_nodes);
        let (mut found, mut truncated) = (Vec::new(), false);
        let mut course = Course::default();
        if let Some((shard, sequence)) = start {
            let Some(place) = place_of(scope, shard, sequence)? else {
                return Err(QueryError::StartNotFound);
            };
            course.after = Some(place);
            course.again = true;
        }
        let always = (i64::MIN, Some(i64::MAX));
        scope.walk_stored(always, course, |person, stored| {
            let at = (stored.place.shard, stored.place.sequence);
            if let Some(start) = start {
                // The walk begins at the event, or behind where it would be.
                if at == start && Tags::of(&stored)?.own.is_some() {
                    found.push((person, stored));
                }
                return Ok(false);
            }
            if Tags::of(&stored)?.own.is_none() {
                return Ok(true);
            }
            truncated = found.len() == max_nodes;
            if !truncated {
                found.push((person, stored));
            }
            Ok(!truncated)
        })?;
        if start.is_some() && found.is_empty() {
            return Err(QueryError::StartNotFound);
        }
        self.truncated = truncated;
        for (person, stored) in found {
            let node = self.node(person, stored, true, true)?;
            self.nodes.insert(node.stored.place, node);
        }
        Ok(())
    }

    /// An event with its tags. Where several persons are linked, also with the
    /// tags that it has among the others.
    fn node(
        &mut self,
        person: usize,
        stored: StoredEvent,
        is_start: bool,
        is_back: bool,
    ) -> Result<Node, QueryError> {
        let persons = &self.scope.subject.persons;
        let tags = Tags::of(&stored)?;
        let mut own: Vec<_> = tags.own.iter().map(|tag| (person, *tag)).collect();
        let parents = tags.parents.iter().map(|tag| vec![(person, *tag)]);
        let mut parents: Vec<Vec<_>> = parents.collect();
        if persons.len() > 1 {
            // What does not open says nothing; what the public part says stays.
            let opened = self.opener.open_stored(self.scope, person, &stored);
            let opened = opened.ok().flatten();
            let others = persons.iter().enumerate();
            let others = others.filter(|(index, _)| *index != person);
            for (index, other) in others {
                let Some(sealed) = &opened else { break };
                own.push((index, EventTag(other.tag(&sealed.source, &sealed.id))));
                let said = sealed.data.iter().flat_map(|data| &data.derived_from);
                for from in said {
                    let mine = EventTag(persons[person].tag(&from.source, &from.id));
                    let same = parents.iter_mut().find(|tags| tags[0].1 == mine);
                    if let Some(tags) = same {
                        tags.push((index, EventTag(other.tag(&from.source, &from.id))));
                    }
                }
            }
        }
        Ok(Node {
            person,
            stored,
            tag: tags.own,
            is_start,
            is_back,
            own,
            parents,
        })
    }

    /// Follows what the starts came from, or what came from them.
    fn follow(&mut self, tie: Tie) -> Result<(), QueryError> {
        let starts = self.nodes.iter().filter(|(_, node)| node.is_start);
        let mut next: VecDeque<(Place, usize)> = starts.map(|(place, _)| (*place, 0)).collect();
        let mut met: HashSet<Place> = next.iter().map(|(place, _)| *place).collect();
        while let Some((place, depth)) = next.pop_front() {
            let Some(node) = self.nodes.get(&place) else {
                continue;
            };
            let tags: Vec<_> = match tie {
                Tie::Is => node.parents.iter().flatten().copied().collect(),
                Tie::CameFrom => node.own.clone(),
            };
            for (person, tag) in tags {
                for stored in self.tied(person, &tag, tie)? {
                    let place = stored.place;
                    if met.contains(&place) {
                        continue;
                    }
                    if depth == self.wish.max_depth {
                        self.cut.push(place);
                        continue;
                    }
                    met.insert(place);
                    if !self.meet(person, stored, tie)? {
                        continue;
                    }
                    next.push_back((place, depth + 1));
                }
            }
        }
        Ok(())
    }

    /// Makes a node of an event; `false` where there is no room for it.
    fn meet(&mut self, person: usize, stored: StoredEvent, tie: Tie) -> Result<bool, QueryError> {
        let place = stored.place;
        if let Some(node) = self.nodes.get_mut(&place) {
            node.is_back |= tie == Tie::Is;
            return Ok(true);
        }
        if self.nodes.len() >= self.wish.max_nodes {
            self.truncated = true;
            return Ok(false);
        }
        let node = self.node(person, stored, false, tie == Tie::Is)?;
        self.nodes.insert(place, node);
        Ok(true)
    }

    /// The events that are tied to a tag, as far as they were there.
    fn tied(
        &mut self,
        person: usize,
        tag: &EventTag,
        tie: Tie,
    ) -> Result<Vec<StoredEvent>, QueryError> {
        self.ties
            .follow(self.scope, &mut self.meter, person, (tag, tie))
    }

    /// What the nodes came from: other nodes, and what is not in the ledger.
    fn edges(&mut self) -> Result<Vec<v1::LineageEdge>, QueryError> {
        let mut of_tag: HashMap<(usize, EventTag), EventTag> = HashMap::new();
        for node in self.nodes.values() {
            if let Some(own) = node.tag {
                of_tag.insert((node.person, own), own);
            }
        }
        let mut edges: BTreeMap<(EventTag, EventTag), bool> = BTreeMap::new();
        let mut unknown = Vec::new();
        for node in self.nodes.values() {
            let Some(child) = node.tag else {
                continue;
            };
            for tags in &node.parents {
                let among: BTreeSet<_> = tags.iter().filter_map(|tag| of_tag.get(tag)).collect();
                for parent in &among {
                    edges.insert((**parent, child), false);
                }
                if among.is_empty() && node.is_back && self.wish.back {
                    unknown.push((tags.clone(), child));
                }
            }
        }
        for (tags, child) in unknown {
            let mut is_there = false;
            for (person, tag) in &tags {
                is_there |= !self.tied(*person, tag, Tie::Is)?.is_empty();
            }
            if !is_there {
                edges.insert((tags[0].1, child), true);
            }
        }
        let between: Vec<_> = edges
            .iter()
            .filter(|(_, open)| !**open)
            .map(|(edge, _)| *edge)
            .collect();
        let cyclic = on_cycles(&between);
        let shown = edges
            .into_iter()
            .map(|((parent, child), open_end)| v1::LineageEdge {
                parent_tag: parent.as_bytes().to_vec(),
                child_tag: child.as_bytes().to_vec(),
                open_end,
                cycle: cyclic.contains(&(parent, child)),
            });
        Ok(shown.collect())
    }
}
