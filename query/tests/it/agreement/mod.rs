//! The service and the plain model agree on every method over a long history,
//! however the read model came to be.
//!
//! `CUSTODY_ORACLE_EVENTS` and `CUSTODY_ORACLE_REQUESTS` say how long a history
//! and how many requests; 200000 and 5000 for the full run.

mod asked;
mod chance;
mod history;
mod killed;
mod people;
mod said;

use std::time::Instant;

use custody_query::{ReadModel, ReadModelOptions};

use history::History;

const SEED: u64 = 20_250_101;

fn number(variable: &str, usual: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |said| said.parse().unwrap())
}

/// Asks requests of these numbers.
fn ask(history: &History, what: &str, numbers: std::ops::Range<u64>) {
    let (begun, count) = (Instant::now(), numbers.end - numbers.start);
    for number in numbers {
        asked::ask(history, SEED, number);
    }
    eprintln!("{count} requests {what}: {:.1?}", begun.elapsed());
}

#[test]
fn every_method_agrees_with_the_plain_model() {
    let events = number("CUSTODY_ORACLE_EVENTS", 2_500) as usize;
    let requests = number("CUSTODY_ORACLE_REQUESTS", 200);
    let persons = (events / 20).max(60);
    let mut history = History::new(SEED, persons);

    // Filled while it grows, a block or a few at a time.
    let begun = Instant::now();
    for part in 1..=3 {
        while history.events < part * events / 3 {
            history.go_on();
        }
        history.world.catch_up();
        eprintln!("{} events: {:.1?}", history.events, begun.elapsed());
        let some = requests / 10;
        if part < 3 {
            ask(&history, "while it grows", requests..requests + some);
        }
    }
    ask(&history, "of what grew", 0..requests);

    // From nothing.
    history.world.drop_model();
    let directory = history.world.read_model_directory();
    let (ledger, options) = (&history.world.ledger, ReadModelOptions::default());
    let rebuilt = ReadModel::rebuild(&directory, ledger, &options, &mut |_| {}).unwrap();
    history.world.answer_from(rebuilt);
    ask(&history, "after a rebuild", 0..requests);

    // By a process that was killed over it, and then by this one.
    history.world.drop_model();
    let scratch = history.world.directory().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let directory = killed::leave_a_read_model(&history.world.ledger, &scratch);
    let left = ReadModel::open(&directory, &history.world.ledger, &options).unwrap();
    history.world.answer_from(left);
    history.world.catch_up();
    ask(&history, "after a crash", 0..requests);

    // Without some of the persons, who had much or little, linked or not.
    let gone: Vec<usize> = (0..persons).filter(|number| number % 7 == 2).collect();
    history.erase(&gone);
    ask(&history, "after an erase", 0..requests);
}
