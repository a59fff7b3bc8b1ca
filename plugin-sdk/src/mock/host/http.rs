//! Requests to other servers, which are those of the test (`mock/servers.rs`).

use super::{Error, hub, within};
use crate::{
    bindings::capabilities::http::{Failure, Method, Request, Response},
    mock::{
        Mode,
        servers::answer,
        state::{State, Waiting},
    },
};

const BODY_MAX_BYTES: usize = 256 * 1024;
const URL_MAX_BYTES: usize = 2_048;
const TAG_MAX_BYTES: usize = 1_024;

/// By which of the two capabilities the request may be made.
fn capability(state: &State, request: &Request) -> &'static str {
    let is_public = request.method == Method::Get && request.secret_headers.is_empty();
    if is_public && state.granted("fetch-public-url").is_ok() { "fetch-public-url" } else { "http" }
}

fn check(request: &Request) -> Result<(), Error> {
    within("bytes of a URL", request.url.len(), URL_MAX_BYTES)?;
    within("headers", request.headers.len() + request.secret_headers.len(), 32)?;
    within("bytes of a body", request.body.as_ref().map_or(0, Vec::len), BODY_MAX_BYTES)?;
    Ok(())
}

/// Has a request made, as an effect.
pub fn send(request: &Request, tag: &str) -> Result<(), Error> {
    check(request)?;
    within("bytes of a tag", tag.len(), TAG_MAX_BYTES)?;
    hub(|state| {
        state.effect(capability(state, request))?;
        if state.sent >= 16 {
            return Err(Error::LimitReached("16 requests a call".to_owned()));
        }
        if state.waiting.len() >= 1_000 {
            return Err(Error::LimitReached("1,000 requests that wait for their answer".to_owned()));
        }
        state.sent += 1;
        state.requests.push(request.clone());
        state.waiting.push_back(Waiting { request: request.clone(), tag: tag.to_owned(), attempt: 1 });
        Ok(())
    })
}

/// Makes a request and waits for the answer. Which hooks may do so and which not is not known here, but that before-hooks
/// may not.
pub fn fetch(request: &Request) -> Result<Result<Response, Failure>, Error> {
    check(request)?;
    hub(|state| {
        state.granted(capability(state, request))?;
        if state.mode == Mode::Before {
            return Err(Error::NotHere);
        }
        if state.fetched >= 3 {
            return Err(Error::LimitReached("3 requests a call".to_owned()));
        }
        state.fetched += 1;
        state.requests.push(request.clone());
        Ok(answer(state, request))
    })
}
