//! A client of the GraphQL API.

use std::time::Duration;

use reqwest::{Url, header};
use serde_json::{Value, json};

use super::{super::plain, HubArgs};

/// Whatever a hub does for one request it has done by then.
const LIMIT: Duration = Duration::from_secs(60);
/// A hub that has nothing to tell says so more often than this.
const SILENCE: Duration = Duration::from_secs(60);
/// No answer to what is asked here is longer.
const ANSWER_MAX_BYTES: usize = 16 << 20;

pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    token: header::HeaderValue,
    /// What is wrong is told as JSON, too.
    json: bool,
}

impl Client {
    pub fn new(hub: &HubArgs) -> Result<Self, String> {
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
        let url = Url::parse(&hub.url).ok().filter(is_web);
        let mut url = url.ok_or_else(|| format!("{} is not the address of a hub", plain(&hub.url)))?;
        url.path_segments_mut().map_err(|()| "the address has no path".to_owned())?.pop_if_empty().push("graphql");
        let token = hub.token.as_deref().map(str::trim).filter(|token| !token.is_empty()).ok_or(
            "who asks? Give --token or JACKFIELD_TOKEN; where the hub's data are, \
             `jackfield token --user NAME --role owner` prints one",
        )?;
        let mut token = header::HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token holds characters that no token has".to_owned())?;
        token.set_sensitive(true);
        // A hub sends nobody elsewhere; whoever does is not to have the token.
        let mut http = reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none());
        if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            // Nor is a proxy, which would look for a hub on its own machine.
            http = http.no_proxy();
        }
        Ok(Client { http: http.build().map_err(|error| error.to_string())?, url, token, json: hub.json })
    }

    /// Does one thing, and answers its payload; or why it is not done, as the hub says it.
    pub async fn act(&self, mutation: &str, fields: &str, input: Value) -> Result<Value, String> {
        let (first, rest) = mutation.split_at(1);
        let document = format!(
            "mutation($input: {}{rest}Input!) {{ {mutation}(input: $input) {{ {fields} errors {{ code message path }} }} }}",
            first.to_uppercase()
        );
        let payload = self.ask(&document, json!({ "input": input })).await?[mutation].take();
        self.done(payload)
    }

    fn done(&self, payload: Value) -> Result<Value, String> {
        match payload["errors"].as_array().filter(|errors| !errors.is_empty()) {
            None => Ok(payload),
            Some(errors) => Err(self.refused(errors, |error| error["code"].clone())),
        }
    }

    /// The same where nothing need be said.
    pub async fn act_bare(&self, mutation: &str, fields: &str) -> Result<Value, String> {
        let document = format!("mutation {{ {mutation} {{ {fields} errors {{ code message path }} }} }}");
        let payload = self.ask(&document, json!({})).await?[mutation].take();
        self.done(payload)
    }

    /// Puts something where the hub said, which is on the hub itself.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), String> {
        let mut url = self.url.clone();
        url.path_segments_mut().map_err(|()| "the address has no path".to_owned())?.pop();
        let place = format!("{}{path}", url.as_str().trim_end_matches('/'));
        let fault = |error: reqwest::Error| format!("the package cannot be sent: {error}");
        let answer = self.http.put(place).body(bytes).send().await.map_err(fault)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        Err(format!("the package is not taken: {status} {}", plain(answer.text().await.unwrap_or_default())))
    }

    /// Follows what a subscription tells, until the hub ends it or is away.
    pub async fn follow(&self, document: &str, variables: Value, mut each: impl FnMut(Value)) -> Result<(), String> {
        let request = self.request(&json!({ "query": document, "variables": variables }), "text/event-stream");
        let mut response = request.timeout(Duration::from_secs(u64::from(u32::MAX))).send().await.map_err(fault)?;
        let mut waiting = Vec::new();
        loop {
            let chunk = tokio::time::timeout(SILENCE, response.chunk()).await.map_err(|_| "the hub is silent")?;
            let Some(chunk) = chunk.map_err(fault)? else { return Err("the hub has gone away".to_owned()) };
            waiting.extend_from_slice(&chunk);
            if waiting.len() > ANSWER_MAX_BYTES {
                return Err("the answer is longer than any of a hub's".to_owned());
            }
            while let Some(end) = waiting.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = waiting.drain(..end + 2).collect();
                match event.strip_prefix(b"event: next\ndata: ".as_slice()) {
                    Some(data) => each(self.data_of(serde_json::from_slice(data).map_err(|error| error.to_string())?)?),
                    None if event.starts_with(b"event: complete") => return Ok(()),
                    // A sign of life.
                    None => {}
                }
            }
        }
    }

    /// Asks, and answers the data; or the errors, as the hub says them.
    pub async fn ask(&self, document: &str, variables: Value) -> Result<Value, String> {
        self.data_of(self.post(&json!({ "query": document, "variables": variables })).await?)
    }

    fn data_of(&self, mut answer: Value) -> Result<Value, String> {
        match answer["errors"].as_array().filter(|errors| !errors.is_empty()) {
            None => Ok(answer["data"].take()),
            Some(errors) => Err(self.refused(errors, |error| error["extensions"]["code"].clone())),
        }
    }

    fn refused(&self, errors: &[Value], code: impl Fn(&Value) -> Value) -> String {
        if self.json {
            super::super::super::say_line(&json!({ "errors": errors }).to_string());
        }
        let words = |error: &Value| {
            let mut words = error["message"].as_str().map_or_else(|| "the hub does not say why".to_owned(), plain);
            if let Some(code) = code(error).as_str() {
                words = format!("{}: {words}", plain(code));
            }
            let path = error["path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
            if path.is_empty() { words } else { format!("{words} ({})", plain(path.join("."))) }
        };
        errors.iter().map(words).collect::<Vec<_>>().join("\n")
    }

    fn request(&self, body: &Value, accept: &'static str) -> reqwest::RequestBuilder {
        self.http
            .post(self.url.clone())
            .header(header::AUTHORIZATION, self.token.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .body(body.to_string())
    }

    async fn post(&self, body: &Value) -> Result<Value, String> {
        let mut response = self.request(body, "application/graphql-response+json").send().await.map_err(fault)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            if bytes.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err("the answer is longer than any of a hub's".to_owned());
            }
            bytes.extend_from_slice(&chunk);
        }
        let answer: Option<Value> = serde_json::from_slice(&bytes).ok();
        answer.filter(|answer| answer.get("data").is_some() || answer.get("errors").is_some()).ok_or_else(|| {
            format!("what answers at {} is no hub: it says {status}, and nothing in GraphQL", plain(&self.url))
        })
    }
}

fn fault(error: reqwest::Error) -> String {
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let causes: Vec<String> = causes.map(plain).collect();
    format!("the hub cannot be reached: {}; is it running, and is --url right?", causes.join(": "))
}
