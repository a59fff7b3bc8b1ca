//! Conversations, and the list of one's own.

pub mod deletion;
pub mod filter;
pub mod invitations;
pub mod life;
pub mod overriding;
pub mod public;
pub mod settings;
pub mod support;

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, ConversationRole, Fact, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::{
        ActivityKey, CheckedConversation, Context, Conversation, ConversationKind, ConversationStatus, History,
        Visibility, filter::CheckedFilter,
    },
    pages::{Direction, Page, Slice},
    text,
};
use sea_orm::{
    ActiveValue::Set, Condition, ExprTrait, JoinType, Order, QueryOrder, QuerySelect, RelationTrait, entity::prelude::*,
};

use super::{Change, Store, Work, blocks, members, plugins::held, writer::FromPlugins};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub kind: String,
    pub status: String,
    pub visibility: String,
    pub history: String,
    pub title: Option<String>,
    /// As it is searched for.
    pub folded_title: Option<String>,
    pub description: Option<String>,
    pub avatar_url: Option<String>,
    pub context_kind: Option<String>,
    pub context_id: Option<String>,
    pub direct_key: Option<String>,
    pub creator_id: Uuid,
    pub created_at: i64,
    pub assignee_id: Option<Uuid>,
    pub closed_at: Option<i64>,
    /// Between two of whom one blocks the other. Apart from the status, which is to be found again when nobody does.
    pub blocked: bool,
    pub member_count: i64,
    pub last_sequence: i64,
    pub last_activity_at: i64,
    /// How often messages were hidden from everybody: who has counted messages sees whether they are still the same.
    pub trims: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_many = "members::Entity")]
    Members,
}

impl Related<members::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Members.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Conversation {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Conversation {
            id: ConversationId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            kind: ConversationKind::from_word(&row.kind)
                .ok_or_else(|| Error::internal("unknown kind of conversation"))?,
            status: status(&row.status, row.blocked)
                .ok_or_else(|| Error::internal("unknown status of a conversation"))?,
            visibility: Visibility::from_word(&row.visibility)
                .ok_or_else(|| Error::internal("unknown visibility of a conversation"))?,
            history: History::from_word(&row.history)
                .ok_or_else(|| Error::internal("unknown history of a conversation"))?,
            title: row.title,
            description: row.description,
            avatar_url: row.avatar_url,
            context: row.context_kind.zip(row.context_id).map(|(kind, id)| Context { kind, id }),
            creator: UserId(row.creator_id),
            created_at: Timestamp(row.created_at),
            assignee: row.assignee_id.map(UserId),
            closed_at: row.closed_at.map(Timestamp),
            member_count: usize::try_from(row.member_count).map_err(Error::internal)?,
            last_sequence: row.last_sequence,
            last_activity_at: Timestamp(row.last_activity_at),
        })
    }
}

/// Which conversations are wanted; none means any.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub kind: Option<ConversationKind>,
    pub status: Option<ConversationStatus>,
    pub idle_since: Option<Timestamp>,
    pub context_kind: Option<String>,
    pub context_id: Option<String>,
    pub among: Option<Vec<ConversationId>>,
}

/// What two columns say together.
pub fn status(word: &str, blocked: bool) -> Option<ConversationStatus> {
    if blocked { Some(ConversationStatus::Blocked) } else { ConversationStatus::from_word(word) }
}

impl Store {
    /// These conversations, as far as the user takes part in them.
    pub async fn conversations_for(&self, user: UserId, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
        let rows = readable(user, ids).all(&self.reads).await?;
        rows.into_iter().map(Conversation::try_from).collect()
    }

    /// These conversations, for a reader who is known to take part in them.
    pub async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
        let rows = Entity::find().filter(Column::Id.is_in(ids.iter().map(|id| id.0))).all(&self.reads).await?;
        rows.into_iter().map(Conversation::try_from).collect()
    }

    /// Conversations of a workspace in the order in which they were made, those that the user takes part in where there is
    /// one.
    pub async fn find_conversations(
        &self,
        workspace: WorkspaceId,
        user: Option<UserId>,
        wanted: Wanted,
        after: Option<ConversationId>,
        limit: u64,
    ) -> Result<Vec<Conversation>> {
        let mut walk = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).order_by_asc(Column::Id).limit(limit);
        if let Some(user) = user {
            walk = walk.join(JoinType::InnerJoin, Relation::Members.def()).filter(members::Column::UserId.eq(user.0));
        }
        if let Some(kind) = wanted.kind {
            walk = walk.filter(Column::Kind.eq(kind.as_str()));
        }
        match wanted.status {
            None => {}
            Some(ConversationStatus::Blocked) => walk = walk.filter(Column::Blocked.eq(true)),
            Some(status) => walk = walk.filter(Column::Status.eq(status.as_str())).filter(Column::Blocked.eq(false)),
        }
        if let Some(idle_since) = wanted.idle_since {
            walk = walk.filter(Column::LastActivityAt.lt(idle_since.0));
        }
        if let Some(kind) = wanted.context_kind {
            walk = walk.filter(Column::ContextKind.eq(kind));
        }
        if let Some(id) = wanted.context_id {
            walk = walk.filter(Column::ContextId.eq(id));
        }
        if let Some(among) = wanted.among {
            walk = walk.filter(Column::Id.is_in(among.into_iter().map(|id| id.0)));
        }
        if let Some(after) = after {
            walk = walk.filter(Column::Id.gt(after.0));
        }
        walk.all(&self.reads).await?.into_iter().map(Conversation::try_from).collect()
    }

    /// Has the pair this direct conversation already?
    pub async fn has_direct(&self, workspace: WorkspaceId, key: &str) -> Result<bool> {
        let found = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).filter(Column::DirectKey.eq(key));
        Ok(found.one(&self.reads).await?.is_some())
    }

    /// A page of those of the user's own conversations that a filter lets through.
    pub async fn conversation_list(
        &self,
        user: UserId,
        filter: &CheckedFilter,
        now: Timestamp,
        page: &Page<ActivityKey>,
    ) -> Result<Slice<Conversation>> {
        let rows = list(user, page).filter(filter::condition(filter, now)).all(&self.reads).await?;
        let found = rows.into_iter().map(Conversation::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, found))
    }
}

