//! What came from what, as a table: each event with where its data came from.

use std::collections::HashMap;
use std::io::{self, Write};

use custody_policy::Field;
use custody_proto::v1::{Entry, LedgerHead, TraceLineageResponse};

use super::Sheet;
use super::answer::{Answer, Rendering, rfc3339};
use super::labels::{country, party, terms, words};
use super::recipients::or_none;

impl Answer for TraceLineageResponse {
    fn head(&self) -> Option<&LedgerHead> {
        self.head.as_ref()
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        if self.nodes.is_empty() {
            return writeln!(
                out,
                "No event is recorded that others could have come from."
            );
        }
        let numbers = numbers(&self.nodes);
        let mut sheet =
            Sheet::new(["No.", "When", "What", "Who", "Where", "Data", "Came from"]).number(0);
        for (index, node) in self.nodes.iter().enumerate() {
            let kind = words(&node.kind);
            let what = if node.retracted {
                format!("{kind} (taken back)")
            } else {
                kind
            };
            let to = if node.to_country.is_empty() {
                &node.location
            } else {
                &node.to_country
            };
            sheet.push([
                (index + 1).to_string(),
                rendering.zone.second(node.event_time),
                what,
                or_none(party(node.counterparty.as_ref()), &node.controller),
                country(to),
                terms(Field::Category, &node.categories),
                self.came_from(node, &numbers),
            ]);
        }
        sheet.write_table(out, rendering.look)?;
        if self.edges.iter().any(|edge| edge.cycle) {
            writeln!(
                out,
                "\nSome events came from each other: one of them says something wrong."
            )?;
        }
        if self.truncated {
            writeln!(
                out,
                "\nThere is more: --depth or --max-nodes ended it, or the 10,000 events that a trace has at most."
            )?;
        }
        Ok(())
    }

    fn records(&self) -> Sheet {
        let mut sheet = Sheet::new([
            "event_tag",
            "shard",
            "sequence",
            "kind",
            "event_time",
            "controller",
            "counterparty_id",
            "to_country",
            "categories",
            "retracted",
            "parent_tags",
            "open_ends",
        ]);
        for node in &self.nodes {
            let at = node.position.clone().unwrap_or_default();
            let of = |open: bool| {
                let edges = self.edges.iter();
                let tags = edges
                    .filter(|edge| edge.child_tag == node.event_tag && edge.open_end == open)
                    .map(|edge| hex::encode(&edge.parent_tag));
                tags.collect::<Vec<_>>().join(" ")
            };
            sheet.push([
                hex::encode(&node.event_tag),
                at.shard,
                at.sequence.to_string(),
                node.kind.clone(),
                rfc3339(node.event_time),
                node.controller.clone(),
                node.counterparty.clone().unwrap_or_default().id,
                node.to_country.clone(),
                node.categories.join(" "),
                node.retracted.to_string(),
                of(false),
                of(true),
            ]);
        }
        sheet
    }
}

/// Numbers of the rows by tag, from 1.
fn numbers(nodes: &[Entry]) -> HashMap<&[u8], usize> {
    let tags = nodes.iter().zip(1..);
    tags.map(|(node, number)| (node.event_tag.as_slice(), number))
        .collect()
}

/// What a table shows of the events that one came from.
trait CameFrom {
    fn came_from(&self, node: &Entry, numbers: &HashMap<&[u8], usize>) -> String;
}

impl CameFrom for TraceLineageResponse {
    fn came_from(&self, node: &Entry, numbers: &HashMap<&[u8], usize>) -> String {
        let edges = self.edges.iter();
        let from = edges.filter(|edge| edge.child_tag == node.event_tag);
        let said = from.map(|edge| match numbers.get(edge.parent_tag.as_slice()) {
            _ if edge.open_end => "not in the ledger".to_owned(),
            Some(number) => number.to_string(),
            None => "not shown".to_owned(),
        });
        said.collect::<Vec<_>>().join(", ")
    }
}
