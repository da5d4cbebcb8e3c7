//! A trace as W3C PROV-JSON: an event is an activity of its controller that
//! generated an entity, derived from the entities of the events that it came
//! from.

use custody_proto::v1::TraceLineageResponse;
use serde_json::{Map, Value, json};

use super::trace::hex;

pub(super) fn document(trace: &TraceLineageResponse) -> Value {
    let [mut entities, mut activities, mut agents] = [Map::new(), Map::new(), Map::new()];
    let [mut generated, mut derived, mut associated] = [Map::new(), Map::new(), Map::new()];
    let entity = |tag: &[u8]| format!("custody:{}", hex(tag));
    for (index, node) in trace.nodes.iter().enumerate() {
        let data = entity(&node.event_tag);
        let act = format!("custody:act-{}", hex(&node.event_tag));
        let time = node.event_time.map(|at| at.to_string());
        entities.insert(
            data.clone(),
            json!({"custody:categories": node.categories.join(" ")}),
        );
        activities.insert(
            act.clone(),
            json!({
                "prov:startTime": time,
                "prov:endTime": time,
                "prov:type": format!("custody:{}", node.kind),
                "custody:purposes": node.purposes.join(" "),
                "custody:judgement": node.judgement,
                "custody:retracted": node.retracted,
            }),
        );
        generated.insert(
            format!("_:g{index}"),
            json!({"prov:entity": data, "prov:activity": act, "prov:time": time}),
        );
        let recipient = node.counterparty.as_ref().map_or("", |it| it.id.as_str());
        for (id, role) in [
            (node.controller.as_str(), "controller"),
            (recipient, "recipient"),
        ] {
            if id.is_empty() {
                continue;
            }
            let agent = format!("custody:party-{id}");
            agents.insert(agent.clone(), json!({"prov:type": "prov:Organization"}));
            associated.insert(
                format!("_:{role}{index}"),
                json!({"prov:activity": act, "prov:agent": agent, "prov:role": role}),
            );
        }
    }
    for (index, edge) in trace.edges.iter().enumerate() {
        let from = entity(&edge.parent_tag);
        if edge.open_end {
            entities.insert(from.clone(), json!({"custody:in_ledger": false}));
        }
        derived.insert(
            format!("_:d{index}"),
            json!({"prov:generatedEntity": entity(&edge.child_tag), "prov:usedEntity": from}),
        );
    }
    json!({
        "prefix": {"custody": "urn:custody:", "prov": "http://www.w3.org/ns/prov#"},
        "entity": entities,
        "activity": activities,
        "agent": agents,
        "wasGeneratedBy": generated,
        "wasDerivedFrom": derived,
        "wasAssociatedWith": associated,
    })
}

#[cfg(test)]
mod tests {
    use super::super::trace::tests::trace;
    use super::*;

    #[test]
    fn every_relation_names_what_there_is() {
        let document = document(&trace());
        let names = |kind: &str| -> Vec<String> {
            document[kind]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect()
        };
        let (entities, activities) = (names("entity"), names("activity"));
        assert_eq!((entities.len(), activities.len()), (3, 2));
        assert_eq!(names("agent"), ["custody:party-dhl", "custody:party-shop"]);
        for derived in document["wasDerivedFrom"].as_object().unwrap().values() {
            for end in ["prov:generatedEntity", "prov:usedEntity"] {
                assert!(entities.iter().any(|it| derived[end] == it.as_str()));
            }
        }
        for made in document["wasGeneratedBy"].as_object().unwrap().values() {
            assert!(
                activities
                    .iter()
                    .any(|it| made["prov:activity"] == it.as_str())
            );
        }
    }
}
