//! The load generator: asks Custody, and PostgreSQL beside it, the same
//! questions about the same persons in closed loops, and prints how long the
//! answers took.
//!
//! One client asks, waits for the whole answer, and asks again. Both sides are
//! asked in turn, never at once, each over a connection a client. What they
//! answer is compared first, so that no side is fast by leaving something out.

mod custody;
mod postgres;
mod question;
mod table;
mod tally;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use futures_util::future::join_all;

use self::custody::Custody;
use self::postgres::Postgres;
use self::question::{About, Question};
use self::table::Line;
use self::tally::{Figures, Tally};
use crate::answers::plan::{Persons, Plan};
use crate::answers::process;
use crate::workload::SplitMix;

/// So many answers are compared before the clock starts, or as many as there
/// is time for.
const COMPARED: usize = 40;
const COMPARING: Duration = Duration::from_secs(4);

/// One answer that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct AskArgs {
    /// Where `answers-make` wrote whom to ask about.
    #[arg(long)]
    data: PathBuf,
    /// Custody's address, such as `http://127.0.0.1:4711`.
    #[arg(long)]
    custody: String,
    /// PostgreSQL's, such as `host=127.0.0.1 port=5432 user=bench`.
    #[arg(long)]
    postgres: Option<String>,
    /// Clients that ask at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    clients: Vec<usize>,
    /// How long each question is asked of each side.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Only questions whose name contains one of these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Adds the figures to this file, a line of JSON a question and side.
    #[arg(long)]
    figures: Option<PathBuf>,
}

/// What one answer held. Two sides that answer alike say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) rows: u64,
    /// Events that the rows count, where they count some.
    pub(crate) events: u64,
    /// When the first row of a stream came.
    pub(crate) first_row: Option<Instant>,
}

impl Answered {
    fn says(self) -> (u64, u64) {
        (self.rows, self.events)
    }
}

/// Who is asked, over one connection.
trait Side {
    async fn ask(&mut self, question: Question, about: &About) -> Result<Answered>;
}

/// Asks everything and prints a table.
pub(crate) fn run(args: &AskArgs) -> Result<()> {
    process::end_with_parent();
    // One thread: it has a processor of its own at best, and PostgreSQL's
    // client and Custody's share what there is alike.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ask(args))
}

async fn ask(args: &AskArgs) -> Result<()> {
    let plan = Plan::read(&args.data)?.context("no ledger was made here")?;
    let persons = Persons::read(&args.data)?;
    let most = args.clients.iter().copied().max().unwrap_or(1).max(1);
    let mut ours = Vec::with_capacity(most);
    let mut theirs = Vec::with_capacity(most);
    for _ in 0..most {
        ours.push(Custody::connect(&args.custody).await?);
        if let Some(address) = &args.postgres {
            theirs.push(Postgres::connect(address).await?);
        }
    }
    let mut file = match &args.figures {
        Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
        None => None,
    };
    println!(
        "\n{}, the person with most events has {}; milliseconds",
        plan.population.events, plan.hottest_events
    );
    println!("{}", table::head(args.postgres.is_some()));
    for question in Question::ALL {
        let name = question.name();
        if !args.only.is_empty() && !args.only.iter().any(|part| name.contains(part)) {
            continue;
        }
        let draws = Draws {
            plan: &plan,
            persons: &persons,
            question,
        };
        let said = compare(&draws, &mut ours, &mut theirs).await;
        for &clients in &args.clients {
            let length = Duration::from_secs_f64(args.seconds);
            let mut sides = vec![measure("custody", &draws, &mut ours[..clients], length).await?];
            if !theirs.is_empty() {
                sides.push(measure("postgresql", &draws, &mut theirs[..clients], length).await?);
            }
            if let Some(file) = &mut file {
                for figures in &sides {
                    writeln!(file, "{}", serde_json::to_string(figures)?)?;
                }
            }
            println!("{}", Line(&sides));
        }
        if let Some(said) = said {
            println!("    {said}");
        }
    }
    Ok(())
}

/// Asks both sides the same and says where they differ; warms them up, too.
async fn compare(
    draws: &Draws<'_>,
    ours: &mut [Custody],
    theirs: &mut [Postgres],
) -> Option<String> {
    let our = answers(draws, ours.first_mut()?).await;
    let Some(peer) = theirs.first_mut() else {
        return our.err().map(|error| format!("custody: {error:#}"));
    };
    let their = answers(draws, peer).await;
    match (our, their) {
        (Ok(our), Ok(their)) => {
            let both = our.iter().zip(&their);
            let alike = both.clone().filter(|(our, their)| our == their).count();
            if alike == both.len() {
                return None;
            }
            let first = both.clone().find(|(our, their)| our != their)?;
            Some(format!(
                "{} of {} answers differ, the first in (rows, events): {first:?}",
                both.len() - alike,
                both.len()
            ))
        }
        (Err(error), _) => Some(format!("custody: {error:#}")),
        (_, Err(error)) => Some(format!("postgresql: {error:#}")),
    }
}

async fn answers(draws: &Draws<'_>, side: &mut impl Side) -> Result<Vec<(u64, u64)>> {
    let mut dice = draws.dice(usize::MAX);
    let until = Instant::now() + COMPARING;
    let mut said = Vec::with_capacity(COMPARED);
    while said.len() < COMPARED && (said.is_empty() || Instant::now() < until) {
        let about = draws.draw(&mut dice);
        let answered = tokio::time::timeout(PATIENCE, side.ask(draws.question, &about)).await??;
        said.push(answered.says());
    }
    Ok(said)
}

/// Lets every client ask for so long.
async fn measure<S: Side>(
    name: &'static str,
    draws: &Draws<'_>,
    clients: &mut [S],
    length: Duration,
) -> Result<Figures> {
    let begun = Instant::now();
    let many = clients.len();
    let loops = clients
        .iter_mut()
        .enumerate()
        .map(|(number, side)| closed_loop(draws, number, side, begun + length));
    let mut all = Tally::new()?;
    for tally in join_all(loops).await {
        all.add(tally?)?;
    }
    Ok(all.figures(name, draws.question.name(), many, begun.elapsed()))
}

async fn closed_loop(
    draws: &Draws<'_>,
    number: usize,
    side: &mut impl Side,
    until: Instant,
) -> Result<Tally> {
    let mut tally = Tally::new()?;
    let mut dice = draws.dice(number);
    while tally.is_empty() || Instant::now() < until {
        let about = draws.draw(&mut dice);
        let begun = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, side.ask(draws.question, &about)).await;
        match answer
            .map_err(anyhow::Error::from)
            .and_then(|answer| answer)
        {
            Ok(answered) => tally.count(begun, Instant::now(), answered)?,
            Err(error) => {
                tally.failed(&error);
                break;
            }
        }
    }
    Ok(tally)
}

/// Whom a question is asked about, one after the other.
struct Draws<'a> {
    plan: &'a Plan,
    persons: &'a Persons,
    question: Question,
}

impl Draws<'_> {
    /// The same for the same client, whichever side it asks.
    fn dice(&self, client: usize) -> SplitMix {
        let seed = self.plan.population.seed;
        SplitMix(seed ^ ((client as u64) << 32) ^ (self.question as u64) << 8)
    }

    fn draw(&self, dice: &mut SplitMix) -> About {
        self.question.draw(self.plan, self.persons, dice)
    }
}
