//! The three operations, on a file with a JSON object: generation → key.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// What is answered to a request.
#[allow(unreachable_pub)] // A test has this module too.
pub fn answer(file: &Path, request: &str) -> Result<String, Box<dyn std::error::Error>> {
    let request: Value = serde_json::from_str(request)?;
    if request["version"] != 1 {
        return Err("a version that this service does not know".into());
    }
    let mut keys: BTreeMap<u64, String> = match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => BTreeMap::new(),
    };
    let generation = || request["generation"].as_u64().ok_or("no generation");
    match request["operation"].as_str() {
        Some("get") => {
            let keys: Vec<Value> = keys
                .iter()
                .rev()
                .map(|(generation, key)| json!({ "generation": generation, "key": key }))
                .collect();
            return Ok(json!({ "keys": keys }).to_string());
        }
        Some("put") => {
            let key = request["key"].as_str().ok_or("no key")?.to_owned();
            let held = keys.entry(generation()?).or_insert_with(|| key.clone());
            if *held != key {
                return Err("another key of this generation is held".into());
            }
        }
        Some("destroy") => {
            let generation = generation()?;
            if keys.len() == 1 && keys.contains_key(&generation) {
                return Err("it is the only key".into());
            }
            keys.remove(&generation);
        }
        _ => return Err("an operation that this service does not know".into()),
    }
    std::fs::write(file, serde_json::to_vec(&keys)?)?;
    Ok("{}".to_owned())
}
