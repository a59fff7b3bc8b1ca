//! Requests to other servers, which the hub makes.
//!
//! ```
//! use jackfield_plugin::prelude::*;
//!
//! let hub = MockHub::new();
//! hub.answers("https://tea.example/kinds", http::Response::new(200, "application/json", r#"["green", "black"]"#));
//! let request = http::Request::get("https://tea.example/kinds").secret_header("authorization", "Bearer ", "token");
//! let kinds: Vec<String> = http::fetch(&request).unwrap().unwrap().json().unwrap();
//! assert_eq!(kinds, ["green", "black"]);
//! ```

use std::{borrow::Cow, fmt};

use super::{DeserializeOwned, Result, Serialize, host, types::Error};
pub use crate::bindings::capabilities::http::{Failure, Header, Method, Request, Response, SecretHeader};

/// Has a request made, as an effect. The answer comes to [`AnswerHooks`](crate::hooks::AnswerHooks) with the tag, which is anything
/// that serde knows, of at most 1 KiB as JSON.
pub fn send<T: Serialize + ?Sized>(request: &Request, tag: &T) -> Result<(), Error> {
    let tag = serde_json::to_string(tag).map_err(|error| Error::Invalid(error.to_string()))?;
    host::http::send(request, &tag)
}

/// Makes a request at once and waits for the answer: only in a command or a field of `Mutation`, where somebody waits.
pub fn fetch(request: &Request) -> Result<Result<Response, Failure>, Error> {
    host::http::fetch(request)
}

impl Request {
    /// Asks for what is there.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Hands something over.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url)
    }

    /// A request that says nothing more yet.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: None,
            enough_bytes: None,
        }
    }

    /// With a header more.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// With a header whose value is `prefix` and the secret of this name behind it.
    pub fn secret_header(
        mut self,
        name: impl Into<String>,
        prefix: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        self.secret_headers.push(SecretHeader { name: name.into(), prefix: prefix.into(), secret: secret.into() });
        self
    }

    /// With something to be handed over.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// The same with anything that serde knows.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self> {
        Ok(self.body("application/json", serde_json::to_vec(value)?))
    }

    /// So many bytes of the answer will do.
    pub fn enough(mut self, bytes: u32) -> Self {
        self.enough_bytes = Some(bytes);
        self
    }
}

impl Response {
    /// What a server of a [`MockHub`](crate::mock::MockHub) answers. Without a `url` it comes from the one that was asked for.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![Header { name: "content-type".to_owned(), value: content_type.to_owned() }];
        Self { status, url: String::new(), headers, body: body.into(), is_cut: false }
    }

    /// Whether the server did what it was asked to: a status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, whatever its capitals.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(&header.value)
    }

    /// The body as UTF-8. What is none of it is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body, read by serde.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(formatter, "the address may not be asked: {why}"),
            Self::TimedOut => formatter.write_str("the answer took too long"),
            Self::Unreachable(why) => write!(formatter, "nobody could be reached: {why}"),
            Self::TooLarge => formatter.write_str("the answer is too large"),
            Self::Malformed(why) => write!(formatter, "the answer is not HTTP as it should be: {why}"),
        }
    }
}

impl std::error::Error for Failure {}
