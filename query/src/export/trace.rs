//! A trace as others read it: Graphviz and Mermaid draw it, W3C PROV-JSON and
//! OpenLineage take it in.
//!
//! A node is called by its event's tag, which says nothing of a person without
//! the person's key.

use std::collections::HashMap;
use std::fmt::Write;

use custody_proto::v1::{Entry, TraceLineageResponse};
use serde_json::{Value, json};

use super::prov;

/// The form of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceForm {
    /// A graph in Graphviz' DOT language.
    Graphviz,
    /// A Mermaid flowchart.
    Mermaid,
    /// W3C PROV-JSON (<https://www.w3.org/submissions/prov-json/>).
    Prov,
    /// One OpenLineage run event a line, version 2-0-2
    /// (<https://openlineage.io/spec/2-0-2/OpenLineage.json>).
    OpenLineage,
}

/// Writes a trace in this form.
pub fn write_trace(trace: &TraceLineageResponse, form: TraceForm) -> String {
    match form {
        TraceForm::Graphviz => graphviz(trace),
        TraceForm::Mermaid => mermaid(trace),
        TraceForm::Prov => format!("{:#}\n", prov::document(trace)),
        TraceForm::OpenLineage => openlineage(trace),
    }
}

pub(super) fn hex(tag: &[u8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a drawn node says: kind, day, who and where.
fn label(entry: &Entry) -> Vec<String> {
    let at = entry.event_time.map(|at| at.to_string());
    let day = at
        .as_deref()
        .and_then(|at| at.get(..10))
        .unwrap_or_default();
    let mut lines = vec![format!("{} {day}", entry.kind.replace('_', " "))];
    let party = entry.counterparty.as_ref();
    let who = party.map(|party| {
        let name = if party.name.is_empty() {
            &party.id
        } else {
            &party.name
        };
        match (name.is_empty(), party.person) {
            (true, true) => "a person".to_owned(),
            _ => name.clone(),
        }
    });
    let to = [who.unwrap_or_default(), entry.to_country.clone()];
    let to: Vec<&str> = to
        .iter()
        .map(String::as_str)
        .filter(|it| !it.is_empty())
        .collect();
    if !to.is_empty() {
        lines.push(to.join(", "));
    }
    if !entry.system.is_empty() {
        lines.push(entry.system.clone());
    }
    if entry.retracted {
        lines.push("taken back".to_owned());
    }
    lines
}

/// Numbers of drawn nodes by tag: entries first, then what is not in the ledger.
struct Numbers<'a> {
    of: HashMap<&'a [u8], usize>,
    /// Tags that no entry has.
    missing: Vec<&'a [u8]>,
}

fn numbers(trace: &TraceLineageResponse) -> Numbers<'_> {
    let mut of: HashMap<&[u8], usize> = HashMap::new();
    for (index, node) in trace.nodes.iter().enumerate() {
        of.entry(&node.event_tag).or_insert(index);
    }
    let mut missing = Vec::new();
    for edge in trace.edges.iter().filter(|edge| edge.open_end) {
        let next = trace.nodes.len() + missing.len();
        let tag = edge.parent_tag.as_slice();
        if let std::collections::hash_map::Entry::Vacant(slot) = of.entry(tag) {
            slot.insert(next);
            missing.push(tag);
        }
    }
    Numbers { of, missing }
}

fn graphviz(trace: &TraceLineageResponse) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let numbers = numbers(trace);
    let mut out = "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (index, node) in trace.nodes.iter().enumerate() {
        let lines: Vec<String> = label(node).iter().map(|line| quoted(line)).collect();
        let style = if node.retracted { ", style=dashed" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(out, "  n{index} [label=\"{}\"{style}];", lines.join("\\n"));
    }
    for tag in &numbers.missing {
        let _ = writeln!(
            out,
            "  n{} [label=\"not in the ledger\", style=dotted];",
            numbers.of[tag]
        );
    }
    for edge in &trace.edges {
        let ends = (
            numbers.of.get(edge.parent_tag.as_slice()),
            numbers.of.get(edge.child_tag.as_slice()),
        );
        let (Some(parent), Some(child)) = ends else {
            continue;
        };
        let style = match (edge.open_end, edge.cycle) {
            (true, _) => " [style=dotted]",
            (_, true) => " [color=red]",
            _ => "",
        };
        let _ = writeln!(out, "  n{parent} -> n{child}{style};");
    }
    if trace.truncated {
        out.push_str("  label=\"more was left out\";\n");
    }
    out.push_str("}\n");
    out
}

