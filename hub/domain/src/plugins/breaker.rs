//! The breaker: a plugin that keeps failing is left alone for a while, and in the end for good.

use std::{collections::VecDeque, time::Duration};

use crate::Timestamp;

/// So many failures …
const FAILURES: usize = 5;
/// … within this time open the breaker …
const FAILURES_WITHIN: Duration = Duration::from_secs(60);
/// … for so long; then one call shows whether it is better.
const REST: Duration = Duration::from_secs(30);
/// It opens at most so many times …
const TRIPS: usize = 3;
/// … within this time, before the plugin is switched off.
const TRIPS_WITHIN: Duration = Duration::from_secs(60 * 60);
/// A call that was to show whether it is better and never came back is given up after this time.
const TRIAL: Duration = Duration::from_secs(60);

/// What is remembered of one plugin in one workspace on one node.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: VecDeque<Timestamp>,
    trips: VecDeque<Timestamp>,
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Timestamp,
    },
    /// One call is on its way, and the others wait for how it ends.
    Trying {
        until: Timestamp,
    },
}

/// May the plugin be called?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Yes,
    /// No: its failure policy decides instead.
    No,
}

/// What a failure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    Counted,
    /// The plugin is left alone for a while.
    Opened,
    /// The plugin is to be switched off, and its admins told.
    SwitchOff,
}

impl Breaker {
    /// Whether a call may be made. Whoever makes it says how it went.
    pub fn admit(&mut self, now: Timestamp) -> Admission {
        match self.state {
            State::Closed => Admission::Yes,
            State::Open { until } | State::Trying { until } if now >= until => {
                self.state = State::Trying { until: now + TRIAL };
                Admission::Yes
            }
            State::Open { .. } | State::Trying { .. } => Admission::No,
        }
    }

    /// A call went well.
    pub fn succeeded(&mut self) {
        // Calls that began before the breaker opened may end well after it; they say nothing about the rest.
        if let State::Trying { .. } = self.state {
            self.state = State::Closed;
            self.failures.clear();
        }
    }

    /// A call that was admitted ended in a way that says nothing about the plugin.
    pub fn learned_nothing(&mut self, now: Timestamp) {
        if let State::Trying { .. } = self.state {
            self.state = State::Open { until: now };
        }
    }

    /// A call failed.
    pub fn failed(&mut self, now: Timestamp) -> Blow {
        match self.state {
            State::Open { .. } => return Blow::Counted,
            State::Trying { .. } => {}
            State::Closed => {
                note(&mut self.failures, now, FAILURES_WITHIN);
                if self.failures.len() < FAILURES {
                    return Blow::Counted;
                }
            }
        }
        self.failures.clear();
        note(&mut self.trips, now, TRIPS_WITHIN);
        self.state = State::Open { until: now + REST };
        if self.trips.len() < TRIPS { Blow::Opened } else { Blow::SwitchOff }
    }

    /// Whether a call is on its way that decides whether it closes again.
    pub fn is_trying(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// Whether it lets nothing through at this moment.
    pub fn is_resting(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Open { until } | State::Trying { until } if now < until)
    }

    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }
}

fn note(moments: &mut VecDeque<Timestamp>, now: Timestamp, within: Duration) {
    moments.push_back(now);
    while moments.front().is_some_and(|moment| now.since(*moment) >= within) {
        moments.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp(second * 1_000)
    }

    fn opened_at(breaker: &mut Breaker, at: i64) -> Blow {
        (0..5).map(|_| breaker.failed(second(at))).last().expect("five")
    }

    #[test]
    fn five_failures_within_a_minute_open_it() {
        let mut breaker = Breaker::default();
        for at in [0, 10, 20, 30] {
            assert_eq!(breaker.failed(second(at)), Blow::Counted);
            breaker.succeeded();
        }
        assert_eq!(breaker.failed(second(60)), Blow::Counted, "the first is a minute ago");
        assert_eq!(breaker.admit(second(60)), Admission::Yes);
        assert_eq!(breaker.failed(second(61)), Blow::Opened);
        assert_eq!(breaker.admit(second(61)), Admission::No);
        assert_eq!(breaker.failed(second(62)), Blow::Counted, "calls that were on their way count no more");
    }

    #[test]
    fn after_half_a_minute_one_call_tries() {
        let mut breaker = Breaker::default();
        assert_eq!(opened_at(&mut breaker, 0), Blow::Opened);
        assert_eq!(breaker.admit(second(29)), Admission::No);
        breaker.succeeded();
        assert_eq!(breaker.admit(second(29)), Admission::No, "a success from before does not close it");
        assert_eq!(breaker.admit(second(30)), Admission::Yes);
        assert_eq!(breaker.admit(second(30)), Admission::No, "one at a time");
        breaker.succeeded();
        assert_eq!(breaker.admit(second(30)), Admission::Yes);
        assert_eq!(breaker.admit(second(30)), Admission::Yes);
        assert_eq!(breaker.failed(second(30)), Blow::Counted, "the count begins anew");
    }

    #[test]
    fn a_try_that_fails_or_is_lost_is_followed_by_another() {
        let mut breaker = Breaker::default();
        opened_at(&mut breaker, 0);
        assert_eq!(breaker.admit(second(30)), Admission::Yes);
        assert_eq!(breaker.failed(second(31)), Blow::Opened);
        assert_eq!(breaker.admit(second(60)), Admission::No);
        assert_eq!(breaker.admit(second(61)), Admission::Yes);
        breaker.learned_nothing(second(62));
        assert_eq!(breaker.admit(second(62)), Admission::Yes, "it was not the plugin's fault");
        assert_eq!(breaker.admit(second(121)), Admission::No);
        assert_eq!(breaker.admit(second(122)), Admission::Yes, "nobody said how it went");
    }

    #[test]
    fn three_trips_within_an_hour_switch_it_off() {
        let mut breaker = Breaker::default();
        assert_eq!(opened_at(&mut breaker, 0), Blow::Opened);
        assert_eq!(breaker.admit(second(30)), Admission::Yes);
        assert_eq!(breaker.failed(second(30)), Blow::Opened);
        assert_eq!(breaker.admit(second(60)), Admission::Yes);
        assert_eq!(breaker.failed(second(60)), Blow::SwitchOff);

        let mut rare = Breaker::default();
        for hour in 0..4 {
            assert_eq!(opened_at(&mut rare, hour * 1_800), Blow::Opened, "two within an hour");
            assert_eq!(rare.admit(second(hour * 1_800 + 30)), Admission::Yes);
            rare.succeeded();
        }
    }
}
