//! The thread that sends checkpoints.

use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use custody_ledger::{Ledger, Published};
use custody_proof::note::KeyError;
use custody_proof::tree::Hash;
use custody_proof::witness::{Answer, Refusal};
use tracing::{error, info, warn};

use super::memory::Memory;
use super::metric;
use super::send::{agent, words};
use super::{Post, SendError, Sender, Standing};
use crate::config::Witness;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A witness tells its size where ours is wrong; after so many of them in a
/// row something else is.
const SIZES_ASKED: usize = 3;

/// The thread that sends checkpoints to witnesses. It ends when it is
/// [stopped](Self::stop).
pub struct Witnesses {
    post: Post,
    standing: Standing,
    thread: JoinHandle<()>,
}

impl Witnesses {
    /// Begins to send what lies in `post`. `None` where no witness is
    /// configured.
    ///
    /// # Errors
    /// Where a thread cannot be started, or a witness's key is none.
    pub fn start(
        config: &Witness,
        data_dir: &Path,
        post: Post,
        ledger: Ledger,
    ) -> io::Result<Option<Self>> {
        if config.list.is_empty() {
            return Ok(None);
        }
        let agent = agent();
        let senders: Result<Vec<Sender>, KeyError> = config
            .list
            .iter()
            .map(|at| Sender::new(at, &agent))
            .collect();
        let senders =
            senders.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let names = senders.iter().map(|sender| sender.key().name().to_owned());
        let timeout = Duration::from_secs(config.timeout_s);
        let standing = Standing::new(names.collect(), config.quorum, timeout);
        let memory = Memory::open(data_dir);
        let now = Instant::now();
        let peers = senders.into_iter().map(|sender| Peer {
            known: memory.size(sender.key()),
            sender,
            cosigned: 0,
            next: now,
            wait: FIRST_WAIT,
        });
        let work = Work {
            peers: peers.collect(),
            post: post.clone(),
            ledger,
            memory,
            standing: standing.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("witnesses".to_owned())
            .spawn(move || work.run())?;
        Ok(Some(Self {
            post,
            standing,
            thread,
        }))
    }

    /// How far they have come.
    pub fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Lets go of the ledger. Waits for a request that is under way.
    pub fn stop(self) {
        self.post.stop();
        if self.thread.join().is_err() {
            error!("the thread for witnesses panicked");
        }
    }
}

struct Work {
    peers: Vec<Peer>,
    post: Post,
    ledger: Ledger,
    memory: Memory,
    standing: Standing,
}

struct Peer {
    sender: Sender,
    /// The size that it has seen last, as far as we know.
    known: u64,
    /// The size that it has cosigned since the start.
    cosigned: u64,
    /// Not to be tried before.
    next: Instant,
    wait: Duration,
}

/// What a checkpoint was met with.
enum Outcome {
    Cosigned,
    /// This is not the ledger that it knows.
    Contradiction(String),
    Failed(String),
}

impl Work {
    fn run(mut self) {
        let mut seen = None;
        let mut until = None;
        while let Some(latest) = self.post.wait(seen, until) {
            let Some(latest) = latest else {
                until = None;
                continue;
            };
            seen = Some(latest.sequence);
            let size = latest.sequence + 1;
            self.standing.signed(size, Instant::now());
            for place in 0..self.peers.len() {
                if self.standing.halted().is_some() {
                    return;
                }
                self.attend(place, &latest, size);
            }
            metric::waiting(self.standing.waiting(Instant::now()));
            until = self
                .peers
                .iter()
                .filter(|peer| peer.cosigned < size)
                .map(|peer| peer.next)
                .min();
        }
    }

