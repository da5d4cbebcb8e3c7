use std::borrow::Cow;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::event::event::Act;

const DATA: &str = r#"{"subject":{"ids":["account:1001"]},"acting_as":"controller",
    "purposes":["custody:orders"],"disclosure":{"recipient":{"id":"dhl"}}}"#;

type Headers<'a> = Vec<(&'a str, Option<&'a [u8]>)>;

fn binary(content_type: Option<&str>) -> Headers<'_> {
    let mut headers: Headers<'_> = vec![
        ("ce_specversion", Some(b"1.0")),
        ("ce_id", Some(b"e-1")),
        ("ce_source", Some(b"//shop.example")),
        ("ce_type", Some(b"custody.disclosure.v1")),
        ("ce_time", Some(b"2025-03-01T12:00:00Z")),
        ("ce_extension", Some(b"\xff")),
        ("null", None),
    ];
    if let Some(content_type) = content_type {
        headers.push(("content-type", Some(content_type.as_bytes())));
    }
    headers
}

fn structured(extra: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e-1","source":"\/\/shop.example",
            "type":"custody.disclosure.v1","time":"2025-03-01T12:00:00Z",{extra}}}"#
    )
}

fn read(
    headers: Headers<'_>,
    payload: &[u8],
) -> Result<(Encoding, String, String, Timestamp, Event), DecodeError> {
    let envelope = Envelope::read(headers, Some(payload))?;
    let data = envelope.data()?;
    Ok((
        envelope.encoding,
        envelope.id.into_owned(),
        envelope.source.into_owned(),
        envelope.time,
        data,
    ))
}

