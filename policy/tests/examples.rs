//! The invented shop of the tutorial: short, whole, and judged as its cases say.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use custody_policy::{Case, Pack, Ruleset, Treatment};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

fn pack() -> Pack {
    Pack::parse("corner-shop.toml", &read("examples/corner-shop.toml"))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn fifteen_clauses_take_less_than_a_hundred_lines() {
    assert!(read("examples/corner-shop.toml").lines().count() < 100);
    let pack = pack();
    assert_eq!(pack.clauses().len(), 15);
    for clause in pack.clauses() {
        assert_eq!(clause.treatment, Treatment::Enforced, "{}", clause.id);
    }
}

#[test]
fn its_cases_come_out_as_they_say() {
    let rules = Ruleset::compile(vec![pack()]).unwrap();
    let text = read("examples/corner-shop.jsonl");
    let mut conforming = 0;
    for line in text.lines() {
        let case = Case::parse(line).unwrap();
        let result = case.run(&rules).unwrap();
        assert!(
            result.failures.is_empty(),
            "{}: {:?}\n{:#?}",
            case.id,
            result.failures,
            result.steps
        );
        conforming += usize::from(line.contains("\"conforms\""));
    }
    assert_eq!((text.lines().count(), conforming), (8, 4));
}

/// What the tutorial says to write is what stands in the file.
#[test]
fn the_tutorial_writes_this_file() {
    let tutorial = read("../docs/policy-tutorial.md");
    let file = read("examples/corner-shop.toml");
    let in_file: Vec<&str> = file.lines().map(str::trim).collect();
    let mut clauses = 0;
    for block in tutorial.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(in_file.contains(&line), "{line}");
            clauses += usize::from(line.starts_with("{ id ="));
        }
    }
    assert_eq!(clauses, 15);
}
