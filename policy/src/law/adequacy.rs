//! Adequacy decisions (Art. 45 GDPR, section 17A of the UK's Data Protection
//! Act 2018).

use std::sync::LazyLock;

use serde::Deserialize;

use super::{LawError, Moment, Span};
use crate::place::{Group, Member, Place};

/// The data file: destinations, dates, scopes and sources.
pub(crate) const FILE: &str = include_str!("../../law/adequacy.toml");

static RULES: LazyLock<Rules> =
    // That the file compiles is tested. Without it no destination is adequate.
    LazyLock::new(|| compile(FILE).unwrap_or_default());

/// A decision that a place protects personal data adequately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adequacy {
    /// Only some recipients there are covered, and only the sender can know
    /// which: it holds for an event that names it (`eu-gdpr:A45-3`).
    pub partial: bool,
    /// What is covered, in words, where it is not everything; else empty. Not
    /// judged.
    pub scope: &'static str,
    /// The decision and where it is published.
    pub source: &'static str,
}

#[derive(Default)]
struct Rules {
    eu: Decisions,
    uk: Decisions,
}

/// The decisions of one side, ascending by their beginning.
#[derive(Default)]
struct Decisions {
    rules: Vec<Rule>,
    /// By number of the country: those that can be about it.
    by_country: Vec<Vec<usize>>,
}

