//! What a hook that ran after things had happened leaves behind: all of it and how far the plugin has come, or nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, Fact, MessageId, Position, Rejection, Timestamp, UserId, WorkspaceId,
    messages::Message,
    plugins::{DeadLetter, LogLine, MentionTarget, Notice, PluginId, REQUESTS_WAITING},
    users::User,
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    super::{
        Change, Store, Work, messages, users,
        writer::{FromPlugins, Outgoing, send_within},
    },
    annotations, held, letters, mentions, notices,
    requests::{self, NewRequest},
    timers::{self, Timer},
    workspaces,
};
use crate::{Error, Result};

pub mod logs {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_logs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub plugin_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub level: String,
        pub text: String,
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a hook did to others than itself, ready to be written.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Checked by the rules, and by the other plugins.
    pub posts: Vec<Outgoing>,
    pub annotations: Vec<(MessageId, Option<String>)>,
    pub mentions: Vec<(MessageId, Vec<MentionTarget>)>,
    pub notices: Vec<Notice>,
    /// Times at which its schedules are to run.
    pub timers: Vec<Timer>,
    /// What other servers are to be asked.
    pub requests: Vec<NewRequest>,
    /// Who is there now, for those mentions that mean them.
    pub online: BTreeSet<UserId>,
    /// The only conversations whose messages it may reach; none means all.
    pub within: Option<HashSet<ConversationId>>,
}

/// How there are too many requests.
pub const TOO_MANY_REQUESTS: &str = "requests of a plugin that wait for their answers";

/// Writes what a hook left, within a change. What is refused of it leaves the rest alone.
pub async fn carry_out(
    work: &mut Work,
    workspace: WorkspaceId,
    plugin: &PluginId,
    actor: Option<UserId>,
    effects: &Effects,
    at: Timestamp,
) -> Result<Vec<Rejection>> {
    let mut refused = Vec::new();
    let posts: Vec<&Outgoing> = effects.posts.iter().collect();
    if !posts.is_empty() {
        for why in send_within(work, &posts).await?.into_iter().filter_map(Result::err) {
            if let Rejection::Outrun { .. } = why {
                // The plugins that looked at it have to look again.
                return Err(why.into());
            }
            refused.push(why);
        }
    }
    // Of what is said more than once of a message the last counts, and is all that is done.
    let annotations: BTreeMap<_, _> = effects.annotations.iter().map(|(message, value)| (*message, value)).collect();
    for (message, value) in annotations {
        let Some(message) = reached(work, workspace, effects, message).await? else { continue };
        if annotations::set(&work.transaction, plugin, message.id, value.as_deref()).await? {
            let (conversation, sequence, plugin) = (message.conversation, message.sequence, plugin.clone());
            work.record(actor, at, Fact::AnnotationChanged { conversation, message: message.id, sequence, plugin });
        }
    }
    let mentions: BTreeMap<_, _> = effects.mentions.iter().map(|(message, targets)| (*message, targets)).collect();
    for (message, targets) in mentions {
        let Some(message) = reached(work, workspace, effects, message).await? else { continue };
        if let Some(users) = mentions::set(&work.transaction, plugin, &message, targets, &effects.online).await? {
            let (conversation, sequence) = (message.conversation, message.sequence);
            let fact = Fact::MentionsUpdated { conversation, message: message.id, sequence, users };
            work.record(actor, at, fact);
        }
    }
    for notice in &effects.notices {
        notices::tell(work, workspace, plugin, actor, notice, at).await?;
    }
    for timer in &effects.timers {
        timers::set(work, workspace, plugin, timer, at).await?;
    }
    if !effects.requests.is_empty() && !requests::issue(work, workspace, plugin, &effects.requests, at).await? {
        refused.push(Rejection::TooMany { what: TOO_MANY_REQUESTS, max: REQUESTS_WAITING as usize });
    }
    Ok(refused)
}

