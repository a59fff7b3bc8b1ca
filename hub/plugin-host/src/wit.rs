//! The contract as Rust types, made from `plugin-sdk/wit`. They stay in this crate: others speak in the words of the domain.

#![allow(clippy::pedantic, reason = "nobody reads what is generated")]

wasmtime::component::bindgen!({
    path: "../../plugin-sdk/wit",
    world: "everything",
    // For whoever speaks the contract in JSON.
    additional_derives: [serde::Serialize, serde::Deserialize],
    imports: {
        // What only looks at what the host has at hand does not wait, and costs no boxed future.
        "jackfield:plugin/kv.delete": trappable,
        "jackfield:plugin/config.get": trappable,
        "jackfield:plugin/log.write": trappable,
        "jackfield:plugin/clock.now": trappable,
        "jackfield:plugin/random.bytes": trappable,
        "jackfield:plugin/random.number": trappable,
        "jackfield:plugin/timers.run-at": trappable,
        "jackfield:plugin/messages.post": trappable,
        "jackfield:plugin/annotations.set": trappable,
        "jackfield:plugin/annotations.remove": trappable,
        "jackfield:plugin/mentions.set": trappable,
        "jackfield:plugin/notices.send": trappable,
        default: async | trappable,
    },
    exports: { default: async },
});
