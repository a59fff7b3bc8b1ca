//! `jackfield plugin dev`: an author saves a file, and a moment later the hub runs what stands in it.
//!
//! What is built so is quickly built, and not as small and fast as what `jackfield plugin build` makes. To the hub it is a package like
//! any other: the same version may come again with other content, for a package is known by what is in it.

mod folder;

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use jackfield_plugin_build::Effort;
use jackfield_plugin_host::Package;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    super::build::{Workshop, tell},
    HubArgs, LOGS,
    client::Client,
    packages::{all_of, put, words},
    plain, show, shown,
};
use folder::Folder;

/// How often the folder is looked at: nobody notices it, neither who waits nor the machine.
const GLANCE: Duration = Duration::from_millis(200);
/// After a hub has gone away it is looked for again.
const PAUSE: Duration = Duration::from_secs(2);
/// So many lines are remembered, so that a hub that was away does not tell them twice.
const LINES: usize = 2_000;

#[derive(Args)]
pub(in super::super) struct DevArgs {
    /// The folder of the plugin.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// What is granted to it, such as kv,messages.read; all that it asks for, if nothing is said.
    #[arg(long, value_name = "CAPABILITIES", value_delimiter = ',')]
    grant: Option<Vec<String>>,
    #[command(flatten)]
    hub: HubArgs,
}

pub(super) async fn run(arguments: DevArgs) -> Result<(), String> {
    let client = Arc::new(Client::new(&arguments.hub)?);
    // Who may not install would hear of it after a minute of compiling.
    let viewer = client.ask("{ viewer { isOperator } }", json!({})).await?;
    if viewer["viewer"]["isOperator"] != json!(true) {
        return Err("this is for operators of the hub; where its data are, \
                    `jackfield token --user NAME --role operator` prints a token for one"
            .to_owned());
    }
    let workshop = Arc::new(Workshop::open(&arguments.folder)?);
    let mut work = Work {
        client,
        workshop,
        grant: arguments.grant,
        json: arguments.hub.json,
        tail: JoinSet::new(),
        in_force: None,
    };
    let mut stop = pin!(tokio::signal::ctrl_c());
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        tokio::select! {
            _ = &mut stop => break,
            _ = glances.tick() => {}
        }
        let now = Some(Folder::look(&arguments.folder)?);
        if now == seen {
            continue;
        }
        if seen.is_none() {
            let place = arguments.folder.display();
            tell(&format!("watching {place}, until Ctrl-C; the first build takes a minute"));
        }
        // What is saved while it is built is seen by the next glance.
        seen = now;
        tokio::select! {
            _ = &mut stop => break,
            done = work.swap() => if let Err(why) = done {
                let goes_on = if work.in_force.is_some() { "; the one from before goes on" } else { "" };
                tell(&format!("{}{goes_on}", why.lines().map(plain).collect::<Vec<_>>().join("\n")));
            },
        }
    }
    if let Some((id, _)) = &work.in_force {
        tell(&format!("the hub keeps {id} as it is now; `jackfield plugin remove {id} --kept delete` takes it away"));
    }
    Ok(())
}

/// A plugin that is worked on, and the hub beside it.
struct Work {
    client: Arc<Client>,
    workshop: Arc<Workshop>,
    grant: Option<Vec<String>>,
    json: bool,
    /// What follows the log, once there is one.
    tail: JoinSet<()>,
    /// The plugin's id, and the package that was put in force last.
    in_force: Option<(String, Package)>,
}

impl Work {
    /// Builds what stands in the folder and puts it in the place of what is in force.
    async fn swap(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let workshop = self.workshop.clone();
        let built = tokio::task::spawn_blocking(move || workshop.build(Effort::Development)).await;
        let package = built.map_err(|error| error.to_string())??;
        let compiled = began.elapsed();
        let id = package.manifest().id.to_string();
        match &self.in_force {
            Some((in_force, before)) if *in_force == id && before.component() == package.component() => {
                tell("nothing of the plugin is different");
                return Ok(());
            }
            Some((in_force, _)) if *in_force != id => {
                return Err(format!(
                    "it was {in_force} and calls itself {id} now: end this, and begin it again for the other"
                ));
            }
            _ => {}
        }
        let earlier = if self.in_force.is_none() { self.earlier(&id).await? } else { None };
        let grant = self.grant.as_deref().map_or_else(|| all_of(&package), words);
        let plugin = put(&self.client, &package, grant).await?;
        let (all, compiling) = (began.elapsed().as_secs_f64(), compiled.as_secs_f64());
        tell(&match plugin["pendingUpgrade"]["version"].as_str() {
            Some(version) => format!(
                "{id} {} waits, because it asks for more than --grant gives: {}",
                plain(version),
                plain(&plugin["pendingUpgrade"]["newCapabilities"])
            ),
            None => format!(
                "{id} {} is in force, after {all:.1} s ({compiling:.1} s to compile)",
                shown(&plugin["version"])
            ),
        });
        if let Some(problem) = plugin["problem"].as_str() {
            tell(&format!("it has a problem: {}", plain(problem)));
        }
        if self.in_force.is_none() {
            if earlier.is_none() {
                self.client.act("pluginEnable", "plugin { id }", json!({ "pluginId": id })).await?;
                tell("it is new, and now on in the workspace");
            } else if plugin["isOn"] != json!(true) {
                tell(&format!("it is off in the workspace; `jackfield plugin enable {id}` switches it on"));
            }
            self.tail.spawn(follow(self.client.clone(), id.clone(), earlier.unwrap_or_default(), self.json));
        }
        self.in_force = Some((id, package));
        Ok(())
    }

    /// What the plugin has logged before; none where the hub does not have it.
    async fn earlier(&self, id: &str) -> Result<Option<VecDeque<String>>, String> {
        let found = self.client.ask("{ plugins { id logs { at level text } } }", json!({})).await?;
        let mut plugins = found["plugins"].as_array().into_iter().flatten();
        let known = plugins.find(|plugin| plugin["id"] == json!(id));
        Ok(known.map(|plugin| plugin["logs"].as_array().into_iter().flatten().map(Value::to_string).collect()))
    }
}

/// Shows each line of the log that has not been seen, for as long as there is somebody to show it to.
async fn follow(client: Arc<Client>, id: String, mut seen: VecDeque<String>, json: bool) {
    loop {
        // A subscription begins with the newest lines of the past. Two lines may well be the same.
        let mut again: HashMap<String, usize> = HashMap::new();
        for line in &seen {
            *again.entry(line.clone()).or_default() += 1;
        }
        let each = |mut data: Value| {
            let line = data["pluginLogs"].take();
            let text = line.to_string();
            if let Some(count) = again.get_mut(&text).filter(|count| **count > 0) {
                *count -= 1;
                return;
            }
            show(&line, json);
            seen.push_back(text);
            if seen.len() > LINES {
                seen.pop_front();
            }
        };
        let _ = client.follow(LOGS, json!({ "plugin": id }), each).await;
        sleep(PAUSE).await;
    }
}
