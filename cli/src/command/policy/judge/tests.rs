use custody_policy::Ruleset;

use super::*;

const EVENT: &str = r#"{"specversion":"1.0","id":"e-1","source":"//s.example",
    "type":"custody.collection.v1","time":"2025-10-09T00:00:00Z","datacontenttype":"application/json",
    "data":{"subject":{"ids":["account:1"],"jurisdiction":"BR","role":"buyer"},
    "service":"alibaba.com","controller":"alibaba-com-singapore","purposes":["custody:account"],
    "categories":[{"term":"custody:contact"}],"legal_basis":"dpv:ContractPerformance",
    "location":"US","collection":{"origin":"subject"}}}"#;

fn answer(event: &str, history: &[Said]) -> JudgeResponse {
    let rules = Ruleset::builtin();
    let event = said(event.as_bytes(), Path::new("event.json"), None).unwrap();
    let mut person = Rehearsal::new(rules);
    for earlier in history {
        person.take(earlier).unwrap();
    }
    judged(rules, &person.explain(&event, None).unwrap().unwrap())
}

fn shown(answer: &JudgeResponse) -> String {
    let mut out = Vec::new();
    let look = Look {
        width: None,
        colour: false,
    };
    write_people(answer, &mut out, look).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_finding_is_shown_with_its_clause_and_why() {
    let text = shown(&answer(EVENT, &[]));
    assert!(text.starts_with("violation, by ALB-2025\n"), "{text}");
    for part in [
        "violation: storage_elsewhere – Stored outside the country",
        "[US, SG]",
        "ALB-2025.076",
        "section 1",
        "Reasoning\n  1. ALB-2025",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_conforms_is_explained_too() {
    let answer = answer(&EVENT.replace("\"US\"", "\"SG\""), &[]);
    assert_eq!(answer.judgement, "conforms");
    let text = shown(&answer);
    assert!(
        text.starts_with("conforms, by ALB-2025\n\nDeclared by\n"),
        "{text}"
    );
    assert!(
        answer.reasoning.len() > 3 && text.contains("Reasoning"),
        "{text}"
    );
    assert!(!records(&answer).is_empty());
}

#[test]
fn an_event_that_is_none_names_the_file_and_not_what_it_says() {
    let error = said(b"{\"id\":\"li@example.com\"}", Path::new("e.json"), Some(3));
    let error = error.err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("e.json:3: ") && !text.contains("li@"),
        "{text}"
    );
}

#[test]
fn history_leaves_out_comments() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.jsonl");
    let line = EVENT.replace('\n', " ");
    std::fs::write(&path, format!("# before\n\n{line}\n{line}")).unwrap();
    assert_eq!(history(&path).unwrap().len(), 2);
    std::fs::write(&path, format!("{line}\nnone")).unwrap();
    let error = history(&path).err().unwrap().to_string();
    assert!(error.contains("h.jsonl:2: "), "{error}");
}

#[test]
fn the_messages_are_the_contracts() {
    let rules = Ruleset::builtin();
    for policy in rules.policies() {
        let shown = super::super::message::whole(rules, policy);
        assert_eq!(shown.clauses.len(), policy.clauses().len());
        assert!(!shown.controllers.is_empty(), "{}", policy.id());
        let json = serde_json::to_value(&shown).unwrap();
        assert!(
            json["effective_at"].as_str().unwrap().ends_with('Z'),
            "{json}"
        );
    }
}
