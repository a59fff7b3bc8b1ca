//! What `wit-bindgen` makes of the contract in `wit/`: one world with all capabilities, and one for each group of hooks.
//!
//! A plugin that exports a group brings that group's world along, and the worlds that a plugin brought are merged when it
//! becomes a component. So a component exports the groups that it implements and imports the capabilities that it calls,
//! and nobody writes a world down.

#![allow(missing_docs, clippy::pedantic, reason = "generated; the contract is described in wit/")]

pub mod capabilities {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package jackfield:sdk;
            world capabilities {
                import jackfield:plugin/kv@0.1.0;
                import jackfield:plugin/config@0.1.0;
                import jackfield:plugin/log@0.1.0;
                import jackfield:plugin/clock@0.1.0;
                import jackfield:plugin/random@0.1.0;
                import jackfield:plugin/timers@0.1.0;
                import jackfield:plugin/messages@0.1.0;
                import jackfield:plugin/conversations@0.1.0;
                import jackfield:plugin/users@0.1.0;
                import jackfield:plugin/annotations@0.1.0;
                import jackfield:plugin/mentions@0.1.0;
                import jackfield:plugin/notices@0.1.0;
                import jackfield:plugin/secrets@0.1.0;
                import jackfield:plugin/retention@0.1.0;
                import jackfield:plugin/http@0.1.0;
            }
        ",
        world: "jackfield:sdk/capabilities",
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
    pub use jackfield::plugin::*;
}

/// The world of one group of hooks, with the types of `capabilities` and of what else it names of these.
macro_rules! group {
    ($module:ident, $world:literal, $inline:literal $(, $interface:literal: $types:path)?) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                inline: $inline,
                world: $world,
                with: {
                    "jackfield:plugin/types@0.1.0": crate::bindings::capabilities::types,
                    $($interface: $types,)?
                },
                additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
                pub_export_macro: true,
            });
            pub use exports::jackfield::plugin::$module::*;
        }
    };
}

group!(
    message_hooks,
    "jackfield:sdk-message/message",
    "package jackfield:sdk-message; world message { export jackfield:plugin/message-hooks@0.1.0; }"
);

group!(
    membership_hooks,
    "jackfield:sdk-membership/membership",
    "package jackfield:sdk-membership; world membership { export jackfield:plugin/membership-hooks@0.1.0; }"
);

group!(
    event_hooks,
    "jackfield:sdk-event/event",
    "package jackfield:sdk-event; world event { export jackfield:plugin/event-hooks@0.1.0; }"
);

group!(
    schedule_hooks,
    "jackfield:sdk-schedule/schedule",
    "package jackfield:sdk-schedule; world schedule { export jackfield:plugin/schedule-hooks@0.1.0; }"
);

group!(
    command_hooks,
    "jackfield:sdk-command/command",
    "package jackfield:sdk-command; world command { export jackfield:plugin/command-hooks@0.1.0; }"
);

group!(
    graphql_hooks,
    "jackfield:sdk-graphql/graphql",
    "package jackfield:sdk-graphql; world graphql { export jackfield:plugin/graphql-hooks@0.1.0; }"
);

group!(
    answer_hooks,
    "jackfield:sdk-answer/answer",
    "package jackfield:sdk-answer; world answer { export jackfield:plugin/answer-hooks@0.1.0; }",
    "jackfield:plugin/http@0.1.0": crate::bindings::capabilities::http
);

group!(
    lifecycle_hooks,
    "jackfield:sdk-lifecycle/lifecycle",
    "package jackfield:sdk-lifecycle; world lifecycle { export jackfield:plugin/lifecycle-hooks@0.1.0; }"
);
