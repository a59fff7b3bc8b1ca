//! Time is an argument: a moment is a number of milliseconds that somebody hands in.

use std::{fmt, ops::Add, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970, UTC. Milliseconds, because that is what clients show and what both databases keep alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// The text is no RFC 3339 moment that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a moment in the form 2026-01-31T12:00:00Z")]
pub struct NotAMoment;

impl Timestamp {
    /// How long after `earlier` this is; nothing if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// The moment this long ago.
    pub fn before(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(milliseconds(span)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds(span)))
    }
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        write!(out, "{moment:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| NotAMoment)?;
        Ok(Timestamp(moment.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_it_was_written() {
        let moment = Timestamp(1_767_225_600_005);
        assert_eq!(moment.to_string(), "2026-01-01T00:00:00.005Z");
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert_eq!("2026-01-01T01:00:00.005+01:00".parse(), Ok(moment));
        assert_eq!("yesterday".parse::<Timestamp>(), Err(NotAMoment));
    }
}
