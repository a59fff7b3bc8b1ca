//! The public API: the schema, what stands behind each field, and how much of it one request may ask for.
//!
//! Nothing here decides who may see what: every field asks `actions`, in the name of a `Reader`.

mod accounts;
mod answers;
mod audit;
mod blocks;
mod bots;
mod commands;
pub mod composed;
mod conversations;
pub mod documents;
mod errors;
mod events;
mod held;
mod invitations;
mod issuers;
mod jobs;
mod lean;
mod legal_holds;
pub mod live;
mod loaders;
mod messages;
mod nodes;
mod pages;
mod plugins;
mod policies;
mod receipts;
mod scalars;
mod scope;
pub mod served;
mod sessions;
mod signals;
mod users;
mod workspaces;

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, SchemaBuilder, ValidationMode};

pub use answers::{Answer, execute};
pub use async_graphql::parser::types::OperationType;
use composed::{Addition, Composition, Known};

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    nodes::NodeQuery,
    users::UserQuery,
    sessions::SessionQuery,
    invitations::InvitationQuery,
    issuers::IssuerQuery,
    blocks::BlockQuery,
    bots::BotQuery,
    conversations::ConversationQuery,
    conversations::public::PublicConversationQuery,
    conversations::SupportQuery,
    messages::MessageQuery,
    receipts::UnreadQuery,
    held::HeldMessageQuery,
    legal_holds::LegalHoldQuery,
    plugins::PluginQuery,
    commands::CommandQuery,
    workspaces::WorkspaceQuery,
    audit::AuditQuery,
    jobs::JobQuery,
    events::EventQuery,
    composed::QueryFields,
);

/// Everything that can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(
    accounts::AccountMutation,
    sessions::SessionMutation,
    users::UserMutation,
    invitations::InvitationMutation,
    issuers::IssuerMutation,
    blocks::BlockMutation,
    bots::BotMutation,
    workspaces::WorkspaceMutation,
    conversations::ConversationMutation,
    conversations::life::ConversationLife,
    conversations::membership::MembershipMutation,
    conversations::invitations::ConversationInvitationMutation,
    conversations::SettingsMutation,
    conversations::SupportMutation,
    conversations::OverrideMutation,
    messages::MessageMutation,
    messages::MessageChanges,
    receipts::ReceiptMutation,
    held::HeldMessageMutation,
    legal_holds::LegalHoldMutation,
    plugins::PluginMutation,
    commands::CommandMutation,
    signals::TypingMutation,
    jobs::JobMutation,
    composed::MutationFields,
);

/// Everything that can be followed.
#[derive(MergedSubscription, Default)]
pub struct Subscription(events::EventSubscription, signals::SignalSubscription, plugins::PluginSubscription);

type Executor = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema; limits are not its business but that of [`documents`], which looks before anything is validated.
#[derive(Clone)]
pub struct Schema {
    validating: Executor,
    /// For documents that were validated before.
    trusting: Executor,
}

impl Schema {
    /// With what plugins add.
    pub fn new(introspection: bool, added: &Arc<Composition>) -> Self {
        let build = |mode| {
            let builder = builder(added).validation_mode(mode);
            if introspection {
                builder.finish()
            } else {
                builder.disable_introspection().disable_suggestions().finish()
            }
        };
        added.within(|| Schema { validating: build(ValidationMode::Strict), trusting: build(ValidationMode::Fast) })
    }

    /// In its own language.
    pub fn sdl(&self) -> String {
        self.validating.sdl()
    }

    fn executor(&self, is_valid: bool) -> &Executor {
        if is_valid { &self.trusting } else { &self.validating }
    }
}

fn builder(added: &Arc<Composition>) -> SchemaBuilder<Query, Mutation, Subscription> {
    Executor::build(Query::default(), Mutation::default(), Subscription::default())
        // Counted by ourselves, before validation; the parser has a bound of its own for what is nested.
        .limit_recursive_depth(usize::MAX)
        .data(added.clone())
}

/// The schema in its own language, as it is published: with what the plugins add that come with the hub.
pub fn sdl(added: Vec<Addition>) -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    let added = Arc::new(Composition::of(added, &core()));
    let mut sdl = Schema::new(true, &added).validating.sdl_with_options(options);
    sdl.truncate(sdl.trim_end().len());
    sdl.push('\n');
    sdl
}

/// What the core has by itself.
pub fn core() -> Known {
    Known::of(&Schema::new(false, &Arc::default()).sdl())
}
