//! Events are judged by what is known of the person, again when something comes
//! late, and the same after a kill.

use std::time::{Duration, Instant};

use custody_proto::v1;

use crate::custody::{PATIENCE, Service, custody_ok, data_dir, text, verify};
use crate::kafka::{Raw, produce, shared};

const PERSON: &str = "account:5501";

fn said(id: &str, kind: &str, time: &str, rest: &str) -> Raw {
    Raw::json(
        PERSON,
        &format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"//shop.example","type":"custody.{kind}.v1","time":"{time}","datacontenttype":"application/json","data":{{"subject":{{"ids":["{PERSON}"],"jurisdiction":"BR","role":"buyer"}},"service":"alibaba.com","controller":"alibaba-com-singapore",{rest}}}}}"#
        ),
    )
}

/// A use of a position that a device measured.
fn located(id: &str, time: &str) -> Raw {
    said(
        id,
        "use",
        time,
        r#""purposes":["custody:recommendations"],"categories":[{"term":"pd:GPSCoordinate"}],"use":{"operation":"dpv:Use"}"#,
    )
}

fn findings(service: &Service, superseded: bool) -> Vec<(String, bool, Vec<String>)> {
    let answer = service
        .lineage(async |mut client| {
            client
                .list_findings(v1::ListFindingsRequest {
                    subject: PERSON.to_owned(),
                    findings: Some(v1::FindingFilter {
                        include_superseded: superseded,
                        ..v1::FindingFilter::default()
                    }),
                    ..v1::ListFindingsRequest::default()
                })
                .await
        })
        .expect("an answer");
    let mut rows: Vec<_> = answer
        .findings
        .into_iter()
        .filter_map(|row| row.finding)
        .map(|finding| (finding.code, finding.superseded, finding.clauses))
        .collect();
    rows.sort();
    rows
}

/// Waits until the findings have these codes.
fn wait_for(service: &Service, codes: &[&str]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = findings(service, false);
        if found
            .iter()
            .map(|(code, _, _)| code.as_str())
            .eq(codes.iter().copied())
        {
            return;
        }
        assert!(
            Instant::now() < end,
            "{found:?} in place of {codes:?}:\n{}",
            service.log_text()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn judged_on_what_is_known_and_again_when_something_comes_late() {
    let broker = shared();
    let topic = "judged";
    broker.create_topic(topic, 1, &[]).expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");
    let mut service = Service::start(&data, &broker.brokers(), topic);

    let consent = r#""consent":{"scope":["pd:GPSCoordinate"],"method":"explicit"}"#;
    produce(
        &broker.brokers(),
        topic,
        [
            said(
                "c-1",
                "collection",
                "2025-07-01T09:00:00Z",
                r#""purposes":["custody:account"],"categories":[{"term":"custody:contact"}],"location":"US","collection":{"origin":"subject"}"#,
            ),
            located("u-0", "2025-07-01T10:00:00Z"),
            said("g-1", "consent_given", "2025-07-02T09:00:00Z", consent),
            located("u-1", "2025-07-04T09:00:00Z"),
        ],
    );
    service.wait_for_offsets(topic, 4);
    // Brazilian data is promised to Singapore; precise positions need consent.
    wait_for(&service, &["consent_missing", "storage_elsewhere"]);
    let storage = &findings(&service, false)[1];
    assert_eq!(storage.2, ["ALB-2025.076"]);

    // It becomes known that the consent was withdrawn before the second use.
    produce(
        &broker.brokers(),
        topic,
        [said(
            "w-1",
            "consent_withdrawn",
            "2025-07-03T09:00:00Z",
            consent,
        )],
    );
    wait_for(
        &service,
        &["consent_missing", "consent_withdrawn", "storage_elsewhere"],
    );

    // The state survives the machine's end, and goes on from where it was.
    service.kill();
    let mut service = Service::start(&data, &broker.brokers(), topic);
    produce(
        &broker.brokers(),
        topic,
        [located("u-2", "2025-07-05T09:00:00Z")],
    );
    service.wait_for_offsets(topic, 6);
    wait_for(
        &service,
        &[
            "consent_missing",
            "consent_withdrawn",
            "consent_withdrawn",
            "storage_elsewhere",
        ],
    );
    let before = findings(&service, true);
    service.stop();

    // The same from the files, and from a read model and states made anew.
    custody_ok(&["rebuild", "--data", text(&data)]);
    let service = Service::start(&data, &broker.brokers(), topic);
    assert_eq!(findings(&service, true), before);
    service.stop();
    verify(&data);
}
