//! Requests to other servers and what comes of them, between the words of the domain and those of the contract.

use jackfield_domain::plugins::{Answered, Header, Method, NoAnswer, Request, Response, SecretHeader};

use crate::wit::jackfield::plugin::http as wit;

pub(crate) fn meant(request: wit::Request) -> Request {
    let header = |header: wit::Header| Header { name: header.name, value: header.value };
    let secret =
        |header: wit::SecretHeader| SecretHeader { name: header.name, prefix: header.prefix, secret: header.secret };
    Request {
        method: match request.method {
            wit::Method::Get => Method::Get,
            wit::Method::Post => Method::Post,
            wit::Method::Put => Method::Put,
            wit::Method::Patch => Method::Patch,
            wit::Method::Delete => Method::Delete,
        },
        url: request.url,
        headers: request.headers.into_iter().map(header).collect(),
        secret_headers: request.secret_headers.into_iter().map(secret).collect(),
        body: request.body,
        enough_bytes: request.enough_bytes,
    }
}

pub(crate) fn request(request: Request) -> wit::Request {
    let secret =
        |header: SecretHeader| wit::SecretHeader { name: header.name, prefix: header.prefix, secret: header.secret };
    wit::Request {
        method: match request.method {
            Method::Get => wit::Method::Get,
            Method::Post => wit::Method::Post,
            Method::Put => wit::Method::Put,
            Method::Patch => wit::Method::Patch,
            Method::Delete => wit::Method::Delete,
        },
        url: request.url,
        headers: headers(request.headers),
        secret_headers: request.secret_headers.into_iter().map(secret).collect(),
        body: request.body,
        enough_bytes: request.enough_bytes,
    }
}

pub(crate) fn answered(answered: Answered) -> Result<wit::Response, wit::Failure> {
    match answered {
        Ok(Response { status, url, headers: given, body, is_cut }) => {
            Ok(wit::Response { status, url, headers: headers(given), body, is_cut })
        }
        Err(NoAnswer::Refused(why)) => Err(wit::Failure::Refused(why)),
        Err(NoAnswer::TimedOut) => Err(wit::Failure::TimedOut),
        Err(NoAnswer::Unreachable(why)) => Err(wit::Failure::Unreachable(why)),
        Err(NoAnswer::TooLarge) => Err(wit::Failure::TooLarge),
        Err(NoAnswer::Malformed(why)) => Err(wit::Failure::Malformed(why)),
    }
}

/// The other way round, for who answers in the place of a hub.
pub(crate) fn meant_answer(answered: Result<wit::Response, wit::Failure>) -> Answered {
    match answered {
        Ok(wit::Response { status, url, headers, body, is_cut }) => {
            let header = |header: wit::Header| Header { name: header.name, value: header.value };
            Ok(Response { status, url, headers: headers.into_iter().map(header).collect(), body, is_cut })
        }
        Err(wit::Failure::Refused(why)) => Err(NoAnswer::Refused(why)),
        Err(wit::Failure::TimedOut) => Err(NoAnswer::TimedOut),
        Err(wit::Failure::Unreachable(why)) => Err(NoAnswer::Unreachable(why)),
        Err(wit::Failure::TooLarge) => Err(NoAnswer::TooLarge),
        Err(wit::Failure::Malformed(why)) => Err(NoAnswer::Malformed(why)),
    }
}

fn headers(given: Vec<Header>) -> Vec<wit::Header> {
    given.into_iter().map(|header| wit::Header { name: header.name, value: header.value }).collect()
}
