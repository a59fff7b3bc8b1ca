//! The attributes of `jackfield-plugin`: they look at the head of an item and leave the rest as it is, and so do without a
//! parser of Rust.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// On `impl MessageHooks for MyPlugin` and the like: exports these hooks to the hub. A component exports the groups of hooks
/// that are marked so, and no others.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let export = match (arguments.is_empty(), head(&item)) {
        // The type counts as used also where nothing is exported.
        (true, Some((group, plugin))) => format!(
            "const _: usize = ::core::mem::size_of::<{plugin}>();
            #[cfg(target_arch = \"wasm32\")]
            const _: () = {{
                type Plugin = ::jackfield_plugin::hooks::Exported<{plugin}>;
                ::jackfield_plugin::bindings::{group}::export!(
                    Plugin with_types_in ::jackfield_plugin::bindings::{group}
                );
            }};"
        ),
        _ => "::core::compile_error!(\"`#[plugin]` takes no arguments and stands on an `impl` of one of the hook traits, \
              such as `impl MessageHooks for MyPlugin`\");"
            .to_owned(),
    };
    let export: TokenStream = export.parse().expect("what is written above is Rust");
    item.into_iter().chain(export).collect()
}

/// On a struct or enum: what is kept, attached, or configured. It gets what serde and tests need of it.
#[proc_macro_attribute]
pub fn data(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let derives: TokenStream = "#[derive(Clone, Debug, PartialEq, ::jackfield_plugin::serde::Serialize, \
                                ::jackfield_plugin::serde::Deserialize)] #[serde(crate = \"::jackfield_plugin::serde\")]"
        .parse()
        .expect("what is written above is Rust");
    derives.into_iter().chain(item).collect()
}

/// The module with the bindings of the trait, and the type, of `impl Trait for Type {`.
fn head(item: &TokenStream) -> Option<(&'static str, String)> {
    let is_word = |tree: &TokenTree, word: &str| matches!(tree, TokenTree::Ident(ident) if ident.to_string() == word);
    let is_body = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let mut trees = item.clone().into_iter().skip_while(|tree| !is_word(tree, "impl")).skip(1);
    let name = trees.by_ref().take_while(|tree| !is_word(tree, "for")).last()?.to_string();
    let plugin: TokenStream = trees.take_while(|tree| !is_body(tree)).collect();
    let group = match name.as_str() {
        "MessageHooks" => "message_hooks",
        "MembershipHooks" => "membership_hooks",
        "EventHooks" => "event_hooks",
        "ScheduleHooks" => "schedule_hooks",
        "CommandHooks" => "command_hooks",
        "GraphqlHooks" => "graphql_hooks",
        "AnswerHooks" => "answer_hooks",
        "LifecycleHooks" => "lifecycle_hooks",
        _ => return None,
    };
    (!plugin.is_empty()).then(|| (group, plugin.to_string()))
}