/// A message of this workspace that has not been deleted, where the plugin may reach it.
async fn reached(work: &Work, workspace: WorkspaceId, effects: &Effects, id: MessageId) -> Result<Option<Message>> {
    let row = messages::Entity::find_by_id(id.0)
        .filter(messages::Column::WorkspaceId.eq(workspace.0))
        .filter(messages::Column::DeletedAt.is_null())
        .one(&work.transaction)
        .await?;
    let message = row.map(Message::try_from).transpose()?;
    Ok(message.filter(|found| effects.within.as_ref().is_none_or(|within| within.contains(&found.conversation))))
}

/// What follows on a step of a turn.
#[derive(Debug, Clone, Copy)]
pub enum Next {
    /// The turn goes on, on the same node, and is nobody else's until then.
    GoesOn(Timestamp),
    /// The turn is over, and the next one may begin at once.
    AtOnce,
    /// The turn is over, and the next one may not begin before.
    Rest(Timestamp),
}

impl Next {
    fn until(self) -> Option<Timestamp> {
        match self {
            Next::AtOnce => None,
            Next::GoesOn(until) | Next::Rest(until) => Some(until),
        }
    }
}

/// A step of a plugin's turn with events of a log.
pub struct TurnStep {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub lease: Uuid,
    pub at: Timestamp,
    /// Where its place was: a step is taken once, however often it is tried.
    pub from: Position,
    /// Done with everything up to here.
    pub position: Position,
    /// Nothing was left of what the plugin wanted, and the same comes again.
    pub failures: u32,
    pub next: Next,
    pub bot: Option<UserId>,
    pub depth: u8,
    pub data: FromPlugins,
    pub effects: Effects,
    /// An event that is laid aside for the admins.
    pub laid_aside: Option<DeadLetter>,
}

#[async_trait]
impl Change for TurnStep {
    /// What was refused of what the plugin wanted to post; none if the turn was another node's.
    type Outcome = Option<Vec<Rejection>>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        // What is posted moves conversations.
        self.effects.posts.is_empty()
    }

    async fn apply(&self, work: &mut Work) -> Result<Self::Outcome> {
        use workspaces::Column;
        let moved = workspaces::ActiveModel {
            position: Set(self.position.0),
            failures: Set(i64::from(self.failures)),
            lease: Set(Some(self.lease).filter(|_| matches!(self.next, Next::GoesOn(_)))),
            lease_until: Set(self.next.until().map(|until| until.0)),
            ..Default::default()
        };
        let moved = workspaces::Entity::update_many()
            .set(moved)
            .filter(Column::WorkspaceId.eq(self.workspace.0))
            .filter(Column::PluginId.eq(self.plugin.as_str()))
            .filter(Column::Lease.eq(self.lease))
            .filter(Column::Position.eq(self.from.0))
            .exec(&work.transaction)
            .await?;
        if moved.rows_affected == 0 {
            return Ok(None);
        }
        work.depth = self.depth;
        held::commit_data(work, &self.data, self.at).await?;
        let refused = carry_out(work, self.workspace, &self.plugin, self.bot, &self.effects, self.at).await?;
        if let Some(letter) = &self.laid_aside {
            letters::lay_aside(work, letter).await?;
        }
        Ok(Some(refused))
    }
}

/// Commits what a hook left that nobody's turn in the log ends with: a command, or the plugin's own life.
pub struct CommitIssued {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub bot: Option<UserId>,
    pub at: Timestamp,
    pub data: FromPlugins,
    pub effects: Effects,
    /// Somebody waits for it: where a post is refused, nothing at all is done.
    pub is_awaited: bool,
}

#[async_trait]
impl Change for CommitIssued {
    /// What was refused of what the plugin wanted to post.
    type Outcome = Vec<Rejection>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Vec<Rejection>> {
        work.depth = 1;
        held::commit_data(work, &self.data, self.at).await?;
        let mut refused = carry_out(work, self.workspace, &self.plugin, self.bot, &self.effects, self.at).await?;
        if self.is_awaited
            && let Some(why) = refused.pop()
        {
            return Err(why.into());
        }
        Ok(refused)
    }
}

