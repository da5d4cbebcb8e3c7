//! What events are judged by: the packs that are built in, and those that the
//! operator has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use custody_policy::{Pack, PackError, PackErrors, Ruleset};

use crate::config::Config;
use crate::error::CommandError;

/// Packs that cannot be judged by: everything that is wrong, file by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPacks(Vec<PackError>);

impl BadPacks {
    /// What is wrong, as `file:line:column: what`.
    pub fn iter(&self) -> impl Iterator<Item = &PackError> {
        self.0.iter()
    }
}

impl From<PackErrors> for BadPacks {
    fn from(errors: PackErrors) -> Self {
        Self(errors.iter().cloned().collect())
    }
}

impl std::fmt::Display for BadPacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            std::fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for BadPacks {}

/// Where packs come from.
#[derive(Clone, Debug, Default)]
pub struct PackSources {
    /// Files, and directories of which each `*.toml` is taken.
    pub files: Vec<PathBuf>,
    /// Leaves the packs out that are built in.
    pub no_builtin: bool,
}

impl PackSources {
    /// Reads the packs. One of the files replaces one that is built in, or of
    /// an earlier file, with the same id.
    ///
    /// # Errors
    /// [`CommandError::Packs`] with everything that is wrong with all of the
    /// files; [`CommandError::Read`] where one cannot be read.
    pub fn packs(&self) -> Result<Vec<Pack>, CommandError> {
        let mut packs = match (self.no_builtin, Pack::builtin()) {
            (true, _) => Vec::new(),
            (false, Ok(builtin)) => builtin.to_vec(),
            (false, Err(errors)) => return Err(CommandError::Packs(errors.clone().into())),
        };
        let mut wrong = Vec::new();
        for path in self.paths()? {
            match read_pack(&path)? {
                Ok(pack) => {
                    packs.retain(|other| other.id() != pack.id());
                    packs.push(pack);
                }
                Err(errors) => wrong.extend(errors.iter().cloned()),
            }
        }
        if wrong.is_empty() {
            Ok(packs)
        } else {
            Err(CommandError::Packs(BadPacks(wrong)))
        }
    }

    /// Reads and compiles the packs.
    ///
    /// # Errors
    /// As [`packs`](Self::packs), also where packs do not fit each other.
    pub fn compile(&self) -> Result<Ruleset, CommandError> {
        Ruleset::compile(self.packs()?).map_err(|errors| CommandError::Packs(errors.into()))
    }

    fn paths(&self) -> Result<Vec<PathBuf>, CommandError> {
        let mut paths = Vec::new();
        for path in &self.files {
            if path.is_dir() {
                paths.extend(packs_in(path)?);
            } else {
                paths.push(path.clone());
            }
        }
        Ok(paths)
    }
}

/// The rules of the configuration, for as long as the process lives.
///
/// # Errors
/// As [`PackSources::compile`].
pub fn in_force(config: &Config) -> Result<&'static Ruleset, CommandError> {
    if config.policy.packs.is_empty() {
        return Ok(Ruleset::builtin());
    }
    Ok(Box::leak(Box::new(config.policy.sources().compile()?)))
}

/// Each `*.toml` of a directory, by name.
fn packs_in(dir: &Path) -> Result<BTreeSet<PathBuf>, CommandError> {
    let failed = |source| CommandError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut paths = BTreeSet::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            paths.insert(path);
        }
    }
    Ok(paths)
}

/// Reads one pack; the inner error is what is wrong with it.
///
/// # Errors
/// [`CommandError::Read`].
pub fn read_pack(path: &Path) -> Result<Result<Pack, PackErrors>, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Pack::parse(&path.display().to_string(), &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "format = 1\npolicy.id = \"SHOP-1\"\npolicy.family = \"SHOP\"\n\
        policy.title = \"A shop\"\npolicy.services = [\"shop\"]\npolicy.effective = 2026-01-01\n";

    fn sources(files: Vec<PathBuf>) -> PackSources {
        PackSources {
            files,
            no_builtin: false,
        }
    }

    #[test]
    fn packs_of_a_directory_come_beside_the_five() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("shop.toml"), SHOP).unwrap();
        std::fs::write(dir.path().join("notes.txt"), "no pack").unwrap();
        let rules = sources(vec![dir.path().to_owned()]).compile().unwrap();
        assert!(rules.policy_of("SHOP-1").is_some());
        assert_eq!(rules.policies().count(), 6);
        assert_ne!(rules.digest(), Ruleset::builtin().digest());
        let alone = PackSources {
            no_builtin: true,
            ..sources(vec![dir.path().to_owned()])
        };
        assert_eq!(alone.compile().unwrap().policies().count(), 1);
    }

    #[test]
    fn a_pack_replaces_the_one_of_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        let text = SHOP
            .replace("SHOP-1", "AE-2020")
            .replace("\"SHOP\"", "\"AE\"");
        std::fs::write(&path, text).unwrap();
        let rules = sources(vec![path]).compile().unwrap();
        assert_eq!(rules.policies().count(), 5);
        let policy = rules.policy(rules.policy_of("AE-2020").unwrap());
        assert_eq!(policy.title(), "A shop");
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
        std::fs::write(&a, format!("{SHOP}colour = \"red\"\n")).unwrap();
        std::fs::write(&b, SHOP.replace("2026-01-01", "\"soon\"")).unwrap();
        let error = sources(vec![a.clone(), b.clone()]).compile().unwrap_err();
        let CommandError::Packs(bad) = &error else {
            panic!("{error}")
        };
        let lines: Vec<String> = bad.iter().map(ToString::to_string).collect();
        assert!(
            lines[0].starts_with(&format!("{}:7:1: ", a.display())),
            "{lines:?}"
        );
        assert!(
            lines
                .last()
                .unwrap()
                .starts_with(&format!("{}:6:", b.display())),
            "{lines:?}"
        );
    }
}