fn mermaid(trace: &TraceLineageResponse) -> String {
    let quoted = |text: &str| {
        let text = text.replace('&', "&amp;").replace('"', "&quot;");
        text.replace('<', "&lt;").replace('>', "&gt;")
    };
    let numbers = numbers(trace);
    let mut out = "flowchart LR\n".to_owned();
    for (index, node) in trace.nodes.iter().enumerate() {
        let lines: Vec<String> = label(node).iter().map(|line| quoted(line)).collect();
        let _ = writeln!(out, "  n{index}[\"{}\"]", lines.join("<br/>"));
    }
    for tag in &numbers.missing {
        let _ = writeln!(out, "  n{}([\"not in the ledger\"])", numbers.of[tag]);
    }
    for edge in &trace.edges {
        let ends = (
            numbers.of.get(edge.parent_tag.as_slice()),
            numbers.of.get(edge.child_tag.as_slice()),
        );
        let (Some(parent), Some(child)) = ends else {
            continue;
        };
        let arrow = match (edge.open_end, edge.cycle) {
            (true, _) => "-.->",
            (_, true) => "-->|cycle|",
            _ => "-->",
        };
        let _ = writeln!(out, "  n{parent} {arrow} n{child}");
    }
    if trace.truncated {
        out.push_str("  more[\"more was left out\"]\n");
    }
    out
}

/// A tag as a UUID: OpenLineage names runs so.
fn uuid(tag: &[u8]) -> String {
    let hex = hex(tag);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or(""));
    parts.join("-")
}

/// Every event is a completed run of a job that made a data set of the data
/// sets of the events that it came from.
fn openlineage(trace: &TraceLineageResponse) -> String {
    let dataset = |tag: &[u8]| json!({"namespace": "custody", "name": hex(tag)});
    let mut parents: HashMap<&[u8], Vec<Value>> = HashMap::new();
    for edge in &trace.edges {
        let of = parents.entry(&edge.child_tag).or_default();
        of.push(dataset(&edge.parent_tag));
    }
    let mut out = String::new();
    for node in &trace.nodes {
        let inputs = parents.get(node.event_tag.as_slice());
        let event = json!({
            "eventType": "COMPLETE",
            "eventTime": node.event_time.map(|at| at.to_string()),
            "producer": "https://custody.invalid/",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": uuid(&node.event_tag)},
            "job": {
                "namespace": if node.controller.is_empty() { "custody" } else { &node.controller },
                "name": node.kind,
            },
            "inputs": inputs.cloned().unwrap_or_default(),
            "outputs": [dataset(&node.event_tag)],
        });
        let _ = writeln!(out, "{event}");
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use custody_proto::Timestamp;
    use custody_proto::v1::{Counterparty, LineageEdge};

    pub(in crate::export) fn trace() -> TraceLineageResponse {
        let node = |tag: u8, kind: &str| Entry {
            kind: kind.to_owned(),
            event_tag: vec![tag; 16],
            event_time: Some(Timestamp::from_unix_nanos(1_735_689_600_000_000_000)),
            controller: "shop".to_owned(),
            ..Entry::default()
        };
        let mut disclosure = node(2, "disclosure");
        disclosure.counterparty = Some(Counterparty {
            id: "dhl".to_owned(),
            name: "\"DHL\" <Ltd> \\".to_owned(),
            ..Counterparty::default()
        });
        disclosure.to_country = "US".to_owned();
        let edge = |parent: u8, child: u8, open_end: bool| LineageEdge {
            parent_tag: vec![parent; 16],
            child_tag: vec![child; 16],
            open_end,
            cycle: false,
        };
        TraceLineageResponse {
            nodes: vec![node(1, "collection"), disclosure],
            edges: vec![edge(1, 2, false), edge(9, 1, true)],
            truncated: true,
            ..TraceLineageResponse::default()
        }
    }

    #[test]
    fn drawings_have_every_node_and_edge_and_no_stray_quote() {
        let dot = write_trace(&trace(), TraceForm::Graphviz);
        assert_eq!(
            dot,
            "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n  \
             n0 [label=\"collection 2025-01-01\"];\n  \
             n1 [label=\"disclosure 2025-01-01\\n\\\"DHL\\\" <Ltd> \\\\, US\"];\n  \
             n2 [label=\"not in the ledger\", style=dotted];\n  \
             n0 -> n1;\n  n2 -> n0 [style=dotted];\n  label=\"more was left out\";\n}\n"
        );
        let mermaid = write_trace(&trace(), TraceForm::Mermaid);
        assert_eq!(
            mermaid,
            "flowchart LR\n  n0[\"collection 2025-01-01\"]\n  \
             n1[\"disclosure 2025-01-01<br/>&quot;DHL&quot; &lt;Ltd&gt; \\, US\"]\n  \
             n2([\"not in the ledger\"])\n  n0 --> n1\n  n2 -.-> n0\n  \
             more[\"more was left out\"]\n"
        );
    }

    #[test]
    fn every_event_is_a_run_with_its_data_sets() {
        let lines = write_trace(&trace(), TraceForm::OpenLineage);
        let runs: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(runs.len(), 2);
        assert_eq!(
            runs[1]["run"]["runId"],
            "02020202-0202-0202-0202-020202020202"
        );
        assert_eq!(runs[1]["inputs"][0]["name"], "01".repeat(16));
        assert_eq!(runs[1]["outputs"][0]["name"], "02".repeat(16));
        assert_eq!(runs[0]["inputs"][0]["name"], "09".repeat(16));
        assert_eq!(runs[0]["eventTime"], "2025-01-01T00:00:00Z");
    }
}