    /// Sends the checkpoint where the witness lacks it and may be tried.
    fn attend(&mut self, place: usize, latest: &Published, size: u64) {
        let Some(peer) = self.peers.get_mut(place) else {
            return;
        };
        if peer.cosigned >= size || Instant::now() < peer.next {
            return;
        }
        let name = peer.sender.key().name().to_owned();
        match peer.submit(&self.ledger, latest, size) {
            Outcome::Cosigned => {
                if peer.wait > FIRST_WAIT {
                    info!(witness = name, size, "the witness cosigns again");
                }
                peer.wait = FIRST_WAIT;
                metric::size(&name, size);
                self.standing.cosigned(place, size, Instant::now());
            }
            Outcome::Failed(problem) => {
                warn!(
                    witness = name,
                    size,
                    wait_s = peer.wait.as_secs(),
                    "no cosignature; trying again: {problem}"
                );
                peer.next = Instant::now() + peer.wait;
                peer.wait = (peer.wait * 2).min(LONGEST_WAIT);
                self.standing.failed(place, problem);
            }
            Outcome::Contradiction(why) => {
                let reason = format!("witness {name} {why}");
                error!(witness = name, size, "nothing is signed any more: {reason}");
                self.ledger.stop_signing(&reason);
                self.standing.halt(reason);
            }
        }
        let known = peer.known;
        if let Err(error) = self.memory.keep(peer.sender.key(), known) {
            warn!(%error, "the sizes of witnesses are not kept");
        }
    }
}

impl Peer {
    /// Sends until the sizes agree.
    fn submit(&mut self, ledger: &Ledger, latest: &Published, size: u64) -> Outcome {
        let name = self.sender.key().name().to_owned();
        for _ in 0..SIZES_ASKED {
            // A size of before the last restore may be beyond the tree; the
            // witness then tells what it has.
            let old = self.known.min(size);
            let proof = match proof(ledger, old, size) {
                Ok(proof) => proof,
                Err(problem) => return Outcome::Failed(problem),
            };
            let start = Instant::now();
            let answer = self.sender.send(old, proof, &latest.note);
            metric::request(&name, outcome(&answer), start.elapsed());
            match answer {
                Ok(Answer::Cosigned(lines)) => {
                    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                    // Not the last one any more: a newer one is on its way.
                    let _ = ledger.add_cosignatures(latest.sequence, &lines);
                    (self.known, self.cosigned) = (size, size);
                    return Outcome::Cosigned;
                }
                Ok(Answer::Conflict { size: theirs }) if theirs > size => {
                    return Outcome::Contradiction(format!(
                        "has seen {theirs} checkpoints of this ledger, and here there are {size}: \
                         an older copy was restored, or another copy is at work. Find the newest \
                         copy and serve that one; see docs/checkpoints.md"
                    ));
                }
                Ok(Answer::Conflict { size: theirs }) if theirs == old && old == size => {
                    return Outcome::Contradiction(format!(
                        "has seen another checkpoint {size} of this ledger: two copies of it have \
                         signed. See docs/checkpoints.md"
                    ));
                }
                Ok(Answer::Conflict { size: theirs }) => self.known = theirs,
                Ok(Answer::Refused(Refusal::Inconsistent)) => {
                    return Outcome::Contradiction(format!(
                        "has seen {old} checkpoints of this ledger that this one does not \
                         continue: two copies of it have signed. See docs/checkpoints.md"
                    ));
                }
                Ok(Answer::Refused(refusal)) => return Outcome::Failed(words(refusal)),
                Err(error) => return Outcome::Failed(error.to_string()),
            }
        }
        Outcome::Failed("it tells another size each time".to_owned())
    }
}

/// That the tree of `size` continues the one of `old`. From nothing, nothing
/// need be shown.
fn proof(ledger: &Ledger, old: u64, size: u64) -> Result<Vec<Hash>, String> {
    if old == 0 {
        return Ok(Vec::new());
    }
    ledger
        .prove_consistency(None, old, Some(size))
        .map(|proof| proof.path)
        .map_err(|error| error.to_string())
}

fn outcome(answer: &Result<Answer, SendError>) -> &'static str {
    match answer {
        Ok(Answer::Cosigned(_)) => "cosigned",
        Ok(Answer::Conflict { .. }) => "size",
        Ok(Answer::Refused(Refusal::Inconsistent)) => "inconsistent",
        Ok(Answer::Refused(_)) => "refused",
        Err(SendError::Transport(_)) => "unreachable",
        Err(SendError::Message(_) | SendError::Checkpoint(_)) => "malformed",
        Err(SendError::NotCosigned) => "not_cosigned",
    }
}
