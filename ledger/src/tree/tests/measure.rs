//! What it costs.

use custody_proof::tree::Frontier;

use super::*;

/// Nanoseconds that this thread ran on a processor: others share the machine.
fn on_cpu() -> u128 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_ascii_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
#[ignore = "a measurement: run with --release --nocapture"]
fn nanoseconds_a_leaf() {
    let dir = tempfile::tempdir().unwrap();
    let count = 20_000_000;
    let leaves: Vec<Digest> = (0..1 << 16).map(leaf).collect();
    let started = on_cpu();
    let mut tree = Tree::create(dir.path(), OWNER).unwrap();
    for n in 0..count {
        tree.push(&leaves[n & 0xffff]);
        if n % 10_000 == 0 {
            tree.flush().unwrap();
        }
    }
    tree.flush().unwrap();
    let pushed = on_cpu() - started;
    println!(
        "{:.0} ns a leaf, flushed every 10,000",
        pushed as f64 / count as f64
    );

    struct Repeated(Vec<Digest>);
    impl Leaves for Repeated {
        fn leaves(&self, first: u64, count: usize) -> Result<Vec<Digest>, TreeError> {
            let at = first as usize & 0xffff;
            Ok(self.0[at..at + count].to_vec())
        }
    }
    let log = Repeated(leaves);
    let tiles = tree.tiles();
    let started = on_cpu();
    for n in 0..1000 {
        let mut prover = tiles.prover(count as u64, &log).unwrap();
        prover.inclusion(n * 19_997).unwrap();
    }
    println!("{} us a proof alone", ((on_cpu() - started) / 1000) / 1000);
    let started = on_cpu();
    let mut prover = tiles.prover(count as u64, &log).unwrap();
    for n in 0..1000 {
        prover.inclusion(n * 19_997).unwrap();
    }
    println!(
        "{} us a proof of 1000 in one tree",
        ((on_cpu() - started) / 1000) / 1000
    );
    let started = on_cpu();
    Tree::open(dir.path(), OWNER, count as u64, &log).unwrap();
    println!("{} us to open", ((on_cpu() - started) / 1000));
    let mut frontier = Frontier::new();
    let started = on_cpu();
    (0..5_000_000).for_each(|_| frontier.push(Hash([1; 32])));
    println!(
        "{} ns a leaf without its leaf hash",
        (on_cpu() - started) / 5_000_000
    );
}
