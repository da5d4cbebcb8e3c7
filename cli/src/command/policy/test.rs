//! `custody policy test`: cases, and whether the judge says what they expect.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_policy::{Case, CaseResult, Ruleset};
use serde::Serialize;

use super::judge::read;
use super::packs::PackFlags;
use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::output::{items, write_json};

/// Runs cases: an event, what happened before, and what must be found
///
/// One JSON object a line; blank lines and lines that begin with # are left
/// out. What failed is printed with the reasoning. A line that is no case has
/// failed too.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody policy test cases.jsonl --pack corner-shop.toml
  custody policy test policy/cases/*.jsonl
  custody policy test cases.jsonl --only newsletter --format json

Exit status 1 where a case failed.")]
pub(super) struct Args {
    /// JSON Lines of cases; `-` reads standard input
    #[arg(required = true, value_name = "CASES")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    packs: PackFlags,
    /// Only cases with this in their id
    #[arg(long, value_name = "ID-PART")]
    only: Option<String>,
    /// Prints the ids of what failed, without the reasoning
    #[arg(long)]
    quiet: bool,
    /// text, also in a pipe, or json
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    Json,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let rules = self.packs.compile(global)?;
        let mut lines = Vec::new();
        for path in &self.files {
            let bytes = read(path)?;
            for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
                let line = line.trim_ascii();
                if !line.is_empty() && !line.starts_with(b"#") {
                    lines.push((path.as_path(), index + 1, line.to_vec()));
                }
            }
        }
        let bar = items(Some(lines.len() as u64), "cases");
        let mut report = Report::default();
        for (path, line, text) in &lines {
            report.add(run_line(&rules, path, *line, text, self.only.as_deref()));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let mut out = io::stdout().lock();
        match self.format {
            Form::Json => write_json(&mut out, &report)?,
            Form::Text => report.write(&mut out, self.quiet)?,
        }
        Ok(if report.failed == 0 {
            Exit::Done
        } else {
            Exit::Bad
        })
    }
}

/// What became of all cases.
#[derive(Debug, Default, Serialize)]
struct Report {
    cases: usize,
    passed: usize,
    failed: usize,
    /// Left out by `--only`.
    left_out: usize,
    failures: Vec<Failure>,
}

/// A case that failed, or a line that is none.
#[derive(Debug, Serialize)]
struct Failure {
    file: String,
    line: usize,
    id: String,
    section: String,
    why: String,
    failures: Vec<String>,
    judgement: String,
    codes: Vec<String>,
    reasoning: Vec<String>,
}

enum Ran {
    LeftOut,
    Passed,
    Failed(Box<Failure>),
}

fn run_line(rules: &Ruleset, path: &Path, line: usize, text: &[u8], only: Option<&str>) -> Ran {
    let failed = |id: &str, failures: Vec<String>| Failure {
        file: path.display().to_string(),
        line,
        id: id.to_owned(),
        section: String::new(),
        why: String::new(),
        failures,
        judgement: String::new(),
        codes: Vec::new(),
        reasoning: Vec::new(),
    };
    let parsed = std::str::from_utf8(text)
        .map_err(|_| "not UTF-8".to_owned())
        .and_then(|text| Case::parse(text).map_err(|error| error.to_string()));
    let case = match parsed {
        Ok(case) => case,
        Err(error) => return Ran::Failed(Box::new(failed("", vec![format!("no case: {error}")]))),
    };
    if only.is_some_and(|part| !case.id.contains(part)) {
        return Ran::LeftOut;
    }
    match case.run(rules) {
        Ok(CaseResult { failures, .. }) if failures.is_empty() => Ran::Passed,
        Ok(result) => Ran::Failed(Box::new(Failure {
            section: case.section.clone(),
            why: case.why.clone(),
            judgement: result.verdict.outcome.name().to_owned(),
            codes: result
                .verdict
                .findings
                .iter()
                .map(|finding| finding.code.name().to_owned())
                .collect(),
            reasoning: result.steps,
            ..failed(&case.id, result.failures)
        })),
        Err(error) => Ran::Failed(Box::new(failed(&case.id, vec![error.to_string()]))),
    }
}

impl Report {
    fn add(&mut self, ran: Ran) {
        match ran {
            Ran::LeftOut => {
                self.left_out += 1;
                return;
            }
            Ran::Passed => self.passed += 1,
            Ran::Failed(failure) => {
                self.failed += 1;
                self.failures.push(*failure);
            }
        }
        self.cases += 1;
    }

    fn write(&self, out: &mut dyn Write, quiet: bool) -> io::Result<()> {
        for failure in &self.failures {
            let name = match failure.id.as_str() {
                "" => String::new(),
                id => format!(" {id}"),
            };
            writeln!(out, "FAILED {}:{}{name}", failure.file, failure.line)?;
            if quiet {
                continue;
            }
            if !failure.why.is_empty() {
                let section = match failure.section.as_str() {
                    "" => String::new(),
                    section => format!("section {section}: "),
                };
                writeln!(out, "  {section}{}", failure.why)?;
            }
            for what in &failure.failures {
                writeln!(out, "  {what}")?;
            }
            if !failure.reasoning.is_empty() {
                writeln!(out, "  reasoning:")?;
                for step in &failure.reasoning {
                    writeln!(out, "    {step}")?;
                }
            }
            writeln!(out)?;
        }
        let left_out = match self.left_out {
            0 => String::new(),
            number => format!(", {number} left out"),
        };
        let s = if self.cases == 1 { "" } else { "s" };
        writeln!(
            out,
            "{} case{s}: {} passed, {} failed{left_out}",
            self.cases, self.passed, self.failed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = r#"{"id":"c/one","section":"3","why":"Nobody knows the shop.","event":{"specversion":"1.0","id":"e-1","source":"//s.example","type":"custody.use.v1","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","data":{"subject":{"ids":["account:1"]},"service":"nobodys","use":{"operation":"dpv:Store"}}},"expect":{"judgement":"gap","codes":["no_policy"]}}"#;

    fn run(text: &str, only: Option<&str>) -> (Report, String) {
        let mut report = Report::default();
        let ran = run_line(
            Ruleset::builtin(),
            Path::new("c.jsonl"),
            7,
            text.as_bytes(),
            only,
        );
        report.add(ran);
        let mut out = Vec::new();
        report.write(&mut out, false).unwrap();
        (report, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_case_passes() {
        let (report, text) = run(CASE, None);
        assert_eq!((report.passed, report.failed), (1, 0), "{text}");
        assert_eq!(text, "1 case: 1 passed, 0 failed\n");
    }

    #[test]
    fn a_failure_says_what_was_expected_and_why() {
        let (report, text) = run(&CASE.replace("no_policy", "sale"), None);
        assert_eq!(report.failed, 1);
        for part in [
            "FAILED c.jsonl:7 c/one\n",
            "section 3: Nobody knows the shop.",
            "codes: expected sale, found no_policy",
            "No policy is for this service.",
            "1 case: 0 passed, 1 failed",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_line_that_is_no_case_is_named_and_failed() {
        for bad in [
            "{",
            "{\"id\":\"x\"}",
            &CASE.replace("custody.use.v1", "use"),
        ] {
            let (report, text) = run(bad, None);
            assert_eq!(report.failed, 1, "{bad}");
            assert!(text.starts_with("FAILED c.jsonl:7"), "{text}");
        }
    }

    #[test]
    fn only_some() {
        let (report, text) = run(CASE, Some("two"));
        assert_eq!((report.cases, report.left_out), (0, 1));
        assert_eq!(text, "0 cases: 0 passed, 0 failed, 1 left out\n");
        assert_eq!(run(CASE, Some("on")).0.passed, 1);
    }
}
