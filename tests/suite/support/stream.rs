//! GraphQL over server-sent events, line by line.

use reqwest::{Response, header};
use serde_json::Value;

use super::{Person, within};

pub struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    pub async fn open(person: &Person, query: &str, variables: Value) -> Self {
        let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
        let request = reqwest::Client::new()
            .post(format!("{}/graphql", person.url))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(body);
        let response = within("a stream", person.sign(request).send()).await.expect("a stream");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream; charset=utf-8");
        Stream { response, text: String::new() }
    }

    /// The next event and its data; none at the end.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
                };
                let (event, data) = (field("event:"), field("data:"));
                self.text = rest.to_string();
                if event.is_empty() {
                    continue;
                }
                return Some((event, serde_json::from_str(&data).unwrap_or(Value::Null)));
            }
            match within("more of a stream", self.response.chunk()).await {
                Ok(Some(chunk)) => self.text.push_str(std::str::from_utf8(&chunk).expect("a stream is text")),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}
