//! What it asks of servers, at once or later, and what becomes of their answers.

use http::{Failure as NoAnswer, Method, Request, Response};
use jackfield_plugin::prelude::*;

use crate::{Guest, text};

/// By what it knows an answer again.
#[data]
struct Tag {
    /// What it is kept under.
    name: String,
    /// Where it is told.
    conversation: Option<String>,
}

fn kept(name: &str) -> String {
    format!("answer/{name}")
}

#[plugin]
impl AnswerHooks for Guest {
    /// Keeps what it heard, counts it, and tells it where somebody waits for it. What is named `!break…` is too much for it until
    /// it was mended.
    fn on_answer(&self, answer: Answer) -> Result<()> {
        let Tag { name, conversation } = answer.tag()?;
        kv::increment("answers", 1, None)?;
        if name.starts_with("!break") && kv::get::<i64>("mended")?.is_none() {
            return Err(Failure::new(format!("attempt {} is broken", answer.attempt)));
        }
        let said = said(&answer.outcome);
        kv::set(&kept(&name), &said)?;
        if let Some(conversation) = conversation {
            messages::say(&conversation, format!("{name}: {said}"))?;
        }
        Ok(())
    }
}

/// Asks for a message, and tells the answer where that was said.
pub fn ask(url: &str, message: &Message) -> Result<()> {
    let tag = Tag { name: url.to_owned(), conversation: Some(message.conversation.clone()) };
    Ok(http::send(&Request::get(url), &tag)?)
}

pub fn fetch(call: &CommandCall) -> CommandAnswer {
    let mut heard = String::new();
    for _ in 0..times(call) {
        match http::fetch(&request(call)) {
            Ok(outcome) => heard = said(&outcome),
            Err(error) => return CommandAnswer::refuse("NOT_ASKED", error.to_string()),
        }
    }
    CommandAnswer::say(heard)
}

pub fn send(call: &CommandCall) -> CommandAnswer {
    let tag = Tag { name: text(call, "tag").to_owned(), conversation: None };
    for _ in 0..times(call) {
        if let Err(error) = http::send(&request(call), &tag) {
            return CommandAnswer::refuse("NOT_SENT", error.to_string());
        }
    }
    CommandAnswer::say("sent")
}

pub fn heard(call: &CommandCall) -> Result<CommandAnswer> {
    let heard: Option<String> = kv::get(&kept(text(call, "tag")))?;
    Ok(CommandAnswer::say(heard.unwrap_or_else(|| "nothing".to_owned())))
}

/// In a line: status, place and body, or why there is none.
fn said(outcome: &Result<Response, NoAnswer>) -> String {
    match outcome {
        Ok(response) => {
            let cut = if response.is_cut { " …" } else { "" };
            format!("{} {} {}{cut}", response.status, response.url, response.text())
        }
        Err(failure) => failure.to_string(),
    }
}

fn request(call: &CommandCall) -> Request {
    let method = match text(call, "method") {
        "post" => Method::Post,
        "put" => Method::Put,
        "patch" => Method::Patch,
        "delete" => Method::Delete,
        _ => Method::Get,
    };
    let mut request = Request::new(method, text(call, "url")).header("x-guest", "here");
    if let Some(ArgumentValue::Text(body)) = call.argument("body") {
        request = request.body("text/plain", body.as_str());
    }
    if let Some(ArgumentValue::Flag(true)) = call.argument("secret") {
        request = request.secret_header("authorization", "Bearer ", "key");
    }
    if let Some(ArgumentValue::Number(bytes)) = call.argument("enough") {
        request = request.enough(*bytes as u32);
    }
    request
}

fn times(call: &CommandCall) -> u32 {
    match call.argument("times") {
        Some(ArgumentValue::Number(times)) => *times as u32,
        _ => 1,
    }
}
