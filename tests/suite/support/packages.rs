//! Packages of plugins, on their way into a running hub.

use serde_json::{Value, json};

use super::{Person, account::does, guest::GUEST, person::text, within};

/// Everything that the guest asks for.
pub const ALL: [&str; 10] = [
    "KV",
    "MESSAGES_READ",
    "MESSAGES_POST",
    "CONVERSATIONS_READ",
    "USERS_READ",
    "ANNOTATIONS",
    "MENTIONS",
    "NOTICES",
    "SECRETS",
    "HTTP",
];

const PLUGIN: &str = "plugin { id version isOn isReady problem grantedCapabilities canRollBack
    pendingUpgrade { version newCapabilities } }";

/// A place to put a package.
pub async fn place(operator: &Person) -> Value {
    let query = "mutation { pluginUploadCreate { upload { id path } errors { code message path } } }";
    operator.ask(query, json!({})).await["pluginUploadCreate"].take()
}

/// Puts a package there, and answers by what it is installed.
pub async fn upload(operator: &Person, package: Vec<u8>) -> String {
    let upload = place(operator).await["upload"].take();
    let url = format!("{}{}", operator.url, text(&upload["path"]));
    let put = operator.http.put(url).body(package).send().await.expect("an answer");
    assert_eq!(put.status(), 204);
    text(&upload["id"])
}

/// Installs what was uploaded, and answers the payload.
pub async fn try_install(operator: &Person, package: Vec<u8>, grant: &[&str]) -> Value {
    let id = upload(operator, package).await;
    does(operator, "pluginInstall", json!({ "uploadId": id, "grant": grant }), PLUGIN).await
}

/// The same where it must go well; answers the plugin.
pub async fn install(operator: &Person, package: Vec<u8>, grant: &[&str]) -> Value {
    let mut payload = try_install(operator, package, grant).await;
    assert_eq!(payload["errors"], json!([]), "{payload}");
    payload["plugin"].take()
}

/// Does something with the guest that must go well; answers the plugin.
pub async fn change(person: &Person, mutation: &str, input: Value) -> Value {
    let mut payload = try_change(person, mutation, input).await;
    assert_eq!(payload["errors"], json!([]), "{mutation}: {payload}");
    payload["plugin"].take()
}

/// The same, whatever comes of it.
pub async fn try_change(person: &Person, mutation: &str, mut input: Value) -> Value {
    input["pluginId"] = json!(GUEST);
    does(person, mutation, input, PLUGIN).await
}

/// The guest, as somebody who runs a workspace sees it; null where it is not there.
pub async fn seen(person: &Person, fields: &str) -> Value {
    let found = person.ask(&format!("{{ plugins {{ id {fields} }} }}"), json!({})).await;
    let plugins = found["plugins"].as_array().expect("plugins").clone();
    plugins.into_iter().find(|plugin| plugin["id"] == json!(GUEST)).unwrap_or(Value::Null)
}

/// Waits until the guest is seen so.
pub async fn becomes(person: &Person, fields: &str, expected: Value) {
    within("the plugin", async {
        loop {
            let mut found = seen(person, fields).await;
            if let Some(found) = found.as_object_mut() {
                found.remove("id");
            }
            if found == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}
