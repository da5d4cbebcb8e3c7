//! Asks whoever erases, who types whom they mean: what cannot be undone is not
//! done by a finger that slips.

use std::io::{self, BufRead, IsTerminal, Write};

use custody_proto::v1::EraseSubjectRequest;

use crate::error::CommandError;
use crate::output::count;

/// Whether there is somebody to be asked.
pub(super) fn can_ask(id: Option<&str>) -> Result<(), CommandError> {
    if id == Some("-") || !io::stdin().is_terminal() {
        return Err(CommandError::Usage(
            "standard input is no terminal, so that nobody can be asked: look with --preview, \
             then confirm with --yes"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Whether it is meant.
pub(super) fn ask(request: &EraseSubjectRequest, persons: u64) -> Result<bool, CommandError> {
    let mut err = io::stderr();
    let is_one = request.more_subjects.is_empty();
    let what = if is_one {
        "the identifier".to_owned()
    } else {
        format!("the number of persons, {}", count(persons))
    };
    write!(err, "\nThis cannot be undone. To erase, type {what}: ")?;
    err.flush()?;
    let mut typed = String::new();
    io::stdin()
        .lock()
        .read_line(&mut typed)
        .map_err(|source| CommandError::Read {
            path: "standard input".into(),
            source,
        })?;
    Ok(is_meant(&typed, request, persons))
}

fn is_meant(typed: &str, request: &EraseSubjectRequest, persons: u64) -> bool {
    let typed = typed.trim_end_matches(['\r', '\n']);
    if request.more_subjects.is_empty() {
        typed == request.subject
    } else {
        typed.replace(',', "") == persons.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_meant() {
        let one = EraseSubjectRequest {
            subject: "account:1001".to_owned(),
            ..Default::default()
        };
        assert!(is_meant("account:1001\n", &one, 1));
        for other in ["", "\n", "y\n", "yes\n", "account:1002\n", "1\n"] {
            assert!(!is_meant(other, &one, 1), "{other}");
        }
        let many = EraseSubjectRequest {
            more_subjects: vec!["account:1002".to_owned()],
            ..one
        };
        assert!(is_meant("1,200\n", &many, 1_200) && is_meant("1200\r\n", &many, 1_200));
        assert!(!is_meant("account:1001\n", &many, 1_200));
    }
}
