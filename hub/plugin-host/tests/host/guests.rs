//! Makes components out of WebAssembly's text.
//!
//! A guest imports what it is told to and exports whole groups of hooks; a hook that is not given a body answers what all
//! zeroes mean: allow, done, nothing. A body gets its arguments as the contract flattens them, and answers with the address of what
//! it says. Addresses from 16 to 1,024 are zero at the start, from 1,024 to 8,192 the guest's own, and above that is what it is
//! handed.

#[path = "guests/in_the_way.rs"]
pub mod in_the_way;

use std::fmt::Write;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, UnresolvedPackageGroup};

const VERSION: &str = "0.1.0";

/// Where a component has its manifest. Written out, so that programs that know nothing else of the hub can make guests.
const SECTION: &str = "jackfield:manifest";

const CONTRACT: &[(&str, &str)] = &[
    ("capabilities.wit", include_str!("../../../../plugin-sdk/wit/capabilities.wit")),
    ("hooks.wit", include_str!("../../../../plugin-sdk/wit/hooks.wit")),
    ("types.wit", include_str!("../../../../plugin-sdk/wit/types.wit")),
    ("worlds.wit", include_str!("../../../../plugin-sdk/wit/worlds.wit")),
];

/// The hooks of each group, and their parameters.
const GROUPS: &[(&str, &[(&str, &str)])] = &[
    ("message-hooks", &[("before-create", "i32"), ("before-edit", "i32"), ("before-delete", "i32")]),
    ("membership-hooks", &[("before-join", "i32"), ("before-conversation-create", "i32")]),
    ("event-hooks", &[("on-events", "i32 i32 i32")]),
    ("schedule-hooks", &[("run", "i32 i32 i64 i32 i32 i32 i32")]),
    ("command-hooks", &[("run", "i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32")]),
    (
        "lifecycle-hooks",
        &[
            ("install", "i32 i32 i32"),
            ("upgrade", "i32 i32 i32 i32 i32 i32"),
            ("enable", ""),
            ("disable", ""),
            ("validate-configuration", "i32 i32"),
            ("configuration-changed", ""),
        ],
    ),
];

