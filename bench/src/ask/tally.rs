//! What one question took.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::Answered;

/// Counts answers: microseconds, to three digits.
pub(crate) struct Tally {
    answers: Histogram<u64>,
    first_rows: Histogram<u64>,
    rows: u64,
    failure: Option<String>,
}

/// What is printed of it, and written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) side: String,
    pub(crate) question: String,
    pub(crate) clients: usize,
    pub(crate) answers: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) answers_per_s: f64,
    pub(crate) rows_per_s: f64,
    /// Of streams.
    pub(crate) first_row_p50_ms: Option<f64>,
    pub(crate) first_row_p99_ms: Option<f64>,
    /// Why it stopped before its time.
    pub(crate) failure: Option<String>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            answers: Histogram::new(3)?,
            first_rows: Histogram::new(3)?,
            rows: 0,
            failure: None,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(crate) fn count(
        &mut self,
        begun: Instant,
        ended: Instant,
        answered: Answered,
    ) -> Result<()> {
        self.answers.record(micros(ended.duration_since(begun)))?;
        if let Some(first) = answered.first_row {
            self.first_rows
                .record(micros(first.duration_since(begun)))?;
        }
        self.rows += answered.rows;
        Ok(())
    }

    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        let text = match error.downcast_ref::<tonic::Status>() {
            Some(status) => format!("{:?}", status.code()),
            None => format!("{error:#}"),
        };
        self.failure.get_or_insert(text);
    }

    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
        self.answers.add(other.answers)?;
        self.first_rows.add(other.first_rows)?;
        self.rows += other.rows;
        if let Some(failure) = other.failure {
            self.failure.get_or_insert(failure);
        }
        Ok(())
    }

    pub(crate) fn figures(
        &self,
        side: &str,
        question: &str,
        clients: usize,
        took: Duration,
    ) -> Figures {
        let at = |histogram: &Histogram<u64>, quantile| {
            histogram.value_at_quantile(quantile) as f64 / 1e3
        };
        let first =
            |quantile| (!self.first_rows.is_empty()).then(|| at(&self.first_rows, quantile));
        Figures {
            side: side.to_owned(),
            question: question.to_owned(),
            clients,
            answers: self.answers.len(),
            p50_ms: at(&self.answers, 0.5),
            p99_ms: at(&self.answers, 0.99),
            max_ms: self.answers.max() as f64 / 1e3,
            answers_per_s: self.answers.len() as f64 / took.as_secs_f64(),
            rows_per_s: self.rows as f64 / took.as_secs_f64(),
            first_row_p50_ms: first(0.5),
            first_row_p99_ms: first(0.99),
            failure: self.failure.clone(),
        }
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
