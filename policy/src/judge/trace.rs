//! Saying what each step found, where somebody wants to know.

use crate::verdict::Verdict;

/// A verdict and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// The steps, each a sentence.
    pub steps: Vec<String>,
}

/// Takes the steps.
pub(super) trait Trace {
    /// Says a step; the words are made only where somebody listens.
    fn step(&mut self, words: impl FnOnce() -> String);
}

/// Nobody listens.
pub(super) struct Silent;

impl Trace for Silent {
    fn step(&mut self, _words: impl FnOnce() -> String) {}
}

impl Trace for &mut Vec<String> {
    fn step(&mut self, words: impl FnOnce() -> String) {
        self.push(words());
    }
}
