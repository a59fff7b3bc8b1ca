//! Commands in the API: what plugins can be asked to do by name, for clients that have never heard of any plugin.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{Rejection, markdown};

use super::{
    errors::{UserError, refusals},
    scalars::{Json, id},
    scope::Scoped,
};
use crate::actions::plugins::commands::{self, Argument, ArgumentKind, Call, Offer, Reply};

/// What an argument of a command is, and how it is given. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ArgumentKind")]
pub enum PluginArgumentKind {
    /// A text of at most 10,000 characters.
    Text,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// The id of a user of the workspace.
    User,
    /// The id of a conversation in which the viewer takes part.
    Conversation,
}

pub struct PluginCommand(Offer);

/// Something that a plugin can be asked to do by name, such as `/remind`.
#[Object]
impl PluginCommand {
    /// Its name, without a slash.
    async fn name(&self) -> &str {
        &self.0.command().name
    }

    /// Which plugin it is of, by its id. Two plugins may have a command of the same name.
    async fn plugin(&self) -> &str {
        self.0.plugin.as_str()
    }

    /// What it does.
    async fn description(&self) -> &str {
        &self.0.command().description
    }

    /// What it wants to know, in the order in which it is best asked for.
    async fn arguments(&self) -> Vec<PluginCommandArgument> {
        self.0.command().arguments.iter().map(PluginCommandArgument::from).collect()
    }
}

/// Something that a command wants to know.
#[derive(SimpleObject)]
pub struct PluginCommandArgument {
    /// Its name, by which it is given.
    name: String,
    /// A hint for people: what to give.
    description: String,
    /// What it is.
    kind: PluginArgumentKind,
    /// Whether the command does nothing without it.
    is_required: bool,
    /// The only values that it may have; empty where there is no such list.
    choices: Vec<String>,
}

impl From<&Argument> for PluginCommandArgument {
    fn from(argument: &Argument) -> Self {
        PluginCommandArgument {
            name: argument.name.clone(),
            description: argument.description.clone(),
            kind: argument.kind.into(),
            is_required: argument.required,
            choices: argument.choices.clone(),
        }
    }
}

#[derive(Default)]
pub struct CommandQuery;

#[Object]
impl CommandQuery {
    /// The commands of the plugins that are on, by their names. Null where the viewer takes no part in the conversation.
    async fn commands(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Those that can be run in this conversation; if nothing is said, outside of any.")]
        conversation_id: Option<ID>,
    ) -> Result<Option<Vec<PluginCommand>>> {
        let viewer = ctx.viewer()?;
        let conversation = match conversation_id.map(|id| id.parse()) {
            None => None,
            Some(Ok(conversation)) => Some(conversation),
            Some(Err(_)) => return Ok(None),
        };
        let offers = commands::list(ctx.core(), &viewer, conversation).await?;
        Ok(offers.map(|offers| offers.into_iter().map(PluginCommand).collect()))
    }
}

/// Which command is to be run, where, and with what.
#[derive(InputObject)]
pub struct CommandRunInput {
    /// The plugin's id; needed where more than one has a command of this name.
    plugin: Option<ID>,
    /// The name of the command, without a slash.
    command: String,
    /// Where it is run: a conversation in which the viewer takes part; if nothing is said, outside of any.
    conversation_id: Option<ID>,
    /// A JSON object: the name of each argument, and its value. Null is as good as left out.
    arguments: Option<Json>,
    /// Your own name for this run, at most 128 characters: saying it again within a day, with all else the same, runs nothing and
    /// answers what the first run answered, so that one whose answer was lost can be repeated safely.
    client_command_id: Option<String>,
}

pub struct CommandReply(Reply);

/// What a command answers, to the viewer and to nobody else.
#[Object]
impl CommandReply {
    /// Markdown, as the plugin wrote it; null where it has nothing to say.
    async fn text(&self, ctx: &Context<'_>) -> Option<&str> {
        self.0.text.as_deref().map(|text| if ctx.has_room_for(text) { text } else { "" })
    }

    /// The same as HTML: a subset of Markdown, safe to be shown as it is.
    async fn html(&self, ctx: &Context<'_>) -> Option<String> {
        self.0.text.as_deref().map(markdown::render).filter(|html| ctx.has_room_for(html))
    }
}

/// What came of it.
#[derive(SimpleObject)]
pub struct CommandRunPayload {
    /// The plugin's answer.
    reply: Option<CommandReply>,
    /// Why there is none. Where an argument is to blame, `path` ends with its name.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct CommandMutation;

#[Object]
impl CommandMutation {
    /// Runs a command of a plugin as the viewer: the plugin sees what they may see, and posts, as its own bot user, where they
    /// may write. All that it does is committed before it answers, also where it refuses (`REFUSED_BY_PLUGIN`); where it
    /// fails (`PLUGIN_FAILED`), nothing is.
    ///
    /// Without a `clientCommandId` each call runs it once more: the hub does not know a repetition from a second wish. With one it
    /// is run once, and asking again, after an answer or a refusal that may have been lost, answers the same. A run that failed
    /// is none.
    async fn command_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which command, where, and with what.")] input: CommandRunInput,
    ) -> Result<Option<CommandRunPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = input.conversation_id.as_ref().map(|given| id(given, "conversation", "conversationId"));
            let arguments = match input.arguments.map(|given| given.0) {
                None | Some(serde_json::Value::Null) => serde_json::Map::new(),
                Some(serde_json::Value::Object(arguments)) => arguments,
                Some(_) => {
                    return Err(Rejection::Invalid { field: "arguments", expected: "a JSON object" }.into());
                }
            };
            let call = Call {
                plugin: input.plugin.map(|plugin| plugin.0),
                command: input.command,
                conversation: conversation.transpose()?,
                arguments,
                key: input.client_command_id,
            };
            commands::run(ctx.core(), &viewer, call).await
        };
        let (reply, errors) = refusals(outcome.await)?;
        Ok(Some(CommandRunPayload { reply: reply.map(CommandReply), errors }))
    }
}
