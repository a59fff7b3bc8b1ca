//! What is not taken, and what whoever wanted it is told.

use jackfield_domain::plugins::LimitChanges;
use jackfield_plugin_host::{PACKAGE_MAX_BYTES, Package, PackageError};
use serde_json::json;

use crate::guests::{Guest, add_section};

crate::tests![
    a_good_package_is_read,
    a_bad_package_is_refused_in_words,
    a_schema_that_takes_for_ever_is_refused,
    the_contract_is_documented
];

/// F: P-01
async fn a_good_package_is_read() {
    let component = Guest::new().build();
    let package = Package::read(component.clone()).unwrap();
    assert_eq!(package.manifest().id.as_str(), "example.guest");
    assert_eq!(package.manifest().limits, LimitChanges::default());
    assert_eq!(&package.component()[..], &component[..]);
}

fn refused(component: Vec<u8>) -> String {
    Package::read(component).expect_err("it is bad").to_string()
}

/// F: P-01, P-05
async fn a_bad_package_is_refused_in_words() {
    let good = Guest::new().build();
    let told = |guest: Guest| refused(guest.build());

    for end in [9, good.len() / 3, good.len() / 2, good.len() - 1] {
        let what = refused(good[..end].to_vec());
        assert!(what.contains("ends early") && what.contains("build it again"), "{end}: {what}");
    }
    for no_wasm in [&b""[..], b"#!/bin/sh", b"\0as"] {
        assert!(refused(no_wasm.to_vec()).contains("no WebAssembly"));
    }
    assert!(refused(wat::parse_str("(module)").unwrap()).contains("core module"));
    let mut large = good.clone();
    add_section(&mut large, "padding", &vec![0; PACKAGE_MAX_BYTES]);
    assert!(refused(large).contains("make it smaller"));

    assert_eq!(refused(Guest { manifest: None, ..Guest::new() }.build()), PackageError::NoManifest.to_string());
    let mut garbled = Guest { manifest: None, ..Guest::new() }.build();
    add_section(&mut garbled, jackfield_plugin_host::manifest::SECTION, b"{ not json");
    assert!(refused(garbled).contains("cannot be read"));

    let mut double = good.clone();
    add_section(&mut double, jackfield_plugin_host::manifest::SECTION, b"{}");
    assert_eq!(refused(double), PackageError::TwoManifests.to_string());

    let newer = told(Guest { version: "0.2.0", ..Guest::new() });
    assert!(newer.contains("version 0.2.0") && newer.contains("jackfield:plugin@0.1.0"), "{newer}");
    assert!(told(Guest::new().with("/capabilities", json!(["files"]))).contains("the capability `files`"));
    assert!(told(Guest::new().hook("before-sending", json!({}))).contains("the hook `before-sending`"));

    let undeclared = Guest::new().import("kv", "set").with("/capabilities", json!([]));
    let undeclared = told(undeclared.before_create("(call $kv_set (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 16)"));
    assert!(undeclared.contains("uses `kv`") && undeclared.contains("declare `kv`"), "{undeclared}");
    assert!(
        told(Guest::new().hook("on-events", json!({ "events": ["message_sent"] })))
            .contains("does not export `event-hooks`")
    );
    let scheduled = Guest::new().with("/schedules", json!([{ "name": "daily", "cron": "0 2 * * *" }]));
    assert!(told(scheduled).contains("does not export `schedule-hooks`"));
    let mut unwanted = Guest::new();
    unwanted.groups.push("event-hooks");
    assert!(told(unwanted).contains("exports `event-hooks`, but the manifest names no hook of it"));
    assert!(told(Guest::new().with("/hooks", json!({}))).contains("no hook at all"));

    let strange = r#"(component (import "wasi:filesystem/types@0.2.0" (instance)))"#;
    let mut strange = wat::parse_str(strange).unwrap();
    add_section(
        &mut strange,
        jackfield_plugin_host::manifest::SECTION,
        crate::guests::manifest().to_string().as_bytes(),
    );
    let strange = refused(strange);
    assert!(strange.contains("wasi:filesystem") && strange.contains("no files"), "{strange}");
}

