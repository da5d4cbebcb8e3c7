//! What a pack says that only its text shows: the judge keeps it compiled.

use std::collections::HashMap;

use custody_policy::Pack;
use custody_proto::{Timestamp, v1};
use toml::{Table, Value};

/// A pack's text, read again.
pub(crate) struct PackText {
    policy: Table,
    /// In the order of the file, which decides who the controller is.
    clauses: Vec<Table>,
    by_id: HashMap<String, usize>,
}

impl PackText {
    pub(crate) fn of(pack: &Pack) -> Self {
        // What the policy crate has let in is TOML.
        let mut file: Table = pack.text().parse().unwrap_or_default();
        let policy = match file.remove("policy") {
            Some(Value::Table(policy)) => policy,
            _ => Table::new(),
        };
        let clauses: Vec<Table> = match file.remove("clause") {
            Some(Value::Array(clauses)) => clauses
                .into_iter()
                .filter_map(|clause| match clause {
                    Value::Table(clause) => Some(clause),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let ids = clauses.iter().map(|clause| text_of(clause, "id"));
        let by_id = ids.enumerate().map(|(index, id)| (id, index)).collect();
        Self {
            policy,
            clauses,
            by_id,
        }
    }

    /// A text of the head; empty where it is not said.
    pub(crate) fn of_policy(&self, key: &str) -> String {
        text_of(&self.policy, key)
    }

    /// A list of the head.
    pub(crate) fn list_of_policy(&self, key: &str) -> Vec<String> {
        list_of(&self.policy, key)
    }

    /// A list of a clause.
    pub(crate) fn list(&self, clause: &str, key: &str) -> Vec<String> {
        self.clause(clause)
            .map(|clause| list_of(clause, key))
            .unwrap_or_default()
    }

    /// The beginning of a day that a clause names.
    pub(crate) fn day(&self, clause: &str, key: &str) -> Option<Timestamp> {
        match self.clause(clause)?.get(key)? {
            Value::Datetime(day) => format!("{}T00:00:00Z", day.date?).parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn controllers(&self) -> Vec<v1::PolicyController> {
        let named = self.of_kind("controller");
        named
            .map(|clause| v1::PolicyController {
                controllers: list_of(clause, "controllers"),
                r#where: list_of(clause, "where"),
                clause: text_of(clause, "id"),
            })
            .collect()
    }

    pub(crate) fn exclusions(&self) -> Vec<v1::PolicyExclusion> {
        let named = self.of_kind("exclusion");
        named
            .map(|clause| v1::PolicyExclusion {
                r#where: list_of(clause, "where"),
                recipients: list_of(clause, "recipients"),
                clause: text_of(clause, "id"),
            })
            .collect()
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Table> {
        self.clauses
            .iter()
            .filter(move |clause| clause.get("kind").and_then(Value::as_str) == Some(kind))
    }

    fn clause(&self, id: &str) -> Option<&Table> {
        self.clauses.get(*self.by_id.get(id)?)
    }
}

fn text_of(table: &Table, key: &str) -> String {
    let text = table.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn list_of(table: &Table, key: &str) -> Vec<String> {
    let list = table.get(key).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
