//! What plugins did to what somebody wanted, where they did anything: for those who keep the peace and ask why something is
//! not as it was sent, or not there. Kept for a while, and never longer than the conversation.

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, MessageId, Timestamp, UserId, VerdictId, WorkspaceId,
    pages::{Direction, Page, Slice},
    plugins::{Hook, Verdict, VerdictFilter, VerdictKind},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*, sea_query::Expr};

use super::{
    super::{Change, Store, Work},
    id,
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_verdicts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub at: i64,
    pub user_id: Uuid,
    pub conversation_id: Option<Uuid>,
    pub message_id: Option<Uuid>,
    pub plugin_id: String,
    pub hook: String,
    pub verdict: String,
    pub code: Option<String>,
    pub reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&Verdict> for ActiveModel {
    fn from(verdict: &Verdict) -> Self {
        ActiveModel {
            id: Set(verdict.id.0),
            workspace_id: Set(verdict.workspace.0),
            at: Set(verdict.at.0),
            user_id: Set(verdict.user.0),
            conversation_id: Set(verdict.conversation.map(|id| id.0)),
            message_id: Set(verdict.message.map(|id| id.0)),
            plugin_id: Set(verdict.plugin.to_string()),
            hook: Set(verdict.hook.as_str().to_owned()),
            verdict: Set(verdict.kind.as_str().to_owned()),
            code: Set(verdict.code.clone()),
            reason: Set(verdict.reason.clone()),
        }
    }
}

impl TryFrom<Model> for Verdict {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Verdict {
            id: VerdictId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            at: Timestamp(row.at),
            user: UserId(row.user_id),
            conversation: row.conversation_id.map(ConversationId),
            message: row.message_id.map(MessageId),
            plugin: id(&row.plugin_id)?,
            hook: Hook::from_word(&row.hook).ok_or_else(|| Error::internal("unknown hook"))?,
            kind: VerdictKind::from_word(&row.verdict).ok_or_else(|| Error::internal("unknown verdict"))?,
            code: row.code,
            reason: row.reason,
        })
    }
}

/// A statement takes so many values and no more.
const ROWS_AT_ONCE: usize = 500;

/// Keeps them, within whatever they are about or belong to.
pub async fn keep(database: &impl ConnectionTrait, verdicts: &[Verdict]) -> Result<()> {
    for part in verdicts.chunks(ROWS_AT_ONCE) {
        Entity::insert_many(part.iter().map(ActiveModel::from)).exec_without_returning(database).await?;
    }
    Ok(())
}

impl Store {
    /// What plugins did in a workspace, in the order in which they did it.
    pub async fn verdicts(
        &self,
        workspace: WorkspaceId,
        filter: &VerdictFilter,
        page: &Page<VerdictId>,
    ) -> Result<Slice<Verdict>> {
        let rows = walk(workspace, filter, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(Verdict::try_from).collect::<Result<_>>()?))
    }
}

pub fn walk(workspace: WorkspaceId, filter: &VerdictFilter, page: &Page<VerdictId>) -> Select<Entity> {
    let mut walk = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).limit(page.size as u64 + 1);
    if let Some(message) = filter.message {
        walk = walk.filter(Column::MessageId.eq(message.0));
    }
    if let Some(user) = filter.user {
        walk = walk.filter(Column::UserId.eq(user.0));
    }
    if let Some(conversation) = filter.conversation {
        walk = walk.filter(Column::ConversationId.eq(conversation.0));
    }
    if let Some(plugin) = &filter.plugin {
        walk = walk.filter(Column::PluginId.eq(plugin.as_str()));
    }
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => from.fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id),
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// Takes away what plugins said about messages that nobody is to see any more: it may be in their words. That they did something
/// stays.
pub async fn forget_reasons(database: &impl ConnectionTrait, messages: &[MessageId]) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Reason, Expr::value(None::<String>))
        .filter(Column::MessageId.is_in(messages.iter().map(|id| id.0)))
        .filter(Column::Reason.is_not_null())
        .exec(database)
        .await?;
    Ok(())
}

/// Takes away some of what was done in a conversation that is no more; answers whether there was anything.
pub async fn purge(database: &impl ConnectionTrait, conversation: ConversationId, limit: u64) -> Result<bool> {
    Ok(take_away(database, of(conversation).limit(limit)).await? > 0)
}

pub fn of(conversation: ConversationId) -> Select<Entity> {
    Entity::find().filter(Column::ConversationId.eq(conversation.0))
}

/// Those that were kept before the one with this id would have been.
pub fn before(id: VerdictId) -> Select<Entity> {
    Entity::find().filter(Column::Id.lt(id.0)).order_by_asc(Column::Id)
}

async fn take_away(database: &impl ConnectionTrait, some: Select<Entity>) -> Result<u64> {
    let ids: Vec<Uuid> = some.select_only().column(Column::Id).into_tuple().all(database).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    Ok(Entity::delete_many().filter(Column::Id.is_in(ids)).exec(database).await?.rows_affected)
}

/// Takes away what was kept for long enough, at most `limit` at once; answers how many went.
pub struct SweepVerdicts {
    pub before: VerdictId,
    pub limit: u64,
}

#[async_trait]
impl Change for SweepVerdicts {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        take_away(&work.transaction, before(self.before).limit(self.limit)).await
    }
}
