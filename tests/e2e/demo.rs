//! The first command of the README.

use crate::custody::custody_ok;

#[test]
fn the_demo_answers_verifies_and_finds_the_changed_bit() {
    let said = custody_ok(&["demo", "--events", "6000"]);
    for word in ["nothing is wrong", "FAULT", "block"] {
        assert!(said.contains(word), "{word} in:\n{said}");
    }
}