/// Whatever can take longer than it is long is no part of a schema.
///
/// F: P-01, P-05
async fn a_schema_that_takes_for_ever_is_refused() {
    let twice = |combinator: &str, end: serde_json::Value, root: serde_json::Value| {
        let both = |next: usize| json!({ combinator: [{ "$ref": format!("#/$defs/a{next}") }, { "$ref": format!("#/$defs/a{next}") }] });
        let mut definitions: serde_json::Map<_, _> =
            (0..40).map(|number| (format!("a{number}"), both(number + 1))).collect();
        definitions.insert("a40".to_owned(), end);
        let mut schema = json!({ "type": "object", "$defs": definitions });
        schema.as_object_mut().unwrap().extend(root.as_object().unwrap().clone());
        schema
    };
    let of_property = |property: serde_json::Value| json!({ "type": "object", "properties": { "x": property } });
    let deep = (0..17).fold(json!({}), |schema, _| json!({ "items": schema }));
    let many = |count: usize, schema: &dyn Fn(usize) -> serde_json::Value| {
        let properties: serde_json::Map<_, _> =
            (0..count).map(|number| (format!("p{number}"), schema(number))).collect();
        json!({ "type": "object", "properties": properties })
    };
    for (schema, words) in [
        (twice("allOf", json!({}), json!({ "unevaluatedProperties": false })), "/$defs is not taken"),
        (twice("anyOf", json!({ "required": ["z"] }), json!({})), "/$defs is not taken"),
        (of_property(json!({ "$ref": "#" })), "/properties/x/$ref is not taken"),
        (of_property(json!({ "$dynamicRef": "#" })), "/properties/x/$dynamicRef is not taken"),
        (of_property(json!({ "items": { "anyOf": [{}, {}] } })), "/properties/x/items/anyOf is not taken"),
        (
            of_property(json!({ "additionalProperties": { "not": {} } })),
            "/properties/x/additionalProperties/not is not taken",
        ),
        (of_property(json!({ "prefixItems": [{ "if": {} }] })), "/properties/x/prefixItems/0/if is not taken"),
        (of_property(json!({ "propertyNames": { "minimun": 1 } })), "/properties/x/propertyNames/minimun is not taken"),
        (json!({ "type": "object", "$schema": "https://elsewhere.example/x" }), "/$schema is another one"),
        (of_property(json!(7)), "what stands at /properties/x is no schema"),
        (of_property(deep), "deeper than 16"),
        (many(501, &|_| json!({})), "more than 500 schemas"),
        (many(21, &|number| json!({ "pattern": format!("a{number}") })), "more than 20 patterns"),
        (of_property(json!({ "pattern": "a".repeat(501) })), "/properties/x/pattern has 501 characters"),
        (of_property(json!({ "pattern": "^(a{1,1000}){1,1000}b$" })), "not good"),
        (of_property(json!({ "enum": (0..1_001).collect::<Vec<_>>() })), "/properties/x/enum has 1001 values"),
        (of_property(json!({ "description": "a".repeat(65_536) })), "bytes, at most 65536 are allowed"),
    ] {
        let began = std::time::Instant::now();
        let told = refused(Guest::new().with("/configuration", schema).build());
        assert!(told.contains(words) && told.contains("plugin.toml"), "{words}: {told}");
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{words}: {:?}", began.elapsed());
    }
    let word = json!({ "type": "string", "pattern": r"^\p{L}[\p{L}\d ]*$", "maxLength": 20, "format": "word" });
    let good = json!({ "type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": { "words": { "type": "array", "items": word, "uniqueItems": true, "default": ["tea"] } },
        "required": ["words"], "propertyNames": { "maxLength": 10 }, "additionalProperties": { "enum": [1, null] } });
    assert!(Package::read(Guest::new().with("/configuration", good).build()).is_ok());
}

/// Every function of the contract says when it runs or what it does, and so does every interface.
async fn the_contract_is_documented() {
    let mut contract = wit_parser::Resolve::default();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-sdk/wit");
    contract.push_dir(folder).unwrap();
    for (_, interface) in &contract.interfaces {
        let name = interface.name.as_deref().unwrap();
        assert!(interface.docs.contents.is_some(), "{name}");
        for (function, what) in &interface.functions {
            assert!(what.docs.contents.is_some(), "{name}.{function}");
        }
    }
}
