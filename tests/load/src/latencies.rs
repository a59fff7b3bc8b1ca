//! Durations, kept one by one, so that a percentile is exact.

use std::time::Duration;

/// In microseconds: four bytes each, for runs of millions.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u32>);

#[derive(Debug, Clone, Copy)]
pub struct Percentiles {
    pub p50_milliseconds: f64,
    pub p95_milliseconds: f64,
    pub p99_milliseconds: f64,
    pub max_milliseconds: f64,
}

impl Latencies {
    pub fn record(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn append(&mut self, mut others: Latencies) {
        self.0.append(&mut others.0);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// None if there was nothing to measure.
    pub fn percentiles(mut self) -> Option<Percentiles> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        let at = |part: f64| f64::from(self.0[(last as f64 * part).round() as usize]) / 1_000.0;
        Some(Percentiles {
            p50_milliseconds: at(0.50),
            p95_milliseconds: at(0.95),
            p99_milliseconds: at(0.99),
            max_milliseconds: at(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut latencies = Latencies::default();
        (1..=101).rev().for_each(|milliseconds| latencies.record(Duration::from_millis(milliseconds)));
        let percentiles = latencies.percentiles().expect("there are some");
        assert_eq!(percentiles.p50_milliseconds, 51.0);
        assert_eq!(percentiles.p95_milliseconds, 96.0);
        assert_eq!(percentiles.max_milliseconds, 101.0);
        assert!(Latencies::default().percentiles().is_none());
    }
}
