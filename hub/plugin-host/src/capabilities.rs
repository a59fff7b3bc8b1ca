//! What a plugin may ask for while it runs: each call is counted, checked against what was granted, and carried out on the
//! call's own workspace. What changes something is only collected.

mod http;
mod issuing;
mod kv;
mod reading;
mod tools;

use std::str::FromStr;

use jackfield_domain::{
    ConversationId,
    plugins::{Capability, Effect, FailureKind},
};

use crate::{
    bridge::Unavailable,
    run::{Run, Stage, Stop},
    wit::jackfield::plugin::types::{self, Error},
};

/// So many ids are asked for in one call at most.
const MANY: usize = 100;

impl types::Host for Run {}

/// Why a capability does not do what it was asked: the plugin is told, or the call ends.
pub(crate) enum Denial {
    Tell(Error),
    End(Stop),
}

impl From<Error> for Denial {
    fn from(error: Error) -> Self {
        Denial::Tell(error)
    }
}

impl From<Stop> for Denial {
    fn from(stop: Stop) -> Self {
        Denial::End(stop)
    }
}

impl From<Unavailable> for Denial {
    fn from(Unavailable(what): Unavailable) -> Self {
        Denial::End(Stop::new(FailureKind::Hub, what))
    }
}

type Done<T> = Result<T, Denial>;

/// What the contract's functions return.
type Told<T> = wasmtime::Result<Result<T, Error>>;

fn told<T>(done: Done<T>) -> Told<T> {
    match done {
        Ok(answer) => Ok(Ok(answer)),
        Err(Denial::Tell(error)) => Ok(Err(error)),
        Err(Denial::End(stop)) => Err(stop.into()),
    }
}

fn invalid(what: impl Into<String>) -> Denial {
    Denial::Tell(Error::Invalid(what.into()))
}

fn parse<T: FromStr>(what: &str, id: &str) -> Done<T> {
    id.parse().map_err(|_| invalid(format!("«{}» is not the id of a {what}", crate::convert::cut(id))))
}

fn parse_many<T: FromStr>(what: &str, ids: &[String]) -> Done<Vec<T>> {
    if ids.len() > MANY {
        return Err(invalid(format!("there are {} ids, at most {MANY} may be asked for at once", ids.len())));
    }
    ids.iter().map(|id| parse(what, id)).collect()
}

/// Words to look for. No text has the character that PostgreSQL does not take.
fn words<'t>(what: &str, text: &'t str) -> Done<&'t str> {
    if text.contains('\0') { Err(invalid(format!("{what} has a character that no text has"))) } else { Ok(text) }
}

fn limited(limit: u32, max: u32) -> Done<u32> {
    if (1..=max).contains(&limit) { Ok(limit) } else { Err(invalid(format!("the limit is from 1 to {max}"))) }
}

/// A JSON value of at most so many bytes.
fn json(what: &str, text: &str, max: u64, is_object: bool) -> Done<()> {
    if text.len() as u64 > max {
        return Err(Denial::Tell(Error::LimitReached(format!("{what} has at most {max} bytes"))));
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => Ok(()),
        Ok(_) if !is_object => Ok(()),
        Ok(_) => Err(invalid(format!("{what} is a JSON object"))),
        Err(error) => Err(invalid(format!("{what} is not JSON: {error}"))),
    }
}

impl Run {
    /// Counts the call, and answers whether the capability is there.
    fn enter(&mut self, capability: Capability) -> Done<()> {
        self.count()?;
        if self.grants.capabilities.contains(&capability) {
            return Ok(());
        }
        Err(Denial::Tell(Error::Denied(format!("the capability `{}` is not granted", capability.as_str()))))
    }

    /// The same for what changes more than the plugin's own data.
    fn enter_effect(&mut self, capability: Capability) -> Done<()> {
        self.enter(capability)?;
        self.may_have_effects()
    }

    fn may_have_effects(&self) -> Done<()> {
        if self.stage == Stage::Before {
            return Err(Denial::Tell(Error::NotHere));
        }
        if self.issued.effects.len() as u64 >= self.limits.effects {
            let what = format!("one call has at most {} effects", self.limits.effects);
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        Ok(())
    }

    /// The same for what is much work for whoever commits it.
    fn enter_costly(&mut self, capability: Capability, is_one: fn(&Effect) -> bool, most: usize) -> Done<()> {
        self.enter_effect(capability)?;
        if self.issued.effects.iter().filter(|effect| is_one(effect)).count() < most {
            return Ok(());
        }
        let what = format!("one call has at most {most} effects of this kind");
        Err(Denial::Tell(Error::LimitReached(what)))
    }

    /// What is in a conversation that was not granted is not there.
    fn within_grant(&self, conversation: ConversationId) -> Done<()> {
        if self.grants.sees(conversation) { Ok(()) } else { Err(Denial::Tell(Error::NotFound)) }
    }
}