/// The user as whom a plugin acts, if there is none yet.
pub struct MakeBot {
    pub user: User,
    pub issuer: &'static str,
    pub subject: String,
}

#[async_trait]
impl Change for MakeBot {
    type Outcome = UserId;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.user.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<UserId> {
        let found = users::by_subject(self.user.workspace, self.issuer, &self.subject).one(&work.transaction).await?;
        if let Some(row) = found {
            return Ok(UserId(row.id));
        }
        users::insert(work, &self.user, self.issuer, &self.subject).await?;
        Ok(self.user.id)
    }
}

/// Keeps what plugins have to say to the admins: the newest lines of each.
pub struct WriteLogs {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub lines: Vec<(Uuid, LogLine)>,
}

/// So many lines are kept of one plugin in one workspace.
const LINES_KEPT: u64 = 1_000;

#[async_trait]
impl Change for WriteLogs {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        use logs::{ActiveModel, Column, Entity};
        for part in self.lines.chunks(500) {
            let rows = part.iter().map(|(id, line)| ActiveModel {
                workspace_id: Set(self.workspace.0),
                plugin_id: Set(self.plugin.to_string()),
                id: Set(*id),
                level: Set(line.level.as_str().to_owned()),
                text: Set(line.text.clone()),
                at: Set(line.at.0),
            });
            Entity::insert_many(rows).exec_without_returning(&work.transaction).await?;
        }
        let oldest_kept: Option<Uuid> = of(self.workspace, &self.plugin)
            .order_by_desc(Column::Id)
            .offset(LINES_KEPT)
            .limit(1)
            .select_only()
            .column(Column::Id)
            .into_tuple()
            .one(&work.transaction)
            .await?;
        if let Some(id) = oldest_kept {
            Entity::delete_many()
                .filter(Column::WorkspaceId.eq(self.workspace.0))
                .filter(Column::PluginId.eq(self.plugin.as_str()))
                .filter(Column::Id.lte(id))
                .exec(&work.transaction)
                .await?;
        }
        Ok(())
    }
}

fn of(workspace: WorkspaceId, plugin: &PluginId) -> Select<logs::Entity> {
    logs::Entity::find()
        .filter(logs::Column::WorkspaceId.eq(workspace.0))
        .filter(logs::Column::PluginId.eq(plugin.as_str()))
}

impl Store {
    /// The newest lines that a plugin wrote, by their ids, the oldest first; those behind `since` where it is given.
    pub async fn plugin_log(
        &self,
        workspace: WorkspaceId,
        plugin: &PluginId,
        since: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Uuid>> {
        let found =
            since.into_iter().fold(of(workspace, plugin), |found, since| found.filter(logs::Column::Id.gt(since)));
        let found = found.order_by_desc(logs::Column::Id).limit(limit).select_only().column(logs::Column::Id);
        let mut ids: Vec<Uuid> = found.into_tuple().all(&self.reads).await?;
        ids.reverse();
        Ok(ids)
    }

    /// Some of the lines that a plugin wrote, in the order of their ids.
    pub async fn plugin_lines(&self, workspace: WorkspaceId, plugin: &PluginId, ids: &[Uuid]) -> Result<Vec<LogLine>> {
        let found = of(workspace, plugin).filter(logs::Column::Id.is_in(ids.iter().copied()));
        let rows = found.order_by_asc(logs::Column::Id).all(&self.reads).await?;
        let line = |row: logs::Model| {
            let level = jackfield_domain::plugins::LogLevel::from_word(&row.level)
                .ok_or_else(|| Error::internal("unknown level of a line"))?;
            Ok(LogLine { at: Timestamp(row.at), level, text: row.text })
        };
        rows.into_iter().map(line).collect()
    }
}
