//! The plugins that do what stories ask of them (`tests/guest`, `tests/fields`): built once, and installed with whatever
//! manifest a story wants.

use std::{path::Path, sync::OnceLock};

use jackfield_plugin_build::{Compiler, Effort, MANIFEST_SECTION, ThisMachine, build};
use serde_json::{Value, json};

use super::{Person, World, account::does};

pub const GUEST: &str = "test.guest";
pub const FIELDS: &str = "test.fields";

/// A component without a manifest, and the manifest that it has.
struct Built(OnceLock<(Vec<u8>, Value)>, &'static str);

static GUEST_BUILT: Built = Built(OnceLock::new(), "../tests/guest");
static FIELDS_BUILT: Built = Built(OnceLock::new(), "../tests/fields");

impl Built {
    fn get(&self) -> &(Vec<u8>, Value) {
        self.0.get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.1);
            // Where the plugins lie that come with the hub, so that what they have in common is compiled already.
            let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("plugins");
            let machine = ThisMachine { folder: &folder, say: &|words| eprintln!("{words}") };
            let compiler = Compiler::find(&machine).unwrap_or_else(|error| panic!("{error}"));
            let package = build(&compiler, &folder, &target, Effort::Release).unwrap_or_else(|error| panic!("{error}"));
            let mut component = package.bytes;
            let name = MANIFEST_SECTION.as_bytes();
            let at = component.windows(name.len()).rposition(|window| window == name).expect("it carries a manifest");
            let manifest = serde_json::from_slice(&component[at + name.len()..]).expect("JSON");
            // Before the name stand its length, that of the section, and what kind of section it is.
            let section = component.len() - at + 1;
            component.truncate(at - 1 - length(section).len() - 1);
            (component, manifest)
        })
    }

    /// With a manifest that is different in something.
    fn with(&self, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let (component, manifest) = self.get();
        let (mut package, mut manifest) = (component.clone(), manifest.clone());
        change(&mut manifest);
        let mut section = vec![MANIFEST_SECTION.len() as u8];
        section.extend(MANIFEST_SECTION.as_bytes());
        section.extend(manifest.to_string().as_bytes());
        package.push(0);
        package.extend(length(section.len()));
        package.extend(section);
        package
    }
}

/// The guest, with a manifest that is different in something.
pub fn guest(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    GUEST_BUILT.with(change)
}

/// The plugin that adds fields, with a manifest that is different in something.
pub fn fields(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    FIELDS_BUILT.with(change)
}

/// A number as WebAssembly writes it: seven bits a byte, the least first.
fn length(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Somebody who runs the workspace `default`.
pub async fn owner(world: &World) -> Person {
    world.person_with("olga", json!({ "roles": ["owner"] })).await
}

/// Switches a plugin on or off, in the whole workspace or in a conversation.
pub async fn switch(owner: &Person, plugin: &str, conversation: Option<&str>, is_on: bool) {
    let what = if is_on { "pluginEnable" } else { "pluginDisable" };
    let done = does(owner, what, json!({ "pluginId": plugin, "conversationId": conversation }), "").await;
    assert_eq!(done["errors"], json!([]), "{what}");
}

pub async fn configure(owner: &Person, configuration: Value) {
    let input = json!({ "pluginId": GUEST, "configuration": configuration });
    assert_eq!(does(owner, "pluginConfigure", input, "").await["errors"], json!([]));
}

/// Runs a command of whichever plugin has it, and answers the payload.
pub async fn run(person: &Person, command: &str, conversation: Option<&str>, arguments: Value) -> Value {
    run_with(person, json!({ "command": command, "conversationId": conversation, "arguments": arguments })).await
}

pub async fn run_with(person: &Person, input: Value) -> Value {
    let query = "mutation($input: CommandRunInput!) { commandRun(input: $input) {
        reply { text html } errors { code message path plugin pluginCode } } }";
    person.ask(query, json!({ "input": input })).await["commandRun"].take()
}

/// What a command answers that must go well.
pub async fn answer(person: &Person, command: &str, arguments: Value) -> String {
    let payload = run(person, command, None, arguments).await;
    assert_eq!(payload["errors"], json!([]), "{command}");
    super::person::text(&payload["reply"]["text"])
}
