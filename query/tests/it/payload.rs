//! An event's message as a producer sends it.

use custody_proto::Timestamp;
use custody_proto::event::{SealedHeader, SealedMessage};

use crate::world::{Draft, SECOND, SOURCE, START};

/// What an event says that no public part has.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Consent {
        scope: &'static str,
        recipients: Vec<&'static str>,
        /// 0 not said, 1 explicit, 2 implied.
        method: usize,
        /// 0 not said, 1 the person, 2 a guardian, 3 somebody else.
        given_by: usize,
        /// Seconds after [`START`].
        expires: Option<i64>,
    },
    Objection {
        scope: &'static str,
        /// 1 opt-out, 2 objection.
        kind: usize,
        /// 0 not said, 1 the person, 2 a guardian.
        by: usize,
    },
}

/// The event's data as its producer wrote it.
pub(crate) fn payload(draft: &Draft) -> String {
    if let Some(data) = &draft.data {
        return data.clone();
    }
    let quoted = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
        texts.join(", ")
    };
    let parents = draft.parents.iter();
    let parents: Vec<String> = parents
        .map(|id| format!(r#"{{"source": "{SOURCE}", "id": "{id}"}}"#))
        .collect();
    let act = match &draft.said {
        None => String::new(),
        Some(Said::Consent {
            scope,
            recipients,
            method,
            given_by,
            expires,
        }) => {
            let method = ["method_unspecified", "explicit", "implied"][*method];
            let given_by = ["given_by_unspecified", "subject", "guardian", "other"][*given_by];
            let expires = expires.map(|at| {
                let at = Timestamp::from_unix_nanos(START + at * SECOND);
                format!(r#", "expires_at": {}"#, serde_json::to_string(&at).unwrap())
            });
            format!(
                r#", "consent": {{"scope": ["{scope}"], "recipients": [{}], "method": "{method}", "given_by": "{given_by}"{}}}"#,
                quoted(recipients),
                expires.unwrap_or_default()
            )
        }
        Some(Said::Objection { scope, kind, by }) => {
            let kind = ["kind_unspecified", "opt_out", "objection"][*kind];
            let by = ["by_unspecified", "subject", "guardian"][*by];
            format!(r#", "objection": {{"kind": "{kind}", "scope": ["{scope}"], "by": "{by}"}}"#)
        }
    };
    format!(
        r#"{{"subject": {{"ids": ["{}"]}}, "service": "shop.example", "derived_from": [{}], "note": "said by phone"{act}}}"#,
        draft.ids[0],
        parents.join(", ")
    )
}

/// The message as Kafka would have given it.
pub(crate) fn message(draft: &Draft) -> Vec<u8> {
    let header = |name: &str, value: &str| SealedHeader {
        name: name.to_owned(),
        value: Some(value.as_bytes().to_vec()),
    };
    let message = SealedMessage {
        key: Some(draft.ids[0].clone().into_bytes()),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", &draft.event_id),
            header("ce_source", SOURCE),
            header("ce_type", &format!("custody.{}.v1", draft.kind.name())),
            header("ce_time", "2025-01-01T00:00:00Z"),
            header("content-type", "application/json"),
        ],
        payload: payload(draft).into_bytes(),
    };
    message.to_bytes()
}