/// Where each import's function is declared: interface, function, parameters, results.
const IMPORTS: &[(&str, &str, &str, &str)] = &[
    ("kv", "get", "i32 i32 i32", ""),
    ("kv", "get-many", "i32 i32 i32", ""),
    ("kv", "scan", "i32 i32 i32 i32 i32 i32 i32", ""),
    ("kv", "scan-many", "i32 i32 i32 i32", ""),
    ("kv", "set", "i32 i32 i32 i32 i32 i32 i32", ""),
    ("kv", "compare-and-set", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    ("kv", "increment", "i32 i32 i64 i32 i32 i32", ""),
    ("kv", "delete", "i32 i32 i32", ""),
    ("config", "get", "i32", ""),
    ("log", "write", "i32 i32 i32", ""),
    ("clock", "now", "", "i64"),
    ("random", "number", "", "i64"),
    ("messages", "get", "i32 i32 i32", ""),
    ("messages", "post", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    ("conversations", "get", "i32 i32 i32", ""),
    ("users", "get", "i32 i32 i32", ""),
    ("annotations", "set", "i32 i32 i32 i32 i32", ""),
    ("annotations", "get", "i32 i32 i32", ""),
    ("mentions", "set", "i32 i32 i32 i32 i32", ""),
    ("notices", "send", "i32 i32 i32 i32 i32 i32 i32 i32", ""),
    ("secrets", "sign", "i32 i32 i32 i32 i32", ""),
    ("http", "send", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    ("http", "fetch", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32", ""),
    ("retention", "trim", "i32 i32 i32 i64 i64 i32 i32", ""),
];

/// A component in the making.
#[derive(Clone)]
pub struct Guest {
    pub manifest: Option<Value>,
    pub imports: Vec<(&'static str, &'static str)>,
    pub groups: Vec<&'static str>,
    pub bodies: Vec<(&'static str, &'static str, String)>,
    pub extra: String,
    pub version: &'static str,
}

impl Guest {
    /// One that does nothing, and wants to be asked before messages are sent.
    pub fn new() -> Self {
        Guest {
            manifest: Some(manifest()),
            imports: Vec::new(),
            groups: vec!["message-hooks"],
            bodies: Vec::new(),
            extra: String::new(),
            version: VERSION,
        }
    }

    pub fn id(self, id: &str) -> Self {
        self.with("/id", json!(id))
    }

    /// The manifest with another value somewhere.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let manifest = self.manifest.as_mut().expect("it has one");
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        manifest.pointer_mut(parent).expect("the parent is there")[key] = value;
        self
    }

    /// Also wants this hook.
    pub fn hook(mut self, name: &str, wish: Value) -> Self {
        self.manifest.as_mut().expect("it has one")["hooks"][name] = wish;
        self
    }

    /// Exports this group and wants these hooks of it, and no other group.
    pub fn only(mut self, group: &'static str, hooks: Value) -> Self {
        self.groups = vec![group];
        self.with("/hooks", hooks)
    }

    /// Does this when it is asked.
    pub fn does(mut self, group: &'static str, function: &'static str, body: &str) -> Self {
        self.bodies.push((group, function, body.to_owned()));
        self
    }

    pub fn before_create(self, body: &str) -> Self {
        self.does("message-hooks", "before-create", body)
    }

    /// Imports a function, which is `$interface_function` in its bodies.
    pub fn import(mut self, interface: &'static str, function: &'static str) -> Self {
        self.imports.push((interface, function));
        let capability = match interface {
            "kv" | "annotations" | "mentions" | "notices" | "secrets" | "retention" => interface,
            "messages" if function == "post" => "messages.post",
            "messages" => "messages.read",
            "conversations" => "conversations.read",
            "users" => "users.read",
            _ => return self,
        };
        let capabilities = self.manifest.as_mut().expect("it has one")["capabilities"].as_array_mut().expect("a list");
        if !capabilities.contains(&json!(capability)) {
            capabilities.push(json!(capability));
        }
        self
    }

    /// More of the module: globals, functions, data.
    pub fn extra(mut self, text: &str) -> Self {
        self.extra.push_str(text);
        self
    }

    /// A text in its memory.
    pub fn data(self, at: u32, text: &str) -> Self {
        let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        self.extra(&format!("(data (i32.const {at}) \"{escaped}\")\n"))
    }

    pub fn build(&self) -> Vec<u8> {
        let mut component = self.component();
        if let Some(manifest) = &self.manifest {
            add_section(&mut component, SECTION, manifest.to_string().as_bytes());
        }
        component
    }

    fn component(&self) -> Vec<u8> {
        let resolve_and_world = self.world();
        let text = self.module();
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        embed_component_metadata(&mut module, &resolve_and_world.0, resolve_and_world.1, StringEncoding::UTF8)
            .expect("the module fits its world");
        let encoder = ComponentEncoder::default().module(&module).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
        encoder.validate(true).encode().unwrap_or_else(|error| panic!("{error:#}\n{text}"))
    }

    fn world(&self) -> (Resolve, wit_parser::WorldId) {
        let mut resolve = Resolve::default();
        let mut map = wit_parser::SourceMap::default();
        for (file, text) in CONTRACT {
            map.push_str(file, text.replace(VERSION, self.version));
        }
        let contract = map.parse().map_err(|(_, error)| error).expect("the contract can be read");
        resolve.push_group(contract).expect("the contract is whole");
        let mut world = "package test:guest;\nworld guest {\n".to_owned();
        let mut interfaces: Vec<&str> = self.imports.iter().map(|(interface, _)| *interface).collect();
        interfaces.sort_unstable();
        interfaces.dedup();
        for interface in interfaces {
            writeln!(world, "import {};", self.name(interface)).expect("a text takes everything");
        }
        for group in &self.groups {
            writeln!(world, "export {};", self.name(group)).expect("a text takes everything");
        }
        world += "}\n";
        let group = UnresolvedPackageGroup::parse("guest.wit", &world).expect("a world");
        let package = resolve.push_group(group).expect("a package");
        let world = resolve.select_world(&[package], None).expect("one world");
        (resolve, world)
    }

    fn name(&self, interface: &str) -> String {
        format!("jackfield:plugin/{interface}@{}", self.version)
    }

    fn module(&self) -> String {
        let mut text = "(module\n".to_owned();
        for (interface, function) in &self.imports {
            let (.., parameters, results) = IMPORTS
                .iter()
                .find(|(in_interface, name, ..)| in_interface == interface && name == function)
                .expect("an import that is listed");
            writeln!(
                text,
                "(import \"{}\" \"{function}\" (func ${interface}_{} (param {parameters}) (result {results})))",
                self.name(interface),
                function.replace('-', "_")
            )
            .expect("a text takes everything");
        }
        text += ALLOCATOR;
        for group in &self.groups {
            let (_, functions) = GROUPS.iter().find(|(name, _)| name == group).expect("a group");
            for (function, parameters) in *functions {
                let body = self.bodies.iter().find(|(in_group, name, _)| in_group == group && name == function);
                let body = body.map_or("(i32.const 16)", |(.., body)| body);
                let interface = self.name(group);
                writeln!(
                    text,
                    "(func (export \"{interface}#{function}\") (param {parameters}) (result i32)\n{body})\n\
                     (func (export \"cabi_post_{interface}#{function}\") (param i32) (global.set $free (i32.const 8192)))"
                )
                .expect("a text takes everything");
            }
        }
        text + &self.extra + ")\n"
    }
}

/// Hands out memory one piece after the other, and takes all of it back after a call.
const ALLOCATOR: &str = r#"
(memory (export "memory") 1)
(global $free (mut i32) (i32.const 8192))
(func $cabi_realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
  (global.set $free (i32.add (local.get $at) (local.get $size)))
  (block $fits
    (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
    (br_if $fits (i32.ne (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1))) (i32.const -1)))
    unreachable)
  (local.get $at))
"#;

/// The manifest of a plugin that is asked before messages are sent.
pub fn manifest() -> Value {
    json!({
        "id": "example.guest",
        "version": "1.0.0",
        "name": "Guest",
        "description": "A guest of the tests.",
        "hooks": { "before-create": {} },
        "capabilities": [],
        "limits": {}
    })
}

/// A custom section behind all others.
pub fn add_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let number = |mut number: usize, out: &mut Vec<u8>| loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        out.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            break;
        }
    };
    let mut section = Vec::new();
    number(name.len(), &mut section);
    section.extend(name.as_bytes());
    section.extend(data);
    component.push(0);
    number(section.len(), component);
    component.extend(section);
}

/// Answers with a refusal: the code is at 1,024 and has `code` bytes, the reason is at 1,100 and has `reason`.
pub fn reject(reason: usize, code: usize) -> String {
    format!(
        "(i32.store8 (i32.const 200) (i32.const 2))
         (i32.store (i32.const 204) (i32.const 1100)) (i32.store (i32.const 208) (i32.const {reason}))
         (i32.store (i32.const 212) (i32.const 1024)) (i32.store (i32.const 216) (i32.const {code}))
         (i32.const 200)"
    )
}
