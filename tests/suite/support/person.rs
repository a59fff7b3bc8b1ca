//! Somebody with a token, who uses the public API and nothing else.

use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Socket, World, within};

#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub token: String,
    /// Which node they talk to.
    pub url: String,
    pub http: reqwest::Client,
}

impl Person {
    pub async fn enter(world: &World, name: &str, token: &str) -> Self {
        Person::at_url(&world.url(0), name, token).await
    }

    pub async fn at_url(url: &str, name: &str, token: &str) -> Self {
        let mut person = Person {
            id: String::new(),
            name: name.to_owned(),
            token: token.to_owned(),
            url: url.to_owned(),
            http: reqwest::Client::new(),
        };
        let found = person.ask("{ viewer { user { id } } }", json!({})).await;
        person.id = text(&found["viewer"]["user"]["id"]);
        person
    }

    /// Whoever comes without a token.
    pub fn nobody(world: &World) -> Self {
        let (id, name, token) = (String::new(), "nobody".to_owned(), String::new());
        Person { id, name, token, url: world.url(0), http: reqwest::Client::new() }
    }

    /// The same person at another node.
    pub fn at(&self, world: &World, node: usize) -> Self {
        Person { url: world.url(node), ..self.clone() }
    }

    /// Asks, and expects an answer without any error at the top.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.answer(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}\n{answer}");
        answer["data"].take()
    }

    /// Asks, and answers whatever comes.
    pub async fn answer(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let response = self.post(&body.to_string()).await;
        let body = within("a body", response.text()).await.expect("a body");
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}"))
    }

    /// Asks what is refused as a whole, and answers the code.
    pub async fn fault(&self, query: &str, variables: Value) -> String {
        let answer = self.answer(query, variables).await;
        text(&answer["errors"][0]["extensions"]["code"])
    }

    pub async fn post(&self, body: &str) -> Response {
        let request = self
            .http
            .post(format!("{}/graphql", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/graphql-response+json")
            .body(body.to_owned());
        within("an answer", self.sign(request).send()).await.expect("an answer")
    }

    /// Puts the token on a request, if there is one.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub async fn socket(&self) -> Socket {
        Socket::open(&self.url, &self.token).await
    }

    /// Makes a group with these people, and answers its id.
    pub async fn group(&self, title: &str, members: &[&Person]) -> String {
        let made = self.create(json!({ "type": "GROUP", "title": title, "memberIds": ids(members) })).await;
        text(&made["conversation"]["id"])
    }

    pub async fn create(&self, input: Value) -> Value {
        let query = "mutation($input: ConversationCreateInput!) { conversationCreate(input: $input) {
            conversation { id type status title memberCount context { type id } } errors { code message path } } }";
        self.ask(query, json!({ "input": input })).await["conversationCreate"].take()
    }

    pub async fn add(&self, conversation: &str, members: &[&Person]) -> Value {
        let query = "mutation($input: ConversationMemberAddInput!) { conversationMemberAdd(input: $input) {
            conversation { id memberCount } errors { code message path } } }";
        let input = json!({ "conversationId": conversation, "memberIds": ids(members) });
        self.ask(query, json!({ "input": input })).await["conversationMemberAdd"].take()
    }

    /// Says something, and answers the message.
    pub async fn say(&self, conversation: &str, body: &str) -> Value {
        let mut sent = self.send(json!({ "conversationId": conversation, "body": body })).await;
        assert_eq!(sent["errors"], json!([]), "{sent}");
        sent["message"].take()
    }

    /// Says something, and answers the whole payload.
    pub async fn send(&self, input: Value) -> Value {
        let query = "mutation($input: MessageSendInput!) { messageSend(input: $input) {
            message { id sequence body status createdAt } errors { code message path } } }";
        self.ask(query, json!({ "input": input })).await["messageSend"].take()
    }

    /// Says something to a hub that may be gone; none if no answer came.
    pub async fn try_send(&self, input: Value) -> Option<Value> {
        let query =
            "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } errors { code } } }";
        let body = json!({ "query": query, "variables": { "input": input } }).to_string();
        let request = self
            .http
            .post(format!("{}/graphql", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .bearer_auth(&self.token)
            .body(body);
        let text = within("an answer, or none", async { request.send().await.ok()?.text().await.ok() }).await?;
        Some(serde_json::from_str::<Value>(&text).ok()?["data"]["messageSend"].take())
    }

    /// Everything that was said, in order.
    pub async fn history(&self, conversation: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        let mut after = Value::Null;
        loop {
            let query =
                "query($id: ID!, $after: String) { conversation(id: $id) { messages(first: 100, after: $after) {
                nodes { body } pageInfo { hasNextPage endCursor } } } }";
            let found = self.ask(query, json!({ "id": conversation, "after": after })).await;
            let page = &found["conversation"]["messages"];
            bodies.extend(page["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["body"])));
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                return bodies;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }

    /// Where the log stands.
    pub async fn cursor(&self) -> String {
        text(&self.ask("{ eventCursor }", json!({})).await["eventCursor"])
    }

    /// A plain page.
    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let response =
            within("an answer", self.http.get(format!("{}{path}", self.url)).send()).await.expect("an answer");
        (response.status(), within("a body", response.text()).await.expect("a body"))
    }
}

fn ids(people: &[&Person]) -> Vec<String> {
    people.iter().map(|person| person.id.clone()).collect()
}

/// The text in a JSON string; anything else is not what the story expects.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("expected a text, got {value}")).to_owned()
}

/// The code of the only refusal in a payload.
pub fn refusal(payload: &Value) -> (String, Value) {
    let errors = payload["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{payload}");
    (text(&errors[0]["code"]), errors[0]["path"].clone())
}
