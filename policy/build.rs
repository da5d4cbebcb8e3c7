//! Compiles the files under `vocab/` into one static table, so that a term
//! that is said twice or has an unknown parent fails the build, not a process.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

const FILES: [&str; 2] = ["vocab/dpv-2.3.csv", "vocab/custody.csv"];

/// Parents that DPV names and the extract does not hold. A term whose only
/// parent is one of these is a root here.
const OUTSIDE: [&str; 16] = [
    "dpv:AuditStatus",
    "dpv:ConformanceStatus",
    "dpv:DPIA",
    "dpv:ImpactAssessment",
    "dpv:Intended",
    "dpv:Lawfulness",
    "dpv:LegalMeasure",
    "dpv:OrganisationalMeasure",
    "dpv:PrimaryUse",
    "dpv:ReuseCompatibility",
    "dpv:SecondaryUse",
    "dpv:Service",
    "dpv:Status",
    "dpv:TechnicalMeasure",
    "dpv:Unintended",
    // The extension for risks.
    "https://w3id.org/dpv/risk#",
];

struct Row {
    curie: String,
    group: String,
    label: String,
    broader: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=vocab");

    let mut rows = Vec::new();
    let mut digest = blake3::Hasher::new();
    for file in FILES {
        let bytes = std::fs::read(file)?;
        digest.update(&(file.len() as u64).to_le_bytes());
        digest.update(file.as_bytes());
        digest.update(&(bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
        let local = file.ends_with("custody.csv");
        for record in csv::Reader::from_reader(bytes.as_slice()).records() {
            let record = record?;
            let field = |i: usize| record.get(i).unwrap_or_default().to_owned();
            let (curie, group) = if local {
                (format!("custody:{}", field(1)), field(0))
            } else {
                (field(0), field(1))
            };
            rows.push(Row {
                curie,
                group,
                label: field(2),
                broader: field(3)
                    .split(';')
                    .filter(|parent| !parent.is_empty())
                    .map(str::to_owned)
                    .collect(),
            });
        }
    }

    let parents = resolve_parents(&rows)?;
    let mut code = format!("static TERMS: [TermRow; {}] = [\n", rows.len());
    for (index, row) in rows.iter().enumerate() {
        writeln!(
            code,
            "    TermRow {{ curie: {:?}, label: {:?}, group: {:?}, broader: &{}, ancestors: &{} }},",
            row.curie,
            row.label,
            row.group,
            list(parents[index].iter().copied()),
            list(ancestors(index, &parents).into_iter()),
        )?;
    }
    code.push_str("];\n");
    writeln!(
        code,
        "pub(crate) static VOCABULARY_DIGEST: [u8; 32] = {:?};",
        digest.finalize().as_bytes()
    )?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("terms.rs");
    std::fs::write(out, code)?;
    Ok(())
}

/// The parents of each row, as row numbers.
fn resolve_parents(rows: &[Row]) -> Result<Vec<Vec<usize>>, Box<dyn Error>> {
    let mut by_key: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        // A local code may stand in two kinds; a DPV term stands once.
        let group = if row.curie.starts_with("custody:") {
            row.group.as_str()
        } else {
            ""
        };
        if by_key.insert((row.curie.as_str(), group), index).is_some() {
            return Err(format!("{} ({}) is said twice", row.curie, row.group).into());
        }
    }
    let find = |row: &Row, parent: &str| -> Option<usize> {
        if parent.starts_with("custody:") {
            let same = by_key.get(&(parent, row.group.as_str()));
            return same.or_else(|| by_key.get(&(parent, "law"))).copied();
        }
        by_key.get(&(parent, "")).copied()
    };
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let mut parents = Vec::new();
        for parent in &row.broader {
            match find(row, parent) {
                Some(index) => parents.push(index),
                None if OUTSIDE.iter().any(|o| outside(o, parent)) => {}
                None => return Err(format!("{}: unknown parent {parent}", row.curie).into()),
            }
        }
        all.push(parents);
    }
    Ok(all)
}

fn outside(known: &str, parent: &str) -> bool {
    parent == known || (known.ends_with('#') && parent.starts_with(known))
}

/// Everything above a row, in ascending order. A cycle ends where it began.
fn ancestors(start: usize, parents: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = parents[start].clone();
    while let Some(index) = open.pop() {
        if index != start && found.insert(index) {
            open.extend(&parents[index]);
        }
    }
    found
}

fn list(terms: impl Iterator<Item = usize>) -> String {
    let items: Vec<String> = terms.map(|t| format!("Term({t})")).collect();
    format!("[{}]", items.join(", "))
}
