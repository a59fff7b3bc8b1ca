//! The capabilities by their names in the contract, with arguments and answers in JSON: for whoever asks from outside of the
//! process.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::host::{
    annotations, clock, config, conversations, http, kv, log, mentions, messages, notices, random, retention, secrets,
    timers, users,
};
use crate::{
    Failure, Result,
    bindings::capabilities::{
        conversations::ConversationFilter,
        http::Request,
        log::Level,
        mentions::Target,
        messages::{HistoryWindow, NewMessage},
        notices::Notice,
        retention::Step,
    },
};

type Expiry = Option<u32>;

/// Carries out `interface.function`.
pub(crate) fn capability(name: &str, arguments: Vec<Value>) -> Result<Value> {
    /// Reads the arguments, and passes them on as the function takes them.
    macro_rules! call {
        ($function:path, $(($argument:ident: $Argument:ty) $passed:expr),*) => {{
            let ($($argument,)*): ($($Argument,)*) = read(name, arguments)?;
            serde_json::to_value($function($($passed),*))?
        }};
    }
    Ok(match name {
        "kv.get" => call!(kv::get, (key: String) &key),
        "kv.get-many" => call!(kv::get_many, (keys: Vec<String>) &keys),
        "kv.scan" => {
            call!(kv::scan, (prefix: String) &prefix, (after: Option<String>) after.as_deref(), (limit: u32) limit)
        }
        "kv.scan-many" => call!(kv::scan_many, (prefixes: Vec<String>) &prefixes, (limit: u32) limit),
        "kv.set" => call!(kv::set, (key: String) &key, (value: Vec<u8>) &value, (expiry: Expiry) expiry),
        "kv.compare-and-set" => call!(
            kv::compare_and_set,
            (key: String) &key,
            (expected: Option<Vec<u8>>) expected.as_deref(),
            (value: Vec<u8>) &value,
            (expiry: Expiry) expiry
        ),
        "kv.increment" => call!(kv::increment, (key: String) &key, (by: i64) by, (expiry: Expiry) expiry),
        "kv.delete" => call!(kv::delete, (key: String) &key),
        "config.get" => config::get().into(),
        "log.write" => call!(log::write, (level: Level) level, (text: String) &text),
        "clock.now" => clock::now().into(),
        "random.bytes" => call!(random::bytes, (count: u32) count),
        "random.number" => random::number().into(),
        "timers.run-at" => call!(timers::run_at, (schedule: String) &schedule, (at: i64) at),
        "messages.get" => call!(messages::get, (id: String) &id),
        "messages.get-many" => call!(messages::get_many, (ids: Vec<String>) &ids),
        "messages.history" => call!(
            messages::history,
            (conversation: String) &conversation,
            (window: HistoryWindow) window,
            (limit: u32) limit
        ),
        "messages.post" => call!(messages::post_as, (message: NewMessage) &message, (id: Option<String>) id),
        "conversations.get" => call!(conversations::get, (id: String) &id),
        "conversations.members" => {
            call!(conversations::members, (id: String) &id, (after: Option<String>) after.as_deref(), (limit: u32) limit)
        }
        "conversations.membership" => call!(conversations::membership, (id: String) &id, (user: String) &user),
        "conversations.find" => call!(
            conversations::find,
            (filter: ConversationFilter) &filter,
            (after: Option<String>) after.as_deref(),
            (limit: u32) limit
        ),
        "users.get" => call!(users::get, (id: String) &id),
        "users.get-many" => call!(users::get_many, (ids: Vec<String>) &ids),
        "users.search" => call!(
            users::search,
            (text: String) &text,
            (conversation: Option<String>) conversation.as_deref(),
            (limit: u32) limit
        ),
        "annotations.get" => call!(annotations::get, (message: String) &message),
        "annotations.get-many" => call!(annotations::get_many, (messages: Vec<String>) &messages),
        "annotations.set" => call!(annotations::set, (message: String) &message, (value: String) &value),
        "annotations.remove" => call!(annotations::remove, (message: String) &message),
        "mentions.set" => call!(mentions::set, (message: String) &message, (targets: Vec<Target>) &targets),
        "notices.send" => call!(notices::send, (notice: Notice) &notice),
        "retention.survey" => call!(
            retention::survey,
            (conversation: String) &conversation,
            (step: Step) step,
            (until: i64) until,
            (after: u64) after,
            (limit: u32) limit
        ),
        "retention.survey-all" => call!(
            retention::survey_all,
            (until: i64) until,
            (other_than: Vec<String>) &other_than
        ),
        "retention.trim" => call!(
            retention::trim,
            (conversation: String) &conversation,
            (step: Step) step,
            (until: i64) until,
            (after: u64) after,
            (limit: u32) limit
        ),
        "secrets.exists" => call!(secrets::exists, (name: String) &name),
        "secrets.sign" => call!(secrets::sign, (name: String) &name, (data: Vec<u8>) &data),
        "http.send" => call!(http::send, (request: Request) &request, (tag: String) &tag),
        "http.fetch" => call!(http::fetch, (request: Request) &request),
        _ => return Err(Failure::new(format!("there is no capability {name}"))),
    })
}

fn read<T: DeserializeOwned>(name: &str, arguments: Vec<Value>) -> Result<T> {
    serde_json::from_value(Value::Array(arguments)).map_err(|error| Failure::new(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mock::MockHub;

    #[test]
    fn each_function_of_the_contract_can_be_called_by_its_name() {
        let hub = MockHub::new();
        hub.configure(json!({}));
        let contract = include_str!("../../wit/capabilities.wit");
        let mut interface = "";
        let mut count = 0;
        for line in contract.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("interface ") {
                interface = rest.trim_end_matches(" {");
            } else if let Some((function, _)) = line.split_once(": func(").filter(|_| !line.starts_with('/')) {
                let name = format!("{interface}.{function}");
                if let Err(failure) = capability(&name, Vec::new()) {
                    assert!(!failure.to_string().contains("there is no"), "{name}: {failure}");
                }
                count += 1;
            }
        }
        assert!(count > 25, "{count}");
    }

    #[test]
    fn arguments_and_answers_are_json() {
        let hub = MockHub::new();
        let call = |name, arguments: Value| capability(name, arguments.as_array().unwrap().clone()).unwrap();
        assert_eq!(call("kv.set", json!(["a", [49], null])), json!({ "Ok": null }));
        assert_eq!(call("kv.increment", json!(["a", 4, 60])), json!({ "Ok": 5 }));
        assert_eq!(call("kv.get", json!(["a"])), json!({ "Ok": [53] }));
        assert_eq!(call("users.get", json!(["usr_1"])), json!({ "Err": "NotFound" }));
        let ann = hub.user("Ann");
        assert_eq!(call("users.search", json!(["an", null, 10]))["Ok"][0]["id"], json!(ann.id));
        assert!(capability("kv.get", vec![json!(7)]).is_err());
    }
}
