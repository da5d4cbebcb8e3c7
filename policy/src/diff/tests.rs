use super::{Change, Difference, Topic, diff};
use crate::{Pack, Ruleset};

const HEAD: &str = r#"
format = 1
policy.family = "S"
policy.title = "S"
policy.services = ["s"]
"#;

fn ruleset(a: &str, b: &str) -> Ruleset {
    let pack = |name: &str, year: &str, head: &str, clauses: &str| {
        let text = format!(
            "{HEAD}policy.id = \"{name}\"\npolicy.effective = {year}-01-01\n{head}\nclause = [{clauses}]\n"
        );
        Pack::parse(name, &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    };
    let split = |text: &str| {
        let (head, clauses) = text.split_once("---").unwrap_or(("", text));
        (head.to_owned(), clauses.to_owned())
    };
    let (a, b) = (split(a), split(b));
    Ruleset::compile(vec![
        pack("A", "2020", &a.0, &a.1),
        pack("B", "2025", &b.0, &b.1),
    ])
    .unwrap()
}

fn between(a: &str, b: &str) -> Vec<Difference> {
    let rules = ruleset(a, b);
    diff((&rules, "A"), (&rules, "B")).unwrap()
}

fn one(a: &str, b: &str) -> Difference {
    let mut all = between(a, b);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

const MARKETING_A: &str =
    r#"{ id = "A.1", section = "1", kind = "purpose", code = "direct_marketing", summary = "s" }"#;

fn marketing(more: &str) -> String {
    format!(
        r#"{{ id = "B.1", section = "1", kind = "purpose", code = "direct_marketing", summary = "s", {more} }}"#
    )
}

#[test]
fn a_version_is_like_itself() {
    for policy in Ruleset::builtin().policies() {
        let rules = Ruleset::builtin();
        let changes = diff((rules, policy.id()), (rules, policy.id())).unwrap();
        assert!(changes.is_empty(), "{}: {changes:?}", policy.id());
    }
    assert!(
        diff(
            (Ruleset::builtin(), "ALB-2020"),
            (Ruleset::builtin(), "NO-1")
        )
        .is_none()
    );
}

#[test]
fn what_only_one_declares() {
    let added = one("", &marketing("where = [\"DE\"]"));
    assert_eq!(added.topic, Topic::Purpose);
    assert_eq!(added.term, "custody:direct_marketing");
    assert_eq!(added.change, Change::Permitted);
    assert_eq!(
        (added.whom.as_str(), &added.places[..]),
        ("DE", &["DE"][..])
    );
    assert_eq!(added.clauses_after, ["B.1"]);
    let removed = one(MARKETING_A, "");
    assert_eq!(removed.change, Change::Forbidden);
    assert_eq!(removed.clauses_before, ["A.1"]);
    assert_eq!(removed.whom, "");
}

#[test]
fn a_broader_term_stands_for_those_below_it() {
    let clause = r#"{ id = "B.1", section = "1", kind = "category", covers = ["pd:Contact"], summary = "s" }"#;
    let added = one("", clause);
    assert_eq!(added.term, "pd:Contact");
    assert!(added.narrower > 3, "{added:?}");
}

#[test]
fn conditions_get_stricter_and_looser() {
    let cases = [
        ("consent = {}", Change::Stricter),
        ("consent = { explicit = true }", Change::Stricter),
        ("roles = [\"buyer\"]", Change::Stricter),
        ("anonymised = true", Change::Stricter),
    ];
    for (condition, change) in cases {
        let it = one(MARKETING_A, &marketing(condition));
        assert_eq!(it.change, change, "{condition}: {it:?}");
        assert_eq!((it.before.as_str(), it.whom.as_str()), ("declared", ""));
        assert!(it.after.starts_with("declared, only "), "{it:?}");
        // And the other way round.
        let rules = ruleset(MARKETING_A, &marketing(condition));
        let back = diff((&rules, "B"), (&rules, "A")).unwrap();
        assert_eq!(back[0].change, Change::Looser, "{condition}");
    }
}

#[test]
fn consent_in_a_region_is_stricter_there() {
    let it = one(
        MARKETING_A,
        &marketing("consent = { where = [\"EU\", \"UK\"] }"),
    );
    assert_eq!(it.change, Change::Stricter);
    assert_eq!(it.whom, "EU, UK");
    // GP and RE have codes of their own, and the law of the Union.
    for place in ["FR", "RE", "GB"] {
        assert!(it.places.contains(&place), "{place}: {it:?}");
    }
}

#[test]
fn what_is_tied_and_to_what() {
    let tail = r#", { id = "X.2", section = "1", kind = "category", code = "contact", summary = "s" },
        { id = "X.3", section = "1", kind = "category", code = "payment", summary = "s" }"#;
    let a = format!("{MARKETING_A}{}", tail.replace('X', "A"));
    let b = |categories: &str| {
        format!(
            "{}{}",
            marketing(&format!("categories = [{categories}]")),
            tail.replace('X', "B")
        )
    };
    let it = one(&a, &b("\"contact\""));
    assert_eq!(
        (it.change, it.after.as_str()),
        (Change::Stricter, "declared, only with custody:contact")
    );
}

#[test]
fn lists_of_places_and_controllers() {
    let clause = |policy: &str, rest: &str| {
        format!(r#"{{ id = "{policy}.1", section = "1", summary = "s", {rest} }}"#)
    };
    let cases = [
        (
            r#"kind = "storage", countries = ["DE", "US"]"#,
            r#"kind = "storage", countries = ["DE"]"#,
            Topic::Storage,
            Change::Stricter,
        ),
        (
            r#"kind = "storage", countries = ["DE"]"#,
            r#"kind = "storage", countries = ["SG"]"#,
            Topic::Storage,
            Change::Different,
        ),
        (
            r#"kind = "controller", controllers = ["one"]"#,
            r#"kind = "controller", controllers = ["two"]"#,
            Topic::Controller,
            Change::Different,
        ),
        (
            r#"kind = "destination", closed = true, countries = ["DE"]"#,
            r#"kind = "destination", closed = true, countries = ["DE", "SG"]"#,
            Topic::Destination,
            Change::Looser,
        ),
    ];
    for (a, b, topic, change) in cases {
        let it = one(&clause("A", a), &clause("B", b));
        assert_eq!((it.topic, it.change), (topic, change), "{it:?}");
        assert_eq!(
            (&it.clauses_before[..], &it.clauses_after[..]),
            (&["A.1".to_owned()][..], &["B.1".to_owned()][..])
        );
    }
}

#[test]
fn promises_and_what_the_head_asks_for() {
    let only = |rest: &str| format!(r#"{{ id = "B.1", section = "1", summary = "s", {rest} }}"#);
    let minors = one("", &only(r#"kind = "minors", takes_none = true"#));
    assert_eq!(
        (minors.topic, minors.change),
        (Topic::Minors, Change::Stricter)
    );
    let sale = one("", &only(r#"kind = "no_sale""#));
    assert_eq!((sale.topic, sale.change), (Topic::Sale, Change::Stricter));
    let origin = one("", &only(r#"kind = "origin", origins = ["public"]"#));
    assert_eq!(
        (origin.topic, origin.label.as_str()),
        (Topic::Origin, "public")
    );
    assert_eq!(origin.change, Change::Permitted);
    let basis = one("", "policy.basis_required = [\"UK\"]\n---");
    assert_eq!(
        (basis.topic, basis.change, basis.whom.as_str()),
        (Topic::Basis, Change::Stricter, "UK")
    );
}

#[test]
fn where_one_version_does_not_apply_nothing_else_is_compared() {
    let b = format!(
        "{},{}",
        marketing(""),
        r#"{ id = "B.2", section = "1", kind = "exclusion", where = ["CN"], summary = "s" }"#
    )
    .replace(", }", " }");
    let it = one(MARKETING_A, &b);
    assert_eq!((it.topic, it.whom.as_str()), (Topic::Scope, "CN"));
    assert_eq!(it.clauses_after, ["B.2"]);
}
