//! The corpus of malformed messages of `ingest/tests/corpus`, whose README
//! says how it is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::kafka::Raw;

/// A message that cannot be read, and the code that it must get.
pub(crate) struct Malformed {
    pub(crate) name: String,
    pub(crate) raw: Raw,
    pub(crate) code: String,
}

/// Every message of the corpus.
pub(crate) fn load() -> Vec<Malformed> {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../ingest/tests/corpus/corpus.json")).expect("JSON");
    cases
        .iter()
        .map(|case| Malformed {
            name: case["name"].as_str().expect("a name").to_owned(),
            code: case["expected_code"].as_str().expect("a code").to_owned(),
            raw: Raw {
                key: case["key"].as_str().map(|key| key.as_bytes().to_vec()),
                headers: case["headers"]
                    .as_array()
                    .expect("headers")
                    .iter()
                    .map(header)
                    .collect(),
                payload: payload(case),
            },
        })
        .collect()
}

fn payload(case: &Value) -> Option<Vec<u8>> {
    if let Some(text) = case["payload_text"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    if let Some(text) = case["payload_base64"].as_str() {
        return Some(STANDARD.decode(text).expect("Base64"));
    }
    case.get("payload_repeat").map(repeated)
}

fn header(pair: &Value) -> (String, Option<Vec<u8>>) {
    let value = match &pair[1] {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        other => Some(match other["base64"].as_str() {
            Some(text) => STANDARD.decode(text).expect("Base64"),
            None => repeated(other),
        }),
    };
    (pair[0].as_str().expect("a name").to_owned(), value)
}

fn repeated(value: &Value) -> Vec<u8> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().as_bytes().to_vec();
    let times = value["times"].as_u64().expect("a number") as usize;
    [text("before"), text("repeat").repeat(times), text("after")].concat()
}
