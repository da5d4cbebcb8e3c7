use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use custody_ingest::import::import;
use custody_ingest::pipeline::{DeadLetter, DeadLetters, StopSignal, Undelivered};
use custody_policy::Pack;

use super::*;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::node::pipeline;

const SHOP: &str = include_str!("../../../policy/examples/corner-shop.toml");

struct Nothing;

impl DeadLetters for Nothing {
    fn deliver(&self, letters: &[DeadLetter], _: &StopSignal) -> Result<(), Undelivered> {
        assert!(letters.is_empty(), "{:?}", letters[0].rejection);
        Ok(())
    }
}

fn event(id: &str, kind: &str, day: &str, rest: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"//s.example","type":"custody.{kind}.v1","time":"2026-06-{day}T08:00:00Z","datacontenttype":"application/json","data":{{"subject":{{"ids":["account:1005"],"jurisdiction":"DE","role":"buyer"}},"service":"corner-shop",{rest}}}}}"#
    )
}

/// A consent, a newsletter, its end, and one more newsletter.
fn story() -> String {
    let newsletter = r#""purposes":["custody:direct_marketing"],"categories":[{"term":"pd:EmailAddress"}],"legal_basis":"eu-gdpr:A6-1-a","use":{"operation":"dpv:Use"}"#;
    let consent = r#""consent":{"scope":["custody:direct_marketing"],"method":"explicit","given_by":"subject"}"#;
    [
        event("1", "consent_given", "01", consent),
        event("2", "use", "02", newsletter),
        event("3", "consent_withdrawn", "03", consent),
        event("4", "use", "04", newsletter),
    ]
    .join("\n")
}

struct Recorded {
    _dir: tempfile::TempDir,
    data: DataDir,
    rules: Ruleset,
}

fn recorded(text: &str) -> Recorded {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, text).unwrap();
    let config = Config {
        data_dir: dir.path().join("data"),
        ..Config::default()
    };
    let rules = Ruleset::compile(vec![Pack::parse("shop", SHOP).unwrap()]).unwrap();
    let data = DataDir::open(&config).unwrap();
    let running = pipeline(&config, &data, &rules, Arc::new(Nothing)).unwrap();
    import(Path::new(&file), &running, |_| {}).unwrap();
    running.settle(Duration::from_secs(20)).unwrap();
    running.stop(Duration::from_secs(20)).unwrap();
    Recorded {
        _dir: dir,
        data,
        rules,
    }
}

impl Recorded {
    fn ask(&self, rules: &Ruleset, change: impl FnOnce(&mut Question<'_>)) -> Report {
        let waivers = Waivers::default();
        let mut question = Question {
            rules,
            policy: None,
            from_ns: i64::MIN,
            to_ns: i64::MAX,
            subject: None,
            retention_days: None,
            waivers: &waivers,
            now_ns: 0,
        };
        change(&mut question);
        rejudge(&self.data.ledger, &self.data.vault, &question, &mut |_| {}).unwrap()
    }
}

#[test]
fn the_same_rules_say_the_same() {
    let recorded = recorded(&story());
    let report = recorded.ask(&recorded.rules, |_| {});
    assert_eq!(
        (report.entries, report.differing, report.unreadable),
        (2, 0, 0),
        "{report:?}"
    );
    assert_eq!(
        report.codes["consent_withdrawn"],
        Change {
            before: 1,
            after: 1
        }
    );
    assert_eq!(
        report.outcomes["conforms"],
        Change {
            before: 1,
            after: 1
        }
    );
}

#[test]
fn other_rules_say_otherwise_and_nothing_changes() {
    let recorded = recorded(&story());
    let heads = recorded.data.ledger.shards();
    // Without the clause that asks for consent and the basis that is one.
    let free = SHOP.replace("consent = { explicit = true }, ", "");
    let free = free.replace("code = \"direct_marketing\"", "code = \"legal_claims\"");
    let free = free.replace(
        "stops = [\"direct_marketing\"]",
        "stops = [\"legal_claims\"]",
    );
    let rules = Ruleset::compile(vec![Pack::parse("shop", &free).unwrap()]).unwrap();
    let report = recorded.ask(&rules, |_| {});
    assert_eq!((report.entries, report.differing), (2, 2), "{report:?}");
    assert_eq!(
        report.codes["undeclared_purpose"],
        Change {
            before: 0,
            after: 2
        }
    );
    assert_eq!(report.details[0].before.judgement, "conforms");
    let after = recorded.data.ledger.shards();
    assert_eq!(format!("{heads:?}"), format!("{after:?}"));
}

#[test]
fn a_range_a_person_and_a_version() {
    let recorded = recorded(&story());
    let day = |day: i64| 1_780_272_000_000_000_000 + (day - 1) * 86_400_000_000_000;
    let some = |change: fn(&mut Question<'_>)| recorded.ask(&recorded.rules, change).entries;
    assert_eq!(
        recorded
            .ask(&recorded.rules, |it| it.from_ns = day(3))
            .entries,
        1
    );
    assert_eq!(
        recorded
            .ask(&recorded.rules, |it| it.to_ns = day(1))
            .entries,
        0
    );
    assert_eq!(some(|it| it.subject = Some("account:1005")), 2);
    assert_eq!(some(|it| it.policy = Some("SHOP-2026")), 2);
    let waivers = Waivers::default();
    let nobody = Question {
        rules: &recorded.rules,
        policy: None,
        from_ns: i64::MIN,
        to_ns: i64::MAX,
        subject: Some("account:nobody"),
        retention_days: None,
        waivers: &waivers,
        now_ns: 0,
    };
    let (ledger, vault) = (&recorded.data.ledger, &recorded.data.vault);
    let error = rejudge(ledger, vault, &nobody, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nobody is known") && !error.contains("account:"),
        "{error}"
    );
}
