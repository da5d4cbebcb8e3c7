use proptest::prelude::*;

use super::*;
use crate::cosignature::CosigningKey;

/// The example of the format, its checkpoint shortened.
const REQUEST: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
";
/// The example of the format.
const ANSWER: &str = "\u{2014} witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
\u{2014} witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==
";

#[test]
fn the_formats_examples_come_back() {
    let request = AddCheckpoint::parse(REQUEST).unwrap();
    assert_eq!(request.old_size, 20_852_014);
    assert_eq!(request.proof.len(), 4);
    assert!(request.note.starts_with("example.com/behind-the-sofa\n"));
    assert_eq!(request.encode(), REQUEST);
    let answer = Answer::parse(200, None, ANSWER).unwrap();
    assert!(matches!(&answer, Answer::Cosigned(lines) if lines.len() == 2));
    assert_eq!(answer.body(), ANSWER);
}

#[test]
fn every_answer_comes_back() {
    let key = CosigningKey::from_seed("w.example", &[1; 32]).unwrap();
    let cosigned = Answer::Cosigned(vec![key.cosign("text\n", 3).unwrap()]);
    let conflict = Answer::Conflict { size: 0 };
    let refused = [400, 403, 404, 422, 500, 503].map(Refusal::from_status);
    assert!(!refused[..4].iter().any(|r| matches!(r, Refusal::Other(_))));
    for answer in [cosigned, conflict]
        .into_iter()
        .chain(refused.map(Answer::Refused))
    {
        let content_type = Some(answer.content_type());
        let again = Answer::parse(answer.status(), content_type, &answer.body());
        assert_eq!(again, Ok(answer));
    }
    assert_eq!(
        Answer::parse(409, Some("Text/X.tlog.size; charset=utf-8"), "7\n"),
        Ok(Answer::Conflict { size: 7 })
    );
    assert_eq!(
        Answer::parse(409, Some("text/html"), "<h1>"),
        Ok(Answer::Refused(Refusal::Other(409)))
    );
}

#[test]
fn what_is_no_request_is_said_to_be_none() {
    for (from, to, line) in [
        ("old ", "", 1),
        ("old 2", "old 02", 1),
        ("old 2", "old  2", 1),
        ("\nPlR", "\nPlR=", 2),
        ("8=\n/6W", "9=\n/6W", 4),
    ] {
        let changed = REQUEST.replacen(from, to, 1);
        assert_ne!(changed, REQUEST, "{from:?}");
        assert!(
            matches!(AddCheckpoint::parse(&changed), Err(MessageError::Line { line: found, .. }) if found == line),
            "{from:?}"
        );
    }
    assert!(AddCheckpoint::parse("old 0\n").is_err());
    assert!(AddCheckpoint::parse("old 0\n\n").is_err());
    assert!(AddCheckpoint::parse("").is_err());
    let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
    let long = |count| format!("old 0\n{}\nnote\n", hash.repeat(count));
    assert_eq!(AddCheckpoint::parse(&long(63)).unwrap().proof.len(), 63);
    assert_eq!(AddCheckpoint::parse(&long(64)), Err(MessageError::TooMany));
    assert!(matches!(
        AddCheckpoint::parse(&"x".repeat(MAX_REQUEST_BYTES + 1)),
        Err(MessageError::TooLong { .. })
    ));
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    for body in ["", "\n", "7", "07\n", "7\n\n", "-7\n"] {
        let size = Answer::parse(409, Some(SIZE_CONTENT_TYPE), body);
        assert_eq!(size, Err(MessageError::Empty), "{body:?}");
        assert!(Answer::parse(200, None, body).is_err(), "{body:?}");
    }
    assert!(Answer::parse(200, None, ANSWER.trim_end()).is_err());
    assert!(Answer::parse(200, None, &format!("{ANSWER}\n")).is_err());
    assert!(Answer::parse(200, None, &" ".repeat(70_000)).is_err());
}

proptest! {
    #[test]
    fn any_request_comes_back(
        old_size: u64,
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..=MAX_PROOF),
        note in "\\PC{1,20}\n",
    ) {
        let proof = hashes.into_iter().map(Hash).collect();
        let request = AddCheckpoint { old_size, proof, note };
        prop_assert_eq!(AddCheckpoint::parse(&request.encode()), Ok(request));
    }

    #[test]
    fn no_text_brings_it_down(text in "(\\PC|\n|old |[0-9]){0,80}", status: u16) {
        let _ = AddCheckpoint::parse(&text);
        let _ = Answer::parse(status, Some(SIZE_CONTENT_TYPE), &text);
    }
}
