//! A judgement that conforms allocates nothing.
#![allow(unsafe_code)] // A global allocator is an unsafe trait; this one counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use custody_policy::{Outcome, Ruleset, Said, Settings, SubjectState, judge};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_judgement_that_conforms_allocates_nothing() {
    let rules = Ruleset::builtin();
    let state = SubjectState::default();
    let mut tried = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let said = Said::parse(case["event"].to_string().as_bytes()).unwrap();
            // Tables that are built once are built here.
            let facts = said.facts().unwrap();
            let settings = Settings::default();
            let first = judge(rules, &facts, &state, &settings);
            if first.outcome != Outcome::Conforms {
                continue;
            }
            let before = COUNT.get();
            let facts = said.facts().unwrap();
            let verdict = judge(rules, &facts, &state, &settings);
            let allocated = COUNT.get() - before;
            assert_eq!(allocated, 0, "{}", case["id"]);
            assert_eq!(verdict.outcome, Outcome::Conforms);
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried} cases conform without a history");
}
