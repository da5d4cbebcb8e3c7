//! How far the witnesses have come, for whoever asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How far the witnesses have come. Cheap to clone.
#[derive(Clone)]
pub struct Standing {
    quorum: usize,
    timeout: Duration,
    state: Arc<Mutex<State>>,
}

struct State {
    witnesses: Vec<Seen>,
    /// The size that was signed last.
    signed: u64,
    /// Since when the quorum is missing on something that is signed.
    waiting_since: Option<Instant>,
    /// Why nothing is signed any more.
    halted: Option<String>,
}

struct Seen {
    name: String,
    /// What it has cosigned since the start.
    size: u64,
    problem: Option<String>,
}

impl Standing {
    /// Nobody has cosigned anything yet.
    pub(super) fn new(names: Vec<String>, quorum: usize, timeout: Duration) -> Self {
        let witnesses = names.into_iter().map(|name| Seen {
            name,
            size: 0,
            problem: None,
        });
        Self {
            quorum,
            timeout,
            state: Arc::new(Mutex::new(State {
                witnesses: witnesses.collect(),
                signed: 0,
                waiting_since: None,
                halted: None,
            })),
        }
    }

    pub(super) fn signed(&self, size: u64, now: Instant) {
        let mut state = self.state.lock();
        state.signed = state.signed.max(size);
        if state.of_quorum(self.quorum) < state.signed {
            state.waiting_since.get_or_insert(now);
        }
    }

    pub(super) fn cosigned(&self, place: usize, size: u64, now: Instant) {
        let mut state = self.state.lock();
        let before = state.of_quorum(self.quorum);
        if let Some(seen) = state.witnesses.get_mut(place) {
            seen.size = size;
            seen.problem = None;
        }
        let after = state.of_quorum(self.quorum);
        if after >= state.signed {
            state.waiting_since = None;
        } else if after > before {
            // Behind, and moving: what is missing was signed since.
            state.waiting_since = Some(now);
        }
    }

    pub(super) fn failed(&self, place: usize, problem: String) {
        if let Some(seen) = self.state.lock().witnesses.get_mut(place) {
            seen.problem = Some(problem);
        }
    }

    pub(super) fn halt(&self, reason: String) {
        self.state.lock().halted.get_or_insert(reason);
    }

    /// Why nothing is signed any more, where a witness contradicts this ledger.
    pub fn halted(&self) -> Option<String> {
        self.state.lock().halted.clone()
    }

    /// For how long the quorum has been missing on something that is signed.
    pub fn waiting(&self, now: Instant) -> Duration {
        let since = self.state.lock().waiting_since;
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether enough witnesses are with us, and in words who is.
    pub fn check(&self, now: Instant) -> (bool, String) {
        let waiting = self.waiting(now);
        let state = self.state.lock();
        if let Some(reason) = &state.halted {
            return (false, format!("nothing is signed any more: {reason}"));
        }
        let with_us = state.witnesses.iter().filter(|seen| seen.size > 0).count();
        let mut detail = format!(
            "{with_us} of {} witnesses have cosigned, {} are needed",
            state.witnesses.len(),
            self.quorum
        );
        if waiting >= self.timeout {
            let seconds = waiting.as_secs();
            detail.push_str(&format!("; too few for {seconds} s on what is signed"));
        }
        for seen in &state.witnesses {
            if let Some(problem) = &seen.problem {
                detail.push_str(&format!("; {}: {problem}", seen.name));
            }
        }
        (waiting < self.timeout, detail)
    }
}

impl State {
    /// The size that a quorum has cosigned.
    fn of_quorum(&self, quorum: usize) -> u64 {
        let mut sizes: Vec<u64> = self.witnesses.iter().map(|seen| seen.size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.get(quorum.saturating_sub(1)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn standing() -> (Standing, Instant) {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        (Standing::new(names, 2, TIMEOUT), Instant::now())
    }

    #[test]
    fn a_quorum_that_is_late_is_said_and_comes_back() {
        let (standing, start) = standing();
        standing.signed(5, start);
        standing.cosigned(0, 5, start);
        standing.failed(1, "cannot be reached".to_owned());
        let late = start + TIMEOUT;
        assert!(standing.check(late - Duration::from_secs(1)).0);
        let (ok, detail) = standing.check(late);
        assert!(!ok);
        assert!(detail.contains("b: cannot be reached"), "{detail}");
        standing.cosigned(2, 5, late);
        assert!(standing.check(late + TIMEOUT).0);
        assert_eq!(standing.waiting(late + TIMEOUT), Duration::ZERO);
    }

    #[test]
    fn who_follows_one_behind_is_not_late() {
        let (standing, start) = standing();
        for second in 0..200 {
            let now = start + Duration::from_secs(second);
            standing.signed(second + 1, now);
            standing.cosigned(0, second, now);
            standing.cosigned(1, second, now);
            assert!(standing.check(now).0, "at {second}");
        }
        // Nobody follows any more.
        let later = start + Duration::from_secs(300);
        standing.signed(300, later);
        assert!(!standing.check(later).0);
    }

    #[test]
    fn a_contradiction_stays() {
        let (standing, start) = standing();
        standing.halt("w has seen more".to_owned());
        standing.cosigned(0, 9, start);
        let (ok, detail) = standing.check(start);
        assert!(!ok);
        assert!(detail.contains("w has seen more"), "{detail}");
    }
}
