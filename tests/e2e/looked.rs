//! Who looked is written down, and what is new is told, through the command
//! line of a node that takes events in.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::custody::{Service, custody, custody_ok, data_dir, text, verify};
use crate::kafka::{Raw, produce, shared};

const PERSON: &str = "account:8812345";

fn collection(id: &str) -> Raw {
    Raw::json(
        PERSON,
        &format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"//orders.example","type":"custody.collection.v1","time":"2025-03-01T09:00:00Z","data":{{"subject":{{"ids":["{PERSON}"],"jurisdiction":"DE"}},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["custody:orders"],"categories":[{{"term":"custody:contact"}}],"legal_basis":"eu-gdpr:A6-1-b","location":"DE","collection":{{"origin":"subject"}}}}}}"#
        ),
    )
}

fn consultations(args: &[&str]) -> Vec<Value> {
    let asked = ["subject", PERSON, "consultations", "--format", "json"];
    let all = custody_ok(&[&asked[..], args].concat());
    let mut answer: Value = serde_json::from_str(&all).expect("JSON");
    match answer["entries"].take() {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    }
}

#[test]
fn a_person_can_be_told_who_looked_and_watchers_hear_what_is_new() {
    let broker = shared();
    let topic = "looked";
    broker.create_topic(topic, 2, &[]).expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");
    let extra = ["--consultations", "durable"];
    let mut service = Service::spawn(&data, &broker.brokers(), topic, &extra);
    service.wait_for_answers();
    produce(
        &broker.brokers(),
        topic,
        [collection("c-1"), collection("c-2")],
    );
    service.wait_for_offsets(topic, 2);

    let server = format!("http://{}", service.listen);
    let mut watcher = Command::new(env!("CARGO_BIN_EXE_custody"))
        .args(["watch", PERSON, "--server", &server, "--kind", "collection"])
        .args(["--only", "entries", "--from-start"])
        .args(["--count", "3", "--caller", "watcher"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("custody starts");
    let mut lines = BufReader::new(watcher.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    let told = [next(), next()];
    for new in &told {
        assert_eq!(new["entry"]["entry"]["kind"], "collection");
    }
    produce(&broker.brokers(), topic, [collection("c-3")]);
    let last = next();
    assert_ne!(last["resume_token"], told[1]["resume_token"]);
    assert!(watcher.wait().expect("ended").success());
    // Who goes on after the first hears the other two, and nothing twice.
    let token = told[0]["resume_token"].as_str().expect("a token");
    let again = custody_ok(&[
        "watch",
        PERSON,
        "--server",
        &server,
        "--kind",
        "collection",
        "--only",
        "entries",
        "--resume",
        token,
        "--count",
        "2",
        "--caller",
        "watcher",
    ]);
    let again: Vec<Value> = again
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    // A token also says how far the other shards were looked at.
    let entries =
        |told: &[Value]| -> Vec<Value> { told.iter().map(|new| new["entry"].clone()).collect() };
    assert_eq!(entries(&again), entries(&[told[1].clone(), last]));

    custody_ok(&[
        "subject",
        PERSON,
        "recipients",
        "--server",
        &server,
        "--caller",
        "li.wei",
        "--role",
        "dpo",
        "--reason",
        "request 17: 客户",
    ]);
    let said: Vec<Value> = consultations(&["--server", &server, "--caller", "dpo"])
        .into_iter()
        .map(|entry| entry["sealed"]["data"]["consultation"].clone())
        .collect();
    let [watched, looked] = said.as_slice() else {
        panic!("{said:#?}");
    };
    assert_eq!(watched["by"], "watcher");
    assert_eq!(
        [
            &looked["by"],
            &looked["role"],
            &looked["reason"],
            &looked["query"]
        ],
        [
            "li.wei",
            "dpo",
            "request 17: 客户",
            "custody.v1.LineageService/ListRecipients"
        ],
    );

    service.stop();
    // Reading files writes nothing, and shows the last question too.
    let offline = ["--data", text(&data)];
    assert_eq!(consultations(&offline).len(), 3);
    assert_eq!(consultations(&offline).len(), 3);
    let table = custody_ok(&[
        "subject",
        PERSON,
        "consultations",
        "--data",
        text(&data),
        "--format",
        "table",
    ]);
    assert!(
        table.contains("li.wei") && table.contains("客户"),
        "{table}"
    );
    assert!(
        !custody(&["watch", PERSON, "--server", &server])
            .status
            .success()
    );
    verify(&data);
}
