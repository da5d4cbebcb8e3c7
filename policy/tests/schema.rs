//! The JSON Schema for editors knows what the packs use.
//!
//! Not a validator: the schema is checked key by key and value by value for
//! what an editor would complain of. That every pack is valid under it, with
//! patterns and formats, a validator of JSON Schema says.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    let text = fs::read_to_string(root().join("schema/pack.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn packs() -> Vec<(String, toml::Table)> {
    let mut packs = Vec::new();
    for folder in ["packs", "examples"] {
        let Ok(files) = fs::read_dir(root().join(folder)) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "toml") {
                packs.push((path.display().to_string(), read(&path)));
            }
        }
    }
    assert!(!packs.is_empty(), "no pack was found");
    packs
}

fn read(path: &Path) -> toml::Table {
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn resolve<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str() {
        Some(pointer) => schema.pointer(pointer.trim_start_matches('#')).unwrap(),
        None => node,
    }
}

/// What an editor would complain of, without patterns and formats.
fn complaints(schema: &Value, node: &Value, value: &toml::Value, at: &str) -> Vec<String> {
    let node = resolve(schema, node);
    let mut found = Vec::new();
    if let Some(allowed) = node["enum"].as_array() {
        let said = value.as_str().unwrap_or_default();
        if !allowed.iter().any(|one| one.as_str() == Some(said)) {
            found.push(format!("{at}: {said:?} is none of the values"));
        }
    }
    let right_type = match node["type"].as_str() {
        None => true,
        // A TOML date is a string with a format.
        Some("string") => value.is_str() || value.is_datetime(),
        Some("boolean") => value.is_bool(),
        Some("array") => value.is_array(),
        Some("object") => value.is_table(),
        other => panic!("{other:?}"),
    };
    if !right_type {
        found.push(format!("{at}: is no {}", node["type"]));
    }
    if let Some(items) = value.as_array() {
        for item in items {
            found.extend(complaints(schema, &node["items"], item, at));
        }
    }
    let Some(table) = value.as_table() else {
        return found;
    };
    for key in node["required"].as_array().into_iter().flatten() {
        let key = key.as_str().unwrap();
        if !table.contains_key(key) {
            found.push(format!("{at}: `{key}` is missing"));
        }
    }
    for (key, value) in table {
        let at = format!("{at}.{key}");
        let property = &node["properties"][key];
        if !property.is_null() {
            found.extend(complaints(schema, property, value, &at));
        } else if node["additionalProperties"] == Value::Bool(false) {
            found.push(format!("{at}: no such key"));
        }
    }
    for rule in node["allOf"].as_array().into_iter().flatten() {
        if rule["if"]["properties"]["kind"]["const"].as_str()
            != table.get("kind").and_then(toml::Value::as_str)
        {
            continue;
        }
        let keys = rule["then"]["propertyNames"]["enum"].as_array().unwrap();
        for key in table.keys() {
            if !keys.iter().any(|known| known.as_str() == Some(key)) {
                found.push(format!("{at}.{key}: no key of this kind"));
            }
        }
        found.extend(complaints(
            schema,
            &serde_json::json!({ "required": rule["then"]["required"] }),
            value,
            at,
        ));
    }
    found
}

#[test]
fn every_pack_is_to_its_liking() {
    let schema = schema();
    for (name, pack) in packs() {
        let found = complaints(&schema, &schema, &toml::Value::Table(pack), "");
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn what_is_wrong_is_complained_of() {
    let schema = schema();
    let head = "format = 1\n[policy]\nid = 'S'\nfamily = 'S'\ntitle = 'S'\nservices = ['s']\neffective = 2026-01-01\n";
    let clause = "[[clause]]\nid = 'S.1'\nsection = '1'\nsummary = 'x'\n";
    for (text, says) in [
        (
            head.replace("family", "familiy"),
            ".policy.familiy: no such key",
        ),
        (
            head.replace("['s']", "'s'"),
            ".policy.services: is no \"array\"",
        ),
        (format!("{head}{clause}"), "`kind` is missing"),
        (
            format!("{head}{clause}kind = 'wish'"),
            "\"wish\" is none of",
        ),
        (
            format!("{head}{clause}kind = 'purpose'\ncountries = ['DE']"),
            "no key of this kind",
        ),
        (
            format!("{head}{clause}kind = 'storage'"),
            "`countries` is missing",
        ),
        (
            format!("{head}{clause}kind = 'origin'\norigins = ['thin_air']"),
            "\"thin_air\" is none of",
        ),
        (
            format!("{head}{clause}kind = 'purpose'\ncode = 'x'\nconsent = {{ wher = ['EU'] }}"),
            ".consent.wher: no such key",
        ),
    ] {
        let pack: toml::Value = toml::from_str(&text).unwrap();
        let found = complaints(&schema, &schema, &pack, "");
        assert!(found.iter().any(|c| c.contains(says)), "{says}: {found:?}");
    }
    let good: toml::Value = toml::from_str(head).unwrap();
    assert!(complaints(&schema, &schema, &good, "").is_empty());
}

#[test]
fn every_key_and_kind_is_described() {
    let schema = schema();
    let clause = &schema["$defs"]["clause"];
    let described: BTreeSet<&str> = clause["properties"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, property)| {
            property["description"]
                .as_str()
                .is_some_and(|d| d.len() > 10)
        })
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(
        described.len(),
        clause["properties"].as_object().unwrap().len()
    );
    let kinds: BTreeSet<&str> = clause["properties"]["kind"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind.as_str().unwrap())
        .collect();
    let ruled: BTreeSet<&str> = clause["allOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["if"]["properties"]["kind"]["const"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ruled);
}
