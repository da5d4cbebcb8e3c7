//! Persons erased on the command line: seen, held, done, certified; and not
//! back after a restore. Most need no broker.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::custody::{Service, custody, custody_ok, data_dir, text, verify};
use crate::kafka::{self, Raw};

const LI: &str = "account:1001";
const MAIL: &str = "email:li@example.com";

/// A ledger of a few persons, made without a broker.
struct Ledger {
    dir: TempDir,
}

impl Ledger {
    fn new() -> Self {
        let ledger = Self { dir: data_dir() };
        let mut lines = String::new();
        for number in 0..12 {
            let account = 1000 + number % 4;
            let mail = if account == 1001 {
                format!(r#","{MAIL}""#)
            } else {
                String::new()
            };
            let subject = format!(r#"{{"ids":["account:{account}"{mail}],"jurisdiction":"DE"}}"#);
            line(
                &mut lines,
                &format!("d-{number}"),
                "disclosure",
                &subject,
                r#","purposes":["account"],"disclosure":{"recipient":{"id":"dhl","name":"DHL","country":"DE"}}"#,
            );
        }
        let li = format!(r#"{{"ids":["{LI}"],"jurisdiction":"DE"}}"#);
        let request = r#","rights_request":{"right":"eu-gdpr:A17","request_id":"dsr-7"}"#;
        line(&mut lines, "q-1", "rights_request", &li, request);
        ledger.import("first", &lines);
        let key = ledger.ok(&["keys", "show"]);
        std::fs::write(ledger.path("vkey"), key).expect("written");
        ledger
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> String {
        text(&self.path("data")).to_owned()
    }

    fn import(&self, name: &str, lines: &str) {
        let path = self.path(&format!("{name}.jsonl"));
        std::fs::write(&path, lines).expect("written");
        self.ok(&["import", text(&path)]);
    }

    /// Runs a command on the data directory.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let data = self.data();
        let output = custody(&[args, &["--data", &data]].concat());
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("UTF-8"),
            String::from_utf8(output.stderr).expect("UTF-8"),
        )
    }

    fn ok(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, Some(0), "{args:?}: {out}{err}");
        out
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).expect("JSON")
    }

    fn check(&self, document: &Path) -> (Option<i32>, Value) {
        let key = self.path("vkey");
        let args = ["check", text(document), "--key-file", text(&key)];
        let output = custody(&args);
        let said = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), said)
    }

    fn generation(&self) -> u64 {
        self.json(&["root", "show"])["generation"]
            .as_u64()
            .expect("a generation")
    }
}

fn line(lines: &mut String, id: &str, kind: &str, subject: &str, more: &str) {
    writeln!(
        lines,
        r#"{{"specversion":"1.0","id":"{id}","source":"//shop.example","type":"custody.{kind}.v1","time":"2026-10-01T09:00:00Z","data":{{"subject":{subject},"service":"alibaba.com","controller":"alibaba-com-singapore","categories":[{{"term":"contact"}}]{more}}}}}"#
    )
    .expect("written");
}