pub fn readable(user: UserId, ids: &[ConversationId]) -> Select<Entity> {
    Entity::find()
        .join(JoinType::InnerJoin, Relation::Members.def())
        .filter(members::Column::ConversationId.is_in(ids.iter().map(|id| id.0)))
        .filter(members::Column::UserId.eq(user.0))
}

/// Walks the index of the user's memberships hour by hour, and sorts only within an hour.
pub fn list(user: UserId, page: &Page<ActivityKey>) -> Select<Entity> {
    let order = match page.direction {
        Direction::Forward => Order::Desc,
        Direction::Backward => Order::Asc,
    };
    let mut walk = Entity::find()
        .join(JoinType::InnerJoin, Relation::Members.def())
        .filter(members::Column::UserId.eq(user.0))
        .order_by(members::Column::ActiveHour, order.clone())
        .order_by(Column::LastActivityAt, order.clone())
        .order_by(Column::Id, order)
        .limit(page.size as u64 + 1);
    if let Some(from) = page.from {
        let hour = members::hour_of(from.last_activity_at);
        let (at, id) = (from.last_activity_at.0, from.id.0);
        walk = match page.direction {
            Direction::Forward => walk.filter(members::Column::ActiveHour.lte(hour)).filter(
                Condition::any()
                    .add(Column::LastActivityAt.lt(at))
                    .add(Column::LastActivityAt.eq(at).and(Column::Id.lt(id))),
            ),
            Direction::Backward => walk.filter(members::Column::ActiveHour.gte(hour)).filter(
                Condition::any()
                    .add(Column::LastActivityAt.gt(at))
                    .add(Column::LastActivityAt.eq(at).and(Column::Id.gt(id))),
            ),
        };
    }
    walk
}

pub async fn set_member_count(work: &Work, id: ConversationId, count: usize) -> Result<()> {
    let changed = ActiveModel { id: Set(id.0), member_count: Set(count as i64), ..Default::default() };
    Entity::update(changed).exec(&work.transaction).await?;
    Ok(())
}

/// Makes a conversation, or finds the direct one that the pair has already.
pub struct CreateConversation {
    pub id: ConversationId,
    pub workspace: WorkspaceId,
    pub at: Timestamp,
    pub conversation: CheckedConversation,
    /// What plugins leave, who were asked about it.
    pub plugins: FromPlugins,
}

#[async_trait]
impl Change for CreateConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let asked = &self.conversation;
        let direct_key = asked.direct_key();
        if let Some(key) = &direct_key {
            // The lock on the workspace's log is held, so that nobody makes the same one beside us.
            let found = Entity::find()
                .filter(Column::WorkspaceId.eq(self.workspace.0))
                .filter(Column::DirectKey.eq(key))
                .one(&work.transaction)
                .await?;
            if let Some(row) = found {
                return row.try_into();
            }
        }
        held::commit_data(work, &self.plugins, self.at).await?;
        let others: Vec<UserId> = asked.others().collect();
        members::can_come(work, self.workspace, &others).await?;
        if let (ConversationKind::Direct, [other]) = (asked.kind(), others.as_slice())
            && blocks::between(work, asked.creator(), *other).await?
        {
            return Err(Rejection::Blocked { field: "memberIds" }.into());
        }

        let everybody: Vec<UserId> = std::iter::once(asked.creator()).chain(others).collect();
        let row = Model {
            id: self.id.0,
            workspace_id: self.workspace.0,
            kind: asked.kind().as_str().to_owned(),
            status: ConversationStatus::Active.as_str().to_owned(),
            visibility: asked.visibility().as_str().to_owned(),
            history: asked.history().as_str().to_owned(),
            title: asked.title().map(str::to_owned),
            folded_title: asked.title().map(text::folded),
            description: asked.description().map(str::to_owned),
            avatar_url: asked.avatar_url().map(str::to_owned),
            context_kind: asked.context().map(|context| context.kind.clone()),
            context_id: asked.context().map(|context| context.id.clone()),
            direct_key,
            creator_id: asked.creator().0,
            created_at: self.at.0,
            assignee_id: None,
            closed_at: None,
            blocked: false,
            member_count: everybody.len() as i64,
            last_sequence: 0,
            last_activity_at: self.at.0,
            trims: 0,
        };
        Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&work.transaction).await?;
        let role_of = |user| match asked.kind() {
            ConversationKind::Group if user == asked.creator() => ConversationRole::Owner,
            _ => ConversationRole::Member,
        };
        let rows = everybody.iter().map(|&user| members::ActiveModel {
            conversation_id: Set(self.id.0),
            user_id: Set(user.0),
            role: Set(role_of(user).as_str().to_owned()),
            joined_at: Set(self.at.0),
            joined_position: Set(work.next_position().0),
            active_hour: Set(members::hour_of(self.at)),
            ..Default::default()
        });
        members::Entity::insert_many(rows).exec_without_returning(&work.transaction).await?;
        let fact = Fact::ConversationCreated { conversation: self.id, members: everybody };
        work.record(Some(asked.creator()), self.at, fact);
        if asked.visibility() == Visibility::Public {
            public::index(work, &row).await?;
        }
        row.try_into()
    }
}
