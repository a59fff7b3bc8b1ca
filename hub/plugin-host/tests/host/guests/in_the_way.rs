//! Guests that mean harm, or are broken, where somebody waits for them: what they do to a hub is told, and measured, with each
//! of them in turn.

use serde_json::json;

use super::{Guest, reject};

/// What stands in the way of everybody who sends something, and how that fails; not at all, where it is bounded without.
/// Which of two limits a flood meets first is for the machine to say.
pub fn in_the_way() -> Vec<(Guest, &'static [&'static str])> {
    const TIME: &[&str] = &["CPU_TIME", "WALL_TIME"];
    const FLOOD: &[&str] = &["OUTPUT", "CPU_TIME", "WALL_TIME"];
    const MEMORY: &[&str] = &["MEMORY"];
    const TRAP: &[&str] = &["TRAP"];
    const OUTPUT: &[&str] = &["OUTPUT"];
    const ANSWER: &[&str] = &["ANSWER"];
    const NONE: &[&str] = &[];
    let deeper = "(func $deeper (param i32) (result i32) (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let line = "(call $log_write (i32.const 2) (i32.const 1024) (i32.const 1000))";
    let set = |key: u32, bytes: u32| {
        format!(
            "(call $kv_set (i32.const {key}) (i32.const 2) (i32.const 1100) (i32.const {bytes}) (i32.const 0) (i32.const 0) (i32.const 300))"
        )
    };
    // Other keys each time, of which there are a few hundred.
    let anew = format!(
        "(i32.store8 (i32.const 1024) (i32.add (i32.const 65) (i32.and (i32.wrap_i64 (call $random_number)) (i32.const 15))))
         (i32.store8 (i32.const 1025) (i32.add (i32.const 65) (i32.and (i32.wrap_i64 (call $random_number)) (i32.const 15))))
         {}",
        set(1024, 2_000)
    );
    vec![
        (Guest::new().id("hostile.endless-loop").before_create("(loop $on (br $on)) (i32.const 16)"), TIME),
        (Guest::new().id("hostile.endless-start").extra("(func $begin (loop $on (br $on))) (start $begin)"), TIME),
        (Guest::new().id("hostile.recursion").extra(deeper).before_create("(call $deeper (i32.const 1))"), MEMORY),
        (
            Guest::new().id("hostile.memory-bomb").before_create(
                "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            ),
            MEMORY,
        ),
        (
            Guest::new().id("hostile.table-bomb").extra("(table $wide 0 funcref)").before_create(
                "(loop $more (br_if $more (i32.ne (table.grow $wide (ref.null func) (i32.const 10000)) (i32.const -1)))) unreachable",
            ),
            MEMORY,
        ),
        (Guest::new().id("hostile.trap").before_create("unreachable"), TRAP),
        (
            // A hold with a reason of 3 MiB.
            Guest::new().id("hostile.huge-answer").before_create(
                "(drop (memory.grow (i32.const 100)))
                 (i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.const 8192))
                 (i32.store (i32.const 208) (i32.const 3145728)) (i32.const 200)",
            ),
            OUTPUT,
        ),
        (Guest::new().id("hostile.far-answer").before_create("(i32.const -4)"), TRAP),
        (
            Guest::new().id("hostile.no-text").extra("(data (i32.const 1024) \"\\ff\\fe\\00\")").data(1100, "why").before_create(&reject(3, 3)),
            TRAP,
        ),
        (
            Guest::new().id("hostile.no-key").extra("(data (i32.const 1024) \"\\ff\\fe\\00\")").import("kv", "delete").before_create(
                "(call $kv_delete (i32.const 1024) (i32.const 2) (i32.const 300)) (i32.const 16)",
            ),
            TRAP,
        ),
        (
            Guest::new().id("hostile.bad-refusal").data(1024, "not here").data(1100, "Not here.").before_create(&reject(9, 8)),
            ANSWER,
        ),
        (Guest::new().id("hostile.call-flood").import("clock", "now").before_create(&flood("(drop (call $clock_now))")), FLOOD),
        (Guest::new().id("hostile.write-flood").import("kv", "set").before_create(&flood(&set(1024, 2_000))), FLOOD),
        (
            Guest::new()
                .id("hostile.hoarder")
                .with("/limits/storage-bytes", json!(100_000))
                .import("kv", "set")
                .import("random", "number")
                .before_create(&format!("{}(i32.const 16)", anew.repeat(20))),
            NONE,
        ),
        (
            Guest::new()
                .id("hostile.log-flood")
                .data(1024, &"é".repeat(500))
                .import("log", "write")
                .before_create(&format!("{}(i32.const 16)", line.repeat(200))),
            NONE,
        ),
    ]
}

/// Calls this over and over.
pub fn flood(call: &str) -> String {
    format!("(loop $more {call} (br $more)) (i32.const 16)")
}
