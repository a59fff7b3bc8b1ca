//! Deleting a workspace: at once for everybody, and then, piece by piece, all that it held.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, Fact, Rejection, WorkspaceId,
    jobs::{JobKind, NewJob},
};
use sea_orm::{
    ActiveValue::Set,
    DatabaseTransaction, ExecResult, QuerySelect,
    entity::prelude::*,
    sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement},
};

use super::{
    super::{Change, Work, conversations, jobs, users},
    ActiveModel, Column, Entity, existing,
};
use crate::Result;

/// So many rows go at once.
const ROWS: u64 = 500;
/// So many conversations or people are cleared together.
const OWNERS: u64 = 50;

/// A table whose rows go with what they belong to.
struct Owned {
    table: &'static str,
    /// Its primary key.
    key: &'static [&'static str],
    /// What its rows belong to.
    owner: &'static str,
}

const fn owned(table: &'static str, key: &'static [&'static str], owner: &'static str) -> Owned {
    Owned { table, key, owner }
}

/// In the order in which they go: nothing is left behind that belongs to what is gone.
const OF_MESSAGES: &[Owned] = &[
    owned("message_edits", &["message_id", "number"], "message_id"),
    owned("message_details", &["message_id"], "message_id"),
    owned("annotations", &["message_id", "plugin_id"], "message_id"),
    owned("mentions", &["message_id", "user_id", "plugin_id"], "message_id"),
];
const MESSAGES: Owned = owned("messages", &["id"], "conversation_id");
const OF_CONVERSATIONS: &[Owned] = &[
    owned("receipts", &["conversation_id", "user_id", "kind", "up_to"], "conversation_id"),
    owned("members", &["conversation_id", "user_id"], "conversation_id"),
    owned("plugin_conversations", &["conversation_id", "plugin_id"], "conversation_id"),
    owned("public_title_words", &["workspace_id", "word", "conversation_id"], "conversation_id"),
];
const OF_USERS: &[Owned] = &[
    owned("hidden_messages", &["user_id", "conversation_id", "sequence"], "user_id"),
    owned("idempotency_keys", &["user_id", "key"], "user_id"),
    owned("command_runs", &["id"], "user_id"),
    owned("blocks", &["user_id", "blocked_id"], "user_id"),
    owned("sessions", &["id"], "user_id"),
    owned("bot_tokens", &["id"], "bot_id"),
    owned("user_words", &["workspace_id", "word", "user_id"], "user_id"),
    owned("user_preferences", &["user_id"], "user_id"),
    owned("password_resets", &["user_id"], "user_id"),
    owned("accounts", &["user_id"], "user_id"),
    owned("sign_in_links", &["code_hash"], "user_id"),
];
const OF_WORKSPACES: &[Owned] = &[
    owned("invitations", &["id"], "workspace_id"),
    owned("held_messages", &["id"], "workspace_id"),
    owned("plugin_verdicts", &["id"], "workspace_id"),
    owned("plugin_dead_letters", &["id"], "workspace_id"),
    owned("plugin_requests", &["id"], "workspace_id"),
    owned("plugin_logs", &["workspace_id", "plugin_id", "id"], "workspace_id"),
    owned("plugin_data", &["workspace_id", "plugin_id", "key"], "workspace_id"),
    owned("plugin_secrets", &["workspace_id", "plugin_id", "name"], "workspace_id"),
    owned("plugin_notices", &["workspace_id", "position"], "workspace_id"),
    owned("plugin_workspaces", &["workspace_id", "plugin_id"], "workspace_id"),
    owned("audit", &["id"], "workspace_id"),
    owned("events", &["workspace_id", "position"], "workspace_id"),
    owned("logs", &["workspace_id"], "workspace_id"),
];

/// Shuts a workspace for good, and enqueues what takes it away. Its slug is free from then on.
pub struct DeleteWorkspace {
    pub id: WorkspaceId,
    pub by: By,
    /// What whoever deletes it believes it to be.
    pub slug: String,
    pub job: NewJob,
}

#[async_trait]
impl Change for DeleteWorkspace {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.id)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let found = existing(self.id).one(&work.transaction).await?;
        let row = found.ok_or(Rejection::NotFound { what: "workspace", field: "workspace_id" })?;
        if row.slug != self.slug {
            return Err(Rejection::Invalid { field: "slug", expected: "the slug of the workspace" }.into());
        }
        let deleted = ActiveModel {
            id: Set(row.id),
            // No slug that anybody may choose.
            slug: Set(format!("~{}", row.id.simple())),
            deleted_at: Set(Some(self.by.at.0)),
            ..Default::default()
        };
        Entity::update(deleted).exec(&work.transaction).await?;
        work.record(None, self.by.at, Fact::WorkspaceClosed);
        jobs::enqueue(work, std::slice::from_ref(&self.job)).await?;
        // In the record of whoever did it: that of the workspace goes with it.
        work.audit(self.by.entry(AuditAction::WorkspaceDeleted, self.id, [("slug", row.slug)]));
        Ok(())
    }
}

