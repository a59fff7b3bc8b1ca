//! The pages of the guide, so that their examples are compiled and run with everything else that is tested.

macro_rules! pages {
    ($($name:ident: $path:literal;)*) => {
        $(
            #[doc = include_str!(concat!("../docs/", $path, ".md"))]
            mod $name {}
        )*
    };
}

pages! {
    before_create: "before-create";
    before_edit: "before-edit";
    before_delete: "before-delete";
    before_join: "before-join";
    before_conversation_create: "before-conversation-create";
    on_events: "on-events";
    on_answer: "on-answer";
    schedule: "schedule";
    command: "command";
    resolve: "resolve";
    mutate: "mutate";
    install: "install";
    upgrade: "upgrade";
    enable: "enable";
    disable: "disable";
    validate_configuration: "validate-configuration";
    configuration_changed: "configuration-changed";
}
