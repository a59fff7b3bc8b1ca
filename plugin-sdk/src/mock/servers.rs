//! Other servers, as a test says that they answer: nothing of it leaves the process.

use super::{
    MockHub, Mode, call, hub,
    state::{State, Waiting},
};
use crate::{
    Result,
    bindings::capabilities::http::{Failure, Request, Response},
    hooks::{Answer, AnswerHooks, with_plugin},
};

/// More of an answer is taken only where so much is said to be enough.
const BODY_MAX_BYTES: usize = 1 << 20;

impl MockHub {
    /// Says what is answered at a URL from now on. At others nobody is there.
    pub fn answers(&self, url: &str, response: Response) {
        hub(|state| state.servers.insert(url.to_owned(), Ok(response)));
    }

    /// Says why there is no answer at a URL from now on.
    pub fn fails(&self, url: &str, failure: Failure) {
        hub(|state| state.servers.insert(url.to_owned(), Err(failure)));
    }

    /// The requests that the plugin has made, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        hub(|state| state.requests.clone())
    }

    /// The answer to the oldest request that waits for one, which waits no more; as the servers answer by now.
    pub fn next_answer(&self) -> Option<Answer> {
        let Waiting { request, tag, attempt } = hub(|state| state.waiting.pop_front())?;
        Some(Answer { outcome: hub(|state| answer(state, &request)), tag, attempt })
    }

    /// Hands over answers until no request waits for one, and answers how many those were. Where the plugin fails, that answer waits
    /// to be handed over again.
    pub fn deliver<P: AnswerHooks>(&self) -> Result<usize> {
        let mut count = 0;
        while let Some(waiting) = hub(|state| state.waiting.front().cloned()) {
            let answer = self.next_answer().expect("there is one that waits");
            if let Err(failure) = call(Mode::After, || with_plugin(|plugin: &P| plugin.on_answer(answer))) {
                let attempt = waiting.attempt + 1;
                hub(|state| state.waiting.push_front(Waiting { attempt, ..waiting }));
                return Err(failure);
            }
            count += 1;
        }
        Ok(count)
    }
}

/// What comes of a request.
pub(super) fn answer(state: &State, request: &Request) -> Result<Response, Failure> {
    let nobody = || Err(Failure::Unreachable("nobody is there".to_owned()));
    let mut response = state.servers.get(&request.url).cloned().unwrap_or_else(nobody)?;
    if response.url.is_empty() {
        response.url = request.url.clone();
    }
    let enough = request.enough_bytes.map_or(usize::MAX, |bytes| bytes as usize);
    if response.body.len() > enough.min(BODY_MAX_BYTES) {
        if enough > BODY_MAX_BYTES {
            return Err(Failure::TooLarge);
        }
        response.body.truncate(enough);
        response.is_cut = true;
    }
    Ok(response)
}