/// Takes away a piece of a workspace that was deleted; answers whether there is more.
pub struct PurgeWorkspace(pub WorkspaceId);

#[async_trait]
impl Change for PurgeWorkspace {
    type Outcome = bool;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.0)
    }

    async fn apply(&self, work: &mut Work) -> Result<bool> {
        let PurgeWorkspace(workspace) = *self;
        let found = Entity::find_by_id(workspace.0).filter(Column::DeletedAt.is_not_null());
        if found.one(&work.transaction).await?.is_none() {
            return Ok(false);
        }
        let rooms: Vec<Uuid> = conversations::Entity::find()
            .filter(conversations::Column::WorkspaceId.eq(workspace.0))
            .select_only()
            .column(conversations::Column::Id)
            .limit(OWNERS)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        if !rooms.is_empty() {
            if messages_are_gone(work, &rooms).await? && are_gone(work, OF_CONVERSATIONS, &rooms).await? {
                let them = conversations::Column::Id.is_in(rooms);
                conversations::Entity::delete_many().filter(them).exec(&work.transaction).await?;
            }
            return Ok(true);
        }
        let people: Vec<Uuid> = users::Entity::find()
            .filter(users::Column::WorkspaceId.eq(workspace.0))
            .select_only()
            .column(users::Column::Id)
            .limit(OWNERS)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        if !people.is_empty() {
            if are_gone(work, OF_USERS, &people).await? {
                users::Entity::delete_many().filter(users::Column::Id.is_in(people)).exec(&work.transaction).await?;
            }
            return Ok(true);
        }
        if !are_gone(work, OF_WORKSPACES, &[workspace.0]).await? {
            return Ok(true);
        }
        // What a conversation held that was deleted before is found by nobody but the job that is still at it.
        jobs::Entity::delete_many()
            .filter(jobs::Column::WorkspaceId.eq(workspace.0))
            .filter(jobs::Column::Kind.ne(JobKind::ConversationPurge.as_str()))
            .exec(&work.transaction)
            .await?;
        Entity::delete_by_id(workspace.0).exec(&work.transaction).await?;
        Ok(false)
    }
}

/// Takes away some messages of these conversations, and what stands beside them; answers whether none is left.
async fn messages_are_gone(work: &Work, rooms: &[Uuid]) -> Result<bool> {
    let some = MESSAGES.of(rooms);
    let ids: Vec<Uuid> = work
        .transaction
        .query_all(&some)
        .await?
        .into_iter()
        .map(|row| row.try_get("", "id"))
        .collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(true);
    }
    if are_gone(work, OF_MESSAGES, &ids).await? {
        MESSAGES.delete(&work.transaction, rooms).await?;
    }
    Ok(false)
}

/// Takes away a piece of what belongs to these; answers whether nothing is left.
async fn are_gone(work: &Work, tables: &[Owned], owners: &[Uuid]) -> Result<bool> {
    for table in tables {
        if table.delete(&work.transaction, owners).await?.rows_affected() == ROWS {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Owned {
    /// The keys of some of the rows that belong to these.
    fn of(&self, owners: &[Uuid]) -> SelectStatement {
        Query::select()
            .columns(self.key.iter().map(|column| Alias::new(*column)))
            .from(Alias::new(self.table))
            .and_where(Expr::col(Alias::new(self.owner)).is_in(owners.iter().copied()))
            .limit(ROWS)
            .to_owned()
    }

    async fn delete(&self, transaction: &DatabaseTransaction, owners: &[Uuid]) -> Result<ExecResult> {
        let key = self.key.iter().map(|column| Expr::col(Alias::new(*column)));
        let statement = Query::delete()
            .from_table(Alias::new(self.table))
            .and_where(Expr::tuple(key).in_subquery(self.of(owners)))
            .to_owned();
        Ok(transaction.execute(&statement).await?)
    }
}
