//! The hub's plugins as its operator has them: installed over the API, switched on and off, and looked after.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Result,
    hub::Hub,
    packages,
    wire::http::{self, HttpConnection},
};

/// What comes with every hub. The first is told of messages, and the second is asked before as well.
pub const BUNDLED: [&str; 5] =
    ["jackfield.mentions", "jackfield.moderation", "jackfield.polls", "jackfield.link-previews", "jackfield.retention"];
/// What the one of them may do that asks other servers, which nobody may by himself.
const PREVIEWING: (&str, [&str; 4]) =
    ("jackfield.link-previews", ["KV", "MESSAGES_READ", "ANNOTATIONS", "FETCH_PUBLIC_URL"]);

/// Compiling one takes less, even on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(60);

pub struct Plugins {
    operator: HttpConnection,
    token: String,
    address: SocketAddr,
}

impl Plugins {
    pub async fn of(hub: &Hub) -> Result<Self> {
        let (token, address) = (hub.operator_token().await?, hub.address(0));
        let operator = HttpConnection::open(address, Some(&token)).await?;
        Ok(Plugins { operator, token, address })
    }

    /// The id of the plugin of this number: the bundled ones come first.
    pub fn id(number: usize) -> String {
        BUNDLED.get(number).map_or_else(|| format!("load.guest-{number}"), |id| (*id).to_owned())
    }

    /// Has so many installed and on, and no others.
    pub async fn set_up(&mut self, count: usize) -> Result<()> {
        for number in BUNDLED.len()..count {
            self.install(packages::allowing(&Self::id(number)), &[]).await?;
        }
        self.grant().await?;
        self.switch_to(count, BUNDLED.len().max(count)).await?;
        self.ready().await
    }

    /// Lets those that come with the hub do all that they want.
    pub async fn grant(&mut self) -> Result<()> {
        let query = "mutation($input: PluginSettingsUpdateInput!) {
            pluginSettingsUpdate(input: $input) { errors { code message } } }";
        let (id, capabilities) = PREVIEWING;
        let input = json!({ "pluginId": id, "scope": "HUB", "capabilities": capabilities });
        self.operator.ask(query, json!({ "input": input })).await?;
        Ok(())
    }

    /// Has the first `on` of so many on, and the others off.
    pub async fn switch_to(&mut self, on: usize, of: usize) -> Result<()> {
        for number in 0..of {
            self.switch(&Self::id(number), None, number < on).await?;
        }
        Ok(())
    }

    pub async fn install(&mut self, package: Vec<u8>, grant: &[String]) -> Result<()> {
        let query = "mutation { pluginUploadCreate { upload { id path } errors { code message } } }";
        let upload = self.operator.ask(query, json!({})).await?["data"]["pluginUploadCreate"]["upload"].take();
        http::put(self.address, upload["path"].as_str().ok_or("no place for a package")?, &package).await?;
        let query =
            "mutation($input: PluginInstallInput!) { pluginInstall(input: $input) { errors { code message } } }";
        self.operator.ask(query, json!({ "input": { "uploadId": upload["id"], "grant": grant } })).await?;
        Ok(())
    }

    /// In the whole workspace, or in a conversation.
    pub async fn switch(&mut self, id: &str, conversation: Option<&str>, is_on: bool) -> Result<()> {
        let query = if is_on {
            "mutation($p: ID!, $c: ID) { pluginEnable(input: { pluginId: $p, conversationId: $c }) { errors { code message } } }"
        } else {
            "mutation($p: ID!, $c: ID) { pluginDisable(input: { pluginId: $p, conversationId: $c }) { errors { code message } } }"
        };
        self.operator.ask(query, json!({ "p": id, "c": conversation })).await?;
        Ok(())
    }

    pub async fn remove(&mut self, id: &str) -> Result<()> {
        let query =
            "mutation($p: ID!) { pluginRemove(input: { pluginId: $p, withData: true }) { errors { code message } } }";
        self.operator.ask(query, json!({ "p": id })).await?;
        Ok(())
    }

    /// Goes on with a hub that was started anew.
    pub async fn move_to(&mut self, hub: &Hub) -> Result<()> {
        self.address = hub.address(0);
        self.operator = HttpConnection::open(self.address, Some(&self.token)).await?;
        Ok(())
    }

    /// Waits until each of them that is on can be asked.
    pub async fn ready(&mut self) -> Result<()> {
        let until = Instant::now() + READY_LIMIT;
        loop {
            let found = self.operator.ask("{ plugins { id isOn isReady problem } }", json!({})).await?;
            let plugins = found["data"]["plugins"].as_array().ok_or("no list of plugins")?;
            if let Some(bad) = plugins.iter().find(|plugin| plugin["problem"] != Value::Null) {
                return Err(format!("a plugin cannot run: {bad}").into());
            }
            if plugins.iter().all(|plugin| plugin["isReady"] == json!(true) || plugin["isOn"] == json!(false)) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("plugins do not become ready: {found}").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether it is left alone, because it failed too often.
    pub async fn is_resting(&mut self, id: &str) -> Result<bool> {
        let found = self.operator.ask("{ plugins { id health { isBreakerOpen } } }", json!({})).await?;
        let plugins = found["data"]["plugins"].as_array().ok_or("no list of plugins")?;
        let plugin = plugins.iter().find(|plugin| plugin["id"] == json!(id)).ok_or("it is not there")?;
        Ok(plugin["health"]["isBreakerOpen"] == json!(true))
    }
}