#[test]
fn a_person_is_seen_held_erased_and_certified() {
    let ledger = Ledger::new();
    let before = ledger.generation();
    let preview = ledger.json(&["erase", LI, "--preview"]);
    let seen = &preview["erasure_preview"];
    assert_eq!(seen["persons"], "1");
    assert_eq!(preview["recipients"], serde_json::json!(["dhl"]));
    assert_eq!(seen["open_requests"][0]["request_id"], "dsr-7");
    let reference = seen["references"][0]
        .as_str()
        .expect("a reference")
        .to_owned();

    // Nobody can be asked here, and nothing is done without.
    let (code, _, err) = ledger.run(&["erase", LI]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--yes") && !err.contains(LI), "{err}");

    ledger.ok(&["hold", "place", "case-1", LI]);
    let (code, out, err) = ledger.run(&["erase", LI, "--yes", "--ticket", "dsr-7"]);
    assert_eq!(code, Some(1), "{out}{err}");
    let waiting: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(waiting["erasure"]["matters"], serde_json::json!(["case-1"]));
    let id = waiting["erasure"]["id"].as_str().expect("an id").to_owned();
    ledger.ok(&["subject", LI]);
    let (code, _, _) = ledger.run(&["prove", "erasure", &id]);
    assert_eq!(code, Some(2));

    ledger.ok(&["hold", "lift", "case-1"]);
    let document = ledger.path("erased.json");
    let shown = ledger.json(&["erasure", "show", &id, "--certificate", text(&document)]);
    assert_eq!(shown["erasure"]["state"], "done");
    assert_eq!(ledger.generation(), before + 1);

    let (code, checked) = ledger.check(&document);
    assert_eq!((code, &checked["ok"]), (Some(0), &Value::Bool(true)));
    assert_eq!(checked["erasure"]["references"][0], reference);
    assert_eq!(checked["erasure"]["recipients"], serde_json::json!(["dhl"]));
    let certificate = std::fs::read_to_string(&document).expect("read");
    assert!(!certificate.contains("1001") && !certificate.contains("example.com"));
    let forged = ledger.path("forged.json");
    std::fs::write(&forged, certificate.replacen("AAAA", "AAAB", 1)).expect("written");
    let (code, checked) = ledger.check(&forged);
    assert_eq!(code, Some(1));
    assert!(checked["erasure"].is_null());
    let again = ledger.path("again.json");
    ledger.ok(&["prove", "erasure", &id, "--out", text(&again)]);
    assert_eq!(ledger.check(&again).0, Some(0));

    for gone in [LI, MAIL] {
        let (code, out, err) = ledger.run(&["subject", gone]);
        assert_eq!(code, Some(2), "{out}{err}");
        assert!(err.contains("no person"), "{err}");
    }
    ledger.ok(&["subject", "account:1002", "timeline", "--view", "full"]);
    let requests = ledger.json(&["requests"]);
    assert_eq!(requests["requests"][0]["state"], "erased");
    assert!(requests["requests"][0].get("request_id").is_none());
    verify(&ledger.path("data"));
}

#[test]
fn who_comes_again_is_somebody_else_and_was_erased_until_data_is_given_afresh() {
    let ledger = Ledger::new();
    ledger.ok(&["erase", LI, "--yes", "--mark"]);
    ledger.ok(&["erase", "account:1002", "--yes", "--no-mark"]);
    let event = |id: &str, account: &str, kind: &str, time: &str, more: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"//shop.example","type":"custody.{kind}.v1","time":"{time}","data":{{"subject":{{"ids":["{account}"],"jurisdiction":"DE"}},"service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["account"],"categories":[{{"term":"contact"}}]{more}}}}}
"#
        )
    };
    let operation = r#","use":{"operation":"dpv:Use","system":"crm"}"#;
    let collected = r#","collection":{"origin":"subject"}"#;
    let now = "2026-11-22T09:00:00Z";
    let mut lines = String::new();
    lines += &event("n-1", LI, "use", now, operation);
    lines += &event("n-2", "account:1002", "use", now, operation);
    lines += &event("n-3", LI, "collection", now, collected);
    lines += &event("n-4", LI, "use", now, operation);
    ledger.import("again", &lines);
    let findings = |account: &str| {
        let shown = ledger.json(&["subject", account, "findings", "--code", "after_erasure"]);
        shown["findings"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(findings(LI), 1);
    assert_eq!(findings("account:1002"), 0);
    let timeline = ledger.json(&["subject", LI, "timeline"]);
    let entries = timeline["entries"].as_array().expect("entries");
    let events = entries
        .iter()
        .filter(|it| it["kind"] != "suppression_applied");
    assert_eq!(events.count(), 3, "nothing of before is theirs");
    verify(&ledger.path("data"));
}

#[test]
fn many_are_erased_under_one_new_root_key() {
    let ledger = Ledger::new();
    let before = ledger.generation();
    let file = ledger.path("leavers.txt");
    std::fs::write(
        &file,
        "# leavers\naccount:1000\naccount:1002\naccount:1003\n",
    )
    .expect("written");
    let done = ledger.json(&[
        "erase",
        "--file",
        text(&file),
        "--yes",
        "--reason",
        "closed",
    ]);
    assert_eq!(done["erasure"]["persons"], "3");
    assert_eq!(ledger.generation(), before + 1);
    let (code, _, err) = ledger.run(&["erase", "--file", text(&file), "--yes"]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("more_subjects[1]") && !err.contains("1002"),
        "{err}"
    );
    ledger.ok(&["subject", LI]);
    verify(&ledger.path("data"));
}

#[test]
fn a_restore_erases_again() {
    let ledger = Ledger::new();
    let (shares, backup) = (ledger.path("shares"), ledger.path("backup"));
    let escrow = ["root", "escrow", "--threshold", "2", "--shares", "3"];
    ledger.ok(&[&escrow[..], &["--out", text(&shares)]].concat());
    ledger.ok(&["backup", "--to", text(&backup)]);
    let seen = ledger.json(&["erase", LI, "--preview"]);
    assert!(seen["erasure_preview"]["irreversible_from"].is_string());
    ledger.ok(&["erase", LI, "--yes"]);

    let restored = ledger.path("restored");
    let at = text(&restored);
    let restore =
        |more: &[&str]| custody(&[&["restore", text(&backup), "--data", at], more].concat());
    std::fs::create_dir(&restored).expect("a directory");
    let (first, third) = (shares.join("1.txt"), shares.join("3.txt"));
    let too_few = custody(&["root", "recover", text(&first), "--data", at]);
    assert_eq!(too_few.status.code(), Some(2));
    custody_ok(&["root", "recover", text(&first), text(&third), "--data", at]);
    let refused = restore(&[]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(said.contains("register"), "{said}");

    for kept in ["root.key.erasures", "signing.key"] {
        std::fs::copy(ledger.path("data").join(kept), restored.join(kept)).expect("copied");
    }
    let done = restore(&["--format", "json"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let done: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(done["register_state"], "replayed");
    assert_eq!(done["erased_again"], 1);
    let gone = custody(&["subject", LI, "--data", at]);
    assert_eq!(gone.status.code(), Some(2));
    custody_ok(&[
        "subject",
        "account:1002",
        "timeline",
        "--view",
        "full",
        "--data",
        at,
    ]);
    // The house shard of the backup did not know of it, and is told.
    let list = custody_ok(&["erasure", "list", "--state", "done", "--data", at]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["erasures"].as_array().map(Vec::len), Some(1));
    verify(&restored);
    verify(&ledger.path("data"));
}

#[test]
fn persons_are_linked_unlinked_and_identifiers_given_back() {
    let ledger = Ledger::new();
    let persons = |id: &str| {
        let shown = ledger.json(&["identity", "show", id]);
        shown["references"].as_array().map_or(0, Vec::len)
    };
    let two = [LI, "account:1002"];
    ledger.ok(&[
        &["identity", "link"],
        &two[..],
        &["--cause", "support-case"],
    ]
    .concat());
    assert_eq!((persons(LI), persons("account:1002")), (2, 2));
    ledger.ok(&[&["identity", "unlink"], &two[..], &["--cause", "mistake"]].concat());
    assert_eq!((persons(LI), persons("account:1002")), (1, 1));
    let (code, _, err) = ledger.run(&["identity", "link", LI, LI, "--cause", "x"]);
    assert_eq!(code, Some(2));
    assert!(!err.contains(LI), "{err}");
    let released = ["identity", "release", "account:1003", "--cause", "returned"];
    ledger.ok(&released);
    let (code, _, err) = ledger.run(&["identity", "release", LI, "--cause", "He has moved"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("code") && !err.contains("moved"), "{err}");
    verify(&ledger.path("data"));
}

#[test]
fn a_server_erases_while_events_come_in() {
    let dir = data_dir();
    let data = dir.path().join("data");
    let (broker, topic) = (kafka::shared(), "erased");
    broker.create_topic(topic, 1, &[]).expect("a topic");
    let brokers = broker.brokers();
    let mut service = Service::start(&data, &brokers, topic);
    let event = |number: u32, account: u32| {
        let id = format!("account:{account}");
        let event = format!(
            r#"{{"specversion":"1.0","id":"e-{number}","source":"//shop.example","type":"custody.collection.v1","time":"2026-10-01T09:00:00Z","data":{{"subject":{{"ids":["{id}"]}},"collection":{{"origin":"subject"}}}}}}"#
        );
        Raw::json(&id, &event)
    };
    let first: Vec<Raw> = (0..40)
        .map(|number| event(number, 7000 + number % 4))
        .collect();
    kafka::produce(&brokers, topic, first);
    service.wait_for_offsets(topic, 40);
    let server = service.listen.clone();
    let erased = dir.path().join("erased.json");
    let done = custody_ok(&[
        "erase",
        "account:7001",
        "--yes",
        "--certificate",
        text(&erased),
        "--server",
        &server,
    ]);
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!(done["erasure"]["state"], "done");
    assert_eq!(done["entries"], "10");
    // The same account again is a new person.
    let later: Vec<Raw> = (40..44).map(|number| event(number, 7001)).collect();
    kafka::produce(&brokers, topic, later);
    service.wait_for_offsets(topic, 44);
    let shown = custody_ok(&["subject", "account:7001", "--server", &server]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["entries_by_kind"]["collection"], "4");
    let log = service.log_text();
    assert!(!log.contains("account:70"), "{log}");
    service.stop();
    let key = dir.path().join("vkey");
    let shown = custody_ok(&["keys", "show", "--data", text(&data)]);
    std::fs::write(&key, shown).expect("written");
    custody_ok(&["check", text(&erased), "--key-file", text(&key)]);
    verify(&data);
}
