//! What was said arrives, and every way of asking gives the same answer.

use custody_proto::event::{self, event::Act};
use custody_proto::v1;
use prost::Message as _;

use crate::custody::{Service, custody_ok, data_dir, verify};
use crate::kafka::{Raw, produce, shared};

const PERSON: &str = "account:7712345";

/// As somebody types it into `kcat`: structured mode, no headers.
fn typed(id: &str, time: &str, data: &str, kind: &str) -> Raw {
    Raw::json(
        PERSON,
        &format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"//orders.example","type":"custody.{kind}.v1","time":"{time}","datacontenttype":"application/json","data":{data}}}"#
        ),
    )
}

/// A disclosure to a courier, as protobuf in binary mode.
fn binary(id: &str, time: &str) -> Raw {
    let data = event::Event {
        subject: Some(event::Subject {
            ids: vec![PERSON.to_owned(), "email:li@example.com".to_owned()],
            jurisdiction: "DE".to_owned(),
            role: event::subject::Role::Buyer.into(),
            ..event::Subject::default()
        }),
        service: "alibaba.com".to_owned(),
        controller: "alibaba-com-singapore".to_owned(),
        purposes: vec!["custody:purchase_delivery".to_owned(), "customs".to_owned()],
        categories: vec![event::Category {
            term: "custody:contact".to_owned(),
            fields: vec!["phone".to_owned()],
        }],
        legal_basis: "eu-gdpr:A6-1-b".to_owned(),
        location: "DE".to_owned(),
        derived_from: vec![event::EventReference {
            source: "//orders.example".to_owned(),
            id: "c-1".to_owned(),
        }],
        act: Some(Act::Disclosure(event::Disclosure {
            recipient: Some(event::Party {
                id: "dhl".to_owned(),
                name: "DHL".to_owned(),
                category: "custody:logistics".to_owned(),
                country: "CN".to_owned(),
                person: false,
            }),
            means: event::disclosure::Means::Api.into(),
            ..event::Disclosure::default()
        })),
        ..event::Event::default()
    };
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    Raw {
        key: Some(PERSON.as_bytes().to_vec()),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", id),
            header("ce_source", "//orders.example"),
            header("ce_type", "custody.disclosure.v1"),
            header("ce_time", time),
            header("content-type", "application/protobuf"),
            header(
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
        ],
        payload: Some(data.encode_to_vec()),
    }
}

/// An answer without the checkpoint beside its head: what is signed goes on
/// between two answers.
fn unsigned(mut answer: serde_json::Value) -> serde_json::Value {
    if let Some(head) = answer["head"].as_object_mut() {
        head.remove("checkpoint");
    }
    answer
}

#[test]
fn typed_json_and_binary_protobuf_land_and_both_clients_agree() {
    let broker = shared();
    let topic = "answers";
    broker.create_topic(topic, 2, &[]).expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");
    let mut service = Service::start(&data, &broker.brokers(), "answers|unrelated.*");

    let sent = produce(
        &broker.brokers(),
        topic,
        [
            typed(
                "c-1",
                "2025-03-01T09:00:00+01:00",
                r#"{"subject":{"ids":["account:7712345","email:li@example.com"],"jurisdiction":"DE"},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["custody:orders"],"categories":[{"term":"custody:contact","fields":["email","phone"]}],"legal_basis":"eu-gdpr:A6-1-b","location":"DE","collection":{"origin":"subject"}}"#,
                "collection",
            ),
            binary("d-1", "2025-03-01T10:00:00Z"),
            // The same event again, and again in other words: once is enough.
            binary("d-1", "2025-03-01T10:00:00Z"),
            typed(
                "t-1",
                "2025-03-02t10:00:00z",
                r#"{"subject":{"ids":["account:7712345"],"jurisdiction":"DE"},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["custody:risk_control"],"categories":[{"term":"custody:transaction"}],"transfer":{"from_country":"DE","to_country":"SG","safeguard":"eu-gdpr:A46-2-c"}}"#,
                "transfer",
            ),
        ],
    );
    assert_eq!(sent, 4);
    service.wait_for_offsets(topic, 4);

    let recipients = service
        .lineage(async |mut client| {
            client
                .list_recipients(v1::ListRecipientsRequest {
                    subject: PERSON.to_owned(),
                    ..v1::ListRecipientsRequest::default()
                })
                .await
        })
        .expect("an answer");
    let rows: Vec<(String, String, String, u64)> = recipients
        .recipients
        .iter()
        .map(|row| {
            let who = row.recipient.clone().unwrap_or_default();
            (who.id, row.purpose.clone(), row.country.clone(), row.count)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("dhl".into(), "custody:customs".into(), "CN".into(), 1),
            (
                "dhl".into(),
                "custody:purchase_delivery".into(),
                "CN".into(),
                1
            ),
        ]
    );
    assert_eq!(
        recipients.recipients[0].recipient.clone().map(|r| r.name),
        Some("DHL".to_owned())
    );

    let server = format!("http://{}", service.listen);
    for view in ["recipients", "timeline", "transfers"] {
        let cli: serde_json::Value = serde_json::from_str(&custody_ok(&[
            "subject", PERSON, view, "--server", &server, "--format", "json",
        ]))
        .expect("JSON");
        let subject = PERSON.to_owned();
        let wire = match view {
            "recipients" => serde_json::to_value(&recipients).expect("JSON"),
            "timeline" => serde_json::to_value(
                service
                    .lineage(async |mut client| {
                        client
                            .list_events(v1::ListEventsRequest {
                                subject,
                                // As the command line asks.
                                with_clauses: true,
                                ..v1::ListEventsRequest::default()
                            })
                            .await
                    })
                    .expect("an answer"),
            )
            .expect("JSON"),
            _ => serde_json::to_value(
                service
                    .lineage(async |mut client| {
                        client
                            .list_transfers(v1::ListTransfersRequest {
                                subject,
                                ..v1::ListTransfersRequest::default()
                            })
                            .await
                    })
                    .expect("an answer"),
            )
            .expect("JSON"),
        };
        assert_eq!(unsigned(cli), unsigned(wire), "{view}");
    }
    let transfers = custody_ok(&[
        "subject",
        PERSON,
        "transfers",
        "--server",
        &server,
        "--format",
        "table",
    ]);
    assert!(
        transfers.contains("Singapore") && transfers.contains("China"),
        "{transfers}"
    );

    // The same ledger without a server gives the same rows.
    service.stop();
    let offline: v1::ListRecipientsResponse = serde_json::from_str(&custody_ok(&[
        "subject",
        "email:li@example.com",
        "recipients",
        "--data",
        crate::custody::text(&data),
        "--format",
        "json",
    ]))
    .expect("JSON");
    assert_eq!(offline.recipients, recipients.recipients);
    verify(&data);
}