struct Rule {
    to: Vec<Member>,
    span: Span,
    partial: bool,
    scope: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdequacyFile {
    eu: Vec<RuleRow>,
    uk: Vec<RuleRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleRow {
    to: Vec<String>,
    from: Moment,
    until: Option<Moment>,
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    scope: String,
    source: String,
}

/// The adequacy decision in force for data that goes from one place to another
/// at a time (nanoseconds since 1970 UTC), the newest where there are several.
///
/// `from` in the European Economic Area asks for the Commission's decisions,
/// `from` in the United Kingdom, once that had left the Union's law, for its
/// own regulations; from elsewhere there are none. Within the area itself no
/// decision is needed, and the answer is `None`: ask [`Group::contains`] first.
pub fn adequate(from: Place, to: Place, time_ns: i64) -> Option<Adequacy> {
    let decisions = if Group::Eea.contains(from, time_ns) {
        &RULES.eu
    } else if Group::Uk.contains(from, time_ns) {
        &RULES.uk
    } else {
        return None;
    };
    decisions
        .by_country
        .get(to.country().index())?
        .iter()
        .rev()
        .map(|number| &decisions.rules[*number])
        .find(|rule| rule.span.contains(time_ns) && rule.to.iter().any(|m| m.contains(to, time_ns)))
        .map(|rule| Adequacy {
            partial: rule.partial,
            scope: &rule.scope,
            source: &rule.source,
        })
}

fn compile(text: &str) -> Result<Rules, LawError> {
    let file: AdequacyFile = toml::from_str(text)?;
    Ok(Rules {
        eu: decisions(file.eu)?,
        uk: decisions(file.uk)?,
    })
}

fn decisions(mut rows: Vec<RuleRow>) -> Result<Decisions, LawError> {
    rows.sort_by_key(|row| row.from);
    let rules: Vec<Rule> = rows.into_iter().map(rule).collect::<Result<_, _>>()?;
    let by_country = Place::all()
        .take_while(|place| place.is_country())
        .map(|country| {
            let about = |member: &Member| match member {
                Member::Place(place) => place.country() == country,
                // Who is a member depends on the time.
                Member::Group(_) => true,
            };
            (0..rules.len())
                .filter(|number| rules[*number].to.iter().any(about))
                .collect()
        })
        .collect();
    Ok(Decisions { rules, by_country })
}

fn rule(row: RuleRow) -> Result<Rule, LawError> {
    if row.source.is_empty() {
        return Err(LawError::NoSource {
            of: row.to.join(", "),
        });
    }
    Ok(Rule {
        to: row
            .to
            .iter()
            .map(|text| Member::of(text).ok_or_else(|| LawError::unknown("place", text)))
            .collect::<Result<_, _>>()?,
        span: Span::new(Some(row.from), row.until)?,
        partial: row.partial,
        scope: row.scope,
        source: row.source,
    })
}

#[cfg(test)]
mod tests {
    use super::{Adequacy, FILE, adequate, compile};
    use crate::law::tests::at;
    use crate::place::Place;

    fn ask(from: &str, to: &str, when: &str) -> Option<Adequacy> {
        let time = if when.len() == 10 {
            format!("{when}T12:00:00Z")
        } else {
            when.to_owned()
        };
        adequate(Place::of(from).unwrap(), Place::of(to).unwrap(), at(&time))
    }

    #[test]
    fn the_file_compiles_and_knows_its_places() {
        let rules = compile(FILE).unwrap();
        assert_eq!(rules.eu.rules.len(), 21);
        assert_eq!(rules.uk.rules.len(), 7);
        for (text, says) in [
            ("eu = []", "missing field `uk`"),
            (
                "uk = []\n[[eu]]\nto = ['ZZ']\nfrom = 2020-01-01\nsource = 'x'",
                "unknown place \"ZZ\"",
            ),
            (
                "uk = []\n[[eu]]\nto = ['CH']\nfrom = 2020-01-01\nsource = ''",
                "no source for CH",
            ),
            (
                "uk = []\n[[eu]]\nto = ['CH']\nfrom = 2020-01-01T00:00:00\nsource = 'x'",
                "offset",
            ),
        ] {
            let error = compile(text).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn full_decisions() {
        for to in [
            "AD", "AR", "CA", "FO", "GG", "IM", "IL", "JE", "NZ", "CH", "UY", "JP", "KR", "GB",
            "BR",
        ] {
            let found = ask("DE", to, "2026-11-22");
            assert!(found.is_some_and(|a| !a.partial), "{to}");
        }
        for to in ["CN", "SG", "RU", "IN", "HK", "AU", "FR", "DE", "PF", "EU"] {
            if let Some(to) = Place::of(to) {
                assert_eq!(
                    adequate(Place::of("DE").unwrap(), to, at("2026-11-22T00:00:00Z")),
                    None
                );
            }
        }
        assert_eq!(ask("DE", "JP", "2019-01-22"), None);
        assert!(ask("NO", "JP", "2019-01-23").is_some());
        assert!(ask("DE-BY", "CH-ZH", "2019-01-23").is_some());
        assert_eq!(ask("DE", "BR", "2026-01-25"), None);
        assert!(ask("CA", "CH", "2026-01-25").is_none());
    }

    #[test]
    fn the_united_states_had_three_schemes() {
        for (when, held) in [
            ("2000-07-25", false),
            ("2015-10-05", true),
            ("2015-10-06", false),
            ("2016-07-11", false),
            ("2016-07-12", true),
            ("2020-07-15", true),
            ("2020-07-16", false),
            ("2023-07-09", false),
            ("2023-07-10", true),
            ("2026-11-22", true),
        ] {
            let found = ask("FR", "US-CA", when);
            assert_eq!(found.is_some(), held, "{when}");
            assert!(found.is_none_or(|a| a.partial && !a.scope.is_empty()));
        }
    }

    #[test]
    fn the_united_kingdom_has_been_adequate_without_a_break() {
        // A member until then: no decision.
        assert_eq!(ask("DE", "GB", "2020-12-31T22:59:59Z"), None);
        for (when, source) in [
            ("2020-12-31T23:00:00Z", "Art. 782"),
            ("2021-06-27", "Art. 782"),
            ("2021-06-28", "2021/1772 (OJ"),
            ("2025-06-27", "2021/1772 (OJ"),
            ("2025-06-28", "2025/1226"),
            ("2025-12-27", "2025/1226"),
            ("2025-12-28", "19 December 2025"),
            ("2031-12-27", "19 December 2025"),
        ] {
            let found = ask("DE", "GB-LND", when);
            assert!(found.is_some_and(|a| a.source.contains(source)), "{when}");
        }
        assert_eq!(ask("DE", "GB", "2031-12-28"), None);
    }

    #[test]
    fn the_united_kingdom_has_its_own_list() {
        assert!(ask("GB", "DE", "2021-01-01").is_some());
        assert!(ask("GB", "GI", "2021-01-01").is_some());
        assert!(ask("GB-SCT", "CH", "2021-01-01").is_some());
        assert_eq!(ask("GB", "KR", "2022-12-18"), None);
        assert!(ask("GB", "KR", "2022-12-19").is_some());
        assert_eq!(ask("GB", "US", "2023-10-11"), None);
        assert!(ask("GB", "US", "2023-10-12").is_some_and(|a| a.partial));
        // The Union's decision on Brazil is not the United Kingdom's.
        assert_eq!(ask("GB", "BR", "2026-11-22"), None);
        // Before it left, the Union's list was its own.
        assert!(ask("GB", "US", "2019-01-01").is_some_and(|a| a.partial));
    }
}