#[test]
fn every_encoding_says_the_same() {
    let event: Event = serde_json::from_str(DATA).unwrap();
    let protobuf = event.encode_to_vec();
    let framed = [&[0, 0, 0, 0, 7, 0][..], &protobuf].concat();
    let framed_json = [&[0, 0, 0, 0, 7][..], DATA.as_bytes()].concat();
    let bare = structured(&format!(r#""data":{DATA}"#));
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&protobuf);
    let base64 = structured(&format!(
        r#""datacontenttype":"application/protobuf","data_base64":"{encoded}","sampled":true"#
    ));
    let cloudevents = vec![(
        "Content-Type",
        Some(&b"application/cloudevents+json; charset=utf-8"[..]),
    )];

    let cases: Vec<(Encoding, Headers<'_>, &[u8])> = vec![
        (
            Encoding::BinaryJson,
            binary(Some("application/json")),
            DATA.as_bytes(),
        ),
        (Encoding::BinaryJson, binary(None), DATA.as_bytes()),
        (
            Encoding::BinaryJson,
            binary(Some("application/json")),
            &framed_json,
        ),
        (
            Encoding::BinaryProtobuf,
            binary(Some("application/protobuf")),
            &protobuf,
        ),
        (
            Encoding::BinaryProtobuf,
            binary(Some("application/x-protobuf")),
            &framed,
        ),
        (Encoding::Structured, vec![], bare.as_bytes()),
        (Encoding::Structured, cloudevents, base64.as_bytes()),
    ];
    for (index, (encoding, headers, payload)) in cases.into_iter().enumerate() {
        let (found, id, source, time, data) =
            read(headers, payload).unwrap_or_else(|error| panic!("case {index}: {error}"));
        assert_eq!(found, encoding, "case {index}");
        assert_eq!((id.as_str(), source.as_str()), ("e-1", "//shop.example"));
        assert_eq!(time.to_string(), "2025-03-01T12:00:00Z");
        assert!(data == event, "case {index}");
        assert!(matches!(data.act, Some(Act::Disclosure(_))));
    }
}

#[test]
fn the_trace_is_read_from_an_attribute_or_a_header() {
    const TRACE: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut plain = binary(None);
    plain.push(("traceparent", Some(TRACE)));
    let mut extension = binary(None);
    extension.push(("ce_traceparent", Some(TRACE)));
    extension.push(("traceparent", Some(b"malformed")));
    for headers in [plain, extension] {
        let envelope = Envelope::read(headers, Some(DATA.as_bytes())).unwrap();
        assert!(envelope.trace_parent.is_some_and(|t| t.is_sampled()));
    }
    let mut malformed = binary(None);
    malformed.push(("traceparent", Some(b"00-zz")));
    let envelope = Envelope::read(malformed, Some(DATA.as_bytes())).unwrap();
    assert_eq!(envelope.trace_parent, None);
}

fn fault(data: &str) -> (JsonFault, String) {
    match json::event(data.as_bytes()) {
        Err(DecodeError::Json { fault, place }) => (fault, place.field),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("read {data}"),
    }
}

#[test]
fn json_errors_name_the_field_and_quote_nothing() {
    let cases = [
        (
            r#"{"subject":{"ids":"li@example.com"}}"#,
            JsonFault::WrongType,
            "subject.ids",
        ),
        (r#"{"acting_as":"li"}"#, JsonFault::UnknownWord, "acting_as"),
        (r#"{"acting_as":77}"#, JsonFault::UnknownWord, "acting_as"),
        (
            r#"{"note":"a","note":"b"}"#,
            JsonFault::DuplicateField,
            "note",
        ),
        (
            r#"{"consent":{"expires_at":"li"}}"#,
            JsonFault::BadTime,
            "consent.expires_at",
        ),
        (
            r#"{"disclosure":{"recipient":{"li":1}}}"#,
            JsonFault::UnknownField { meant: None },
            "disclosure.recipient",
        ),
        (
            r#"{"purpose":["custody:orders"]}"#,
            JsonFault::UnknownField {
                meant: Some("purposes".to_owned()),
            },
            "",
        ),
        (
            r#"{"categories":[{"term":1}]}"#,
            JsonFault::WrongType,
            "categories[0].term",
        ),
        (r#"{"note":"li""#, JsonFault::Syntax, ""),
        (r#"{"note":"li"} li"#, JsonFault::Syntax, ""),
    ];
    for (data, expected, field) in cases {
        let (found, place) = fault(data);
        assert_eq!((&found, place.as_str()), (&expected, field), "{data}");
        let text = json::event(data.as_bytes()).unwrap_err().to_string();
        assert!(!text.contains("li@") && !text.contains("`li"), "{text}");
    }
    let deep = format!(r#"{{"note":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(fault(&deep).0, JsonFault::TooDeep);
}

#[test]
fn null_is_the_default_of_any_field() {
    let written_out = r#" {"subject": {"ids": ["a:null"], "jurisdiction": null, "minor": null},
        "purposes": null, "note": null, "collection": null, "use": {"operation": "dpv:Store",
        "system": null}, "disclosure": null, "categories": [{"term": "x", "fields": null}]}"#;
    let short = r#"{"subject":{"ids":["a:null"]},"use":{"operation":"dpv:Store"},
        "categories":[{"term":"x"}]}"#;
    assert!(json::event(written_out.as_bytes()) == json::event(short.as_bytes()));
    assert!(json::event(short.as_bytes()).is_ok());
    // But no member of a list, and it hides no other fault.
    assert_eq!(
        fault(r#"{"note":null,"purposes":[null]}"#).0,
        JsonFault::WrongType
    );
    assert_eq!(
        fault(r#"{"note":null,"purposes":["x"],"purposes":["x"]}"#).0,
        JsonFault::DuplicateField
    );
    assert_eq!(
        fault(r#"{"note":null,"disclosure":{"sale":1}}"#).1,
        "disclosure.sale"
    );
    assert_eq!(
        json::event(br#"{"note":null,"restriction":{},"erasure":{}}"#).err(),
        Some(DecodeError::TwoBlocks)
    );
}

#[test]
fn two_blocks_are_refused_in_both_forms() {
    let json = br#"{"restriction":{},"erasure":{}}"#;
    assert_eq!(json::event(json).err(), Some(DecodeError::TwoBlocks));
    // Fields 26 and 29, both empty; then field 26 twice.
    for bytes in [[0xd2, 1, 0, 0xea, 1, 0], [0xd2, 1, 0, 0xd2, 1, 0]] {
        assert_eq!(protobuf::event(&bytes).err(), Some(DecodeError::TwoBlocks));
    }
    assert!(protobuf::event(&[0xd2, 1, 0]).is_ok());
}

#[test]
fn protobuf_errors_name_the_field() {
    // subject (1) { ids (1): one byte that is not UTF-8 }
    let error = protobuf::event(&[0x0a, 3, 0x0a, 1, 0xff]).unwrap_err();
    assert_eq!(
        error,
        DecodeError::BadUtf8 {
            place: "subject.ids".to_owned()
        }
    );
    let error = protobuf::event(&[0x0a, 9, 0x0a]).unwrap_err();
    assert!(matches!(error, DecodeError::Protobuf { .. }), "{error}");
}

#[test]
fn strings_without_escapes_are_borrowed() {
    let payload = structured(r#""data":{}"#);
    let envelope = Envelope::read([], Some(payload.as_bytes())).unwrap();
    assert!(matches!(envelope.id, Cow::Borrowed("e-1")));
    assert!(matches!(envelope.source, Cow::Owned(_)));
}

proptest! {
    #[test]
    fn no_payload_panics(payload in any::<Vec<u8>>(), kind in 0..4_usize) {
        let content_type = [None, Some("application/json"), Some("application/protobuf")];
        let headers = match content_type.get(kind) {
            Some(content_type) => binary(*content_type),
            None => vec![],
        };
        let _ = read(headers, &payload);
    }

    #[test]
    fn no_json_panics(text in r#"[{}\[\],:"a-z0-9\\ ]{0,60}"#) {
        let _ = read(vec![], text.as_bytes());
        let _ = read(binary(None), text.as_bytes());
    }
}
