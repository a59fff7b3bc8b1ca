//! Who is meant by which message: found by plugins, kept, listed and counted here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jackfield_domain::{
    ConversationId, ConversationRole, MessageId, UserId, WorkspaceRole,
    messages::Message,
    pages::{Direction, Page, Slice},
    plugins::{MentionTarget, PluginId},
};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, JoinType, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, Query},
};

use super::super::{
    Store, members,
    messages::{self, deletions::not_hidden_from},
    users,
};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mentions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub plugin_id: String,
    /// Beside the message, so that what is unread can be counted without looking at messages.
    pub conversation_id: Uuid,
    pub sequence: i64,
    /// Meant because they were there when it was said.
    pub was_online: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Whom these messages mention.
    pub async fn mentioned(&self, ids: &[MessageId]) -> Result<HashMap<MessageId, Vec<UserId>>> {
        let rows = Entity::find()
            .filter(Column::MessageId.is_in(ids.iter().map(|id| id.0)))
            .order_by_asc(Column::UserId)
            .all(&self.reads)
            .await?;
        let mut found: HashMap<MessageId, Vec<UserId>> = HashMap::new();
        for row in rows {
            let users = found.entry(MessageId(row.message_id)).or_default();
            // Two plugins may have found the same.
            if users.last() != Some(&UserId(row.user_id)) {
                users.push(UserId(row.user_id));
            }
        }
        Ok(found)
    }

    /// The messages that mention the user and that they can see, the newest last.
    pub async fn mentions_of(&self, user: UserId, unread: bool, page: &Page<MessageId>) -> Result<Slice<Message>> {
        let rows = walk(user, unread, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(Message::try_from).collect::<Result<_>>()?))
    }

    /// How many messages that the user has not read mention them, in each of these conversations.
    pub async fn unread_mentions(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<HashMap<ConversationId, i64>> {
        let rows: Vec<(Uuid, i64)> = unread(user, conversations).into_tuple().all(&self.reads).await?;
        Ok(rows.into_iter().map(|(conversation, count)| (ConversationId(conversation), count)).collect())
    }
}

/// Mentions of the user behind their read pointers, counted by conversation.
pub fn unread(user: UserId, conversations: &[ConversationId]) -> Select<Entity> {
    Entity::find()
        .join(JoinType::InnerJoin, member_of())
        .filter(Column::UserId.eq(user.0))
        .filter(members::Column::UserId.eq(user.0))
        .filter(Column::ConversationId.is_in(conversations.iter().map(|id| id.0)))
        .filter(Column::Sequence.into_expr().gt(members::Column::ReadSequence.into_expr()))
        .select_only()
        .column(Column::ConversationId)
        .expr(Expr::col((Entity, Column::MessageId)).count_distinct())
        .group_by(Column::ConversationId)
}

fn member_of() -> RelationDef {
    Entity::belongs_to(members::Entity).from(Column::ConversationId).to(members::Column::ConversationId).into()
}

pub fn walk(user: UserId, unread: bool, page: &Page<MessageId>) -> Select<messages::Entity> {
    // Two plugins may have found the same.
    let theirs = Query::select().column(Column::MessageId).from(Entity).and_where(Column::UserId.eq(user.0)).to_owned();
    let mut walk = messages::Entity::find()
        .join(JoinType::InnerJoin, messages::Relation::Members.def())
        .filter(messages::Column::Id.in_subquery(theirs))
        .filter(members::Column::UserId.eq(user.0))
        .filter(messages::Column::Sequence.into_expr().gt(members::Column::FromSequence.into_expr()))
        .filter(messages::Column::DeletedAt.is_null())
        .filter(not_hidden_from(user))
        .limit(page.size as u64 + 1);
    if unread {
        walk = walk.filter(messages::Column::Sequence.into_expr().gt(members::Column::ReadSequence.into_expr()));
    }
    let id = messages::Column::Id;
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(id.gt(from.0))).order_by_asc(id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(id.lt(from.0))).order_by_desc(id)
        }
    }
}

/// Says whom a message means, instead of whom the plugin said before; answers all who are meant now if that is not as it
/// was. Only members of its conversation count, and never its sender.
pub async fn set(
    database: &impl ConnectionTrait,
    plugin: &PluginId,
    message: &Message,
    targets: &[MentionTarget],
    online: &BTreeSet<UserId>,
) -> Result<Option<Vec<UserId>>> {
    let before = of(database, message.id).await?;
    let rows = || before.iter().filter(|row| row.plugin_id == plugin.as_str());
    let own: BTreeSet<UserId> = rows().map(|row| UserId(row.user_id)).collect();
    // Who was there when it was said stays meant, whoever has come or gone when it is edited.
    let then: BTreeSet<UserId> = rows().filter(|row| row.was_online).map(|row| UserId(row.user_id)).collect();
    let online = if then.is_empty() { online } else { &then };
    let meant = if targets.is_empty() { BTreeMap::new() } else { resolved(database, message, targets, online).await? };
    if own.iter().eq(meant.keys()) {
        return Ok(None);
    }
    let gone: Vec<Uuid> = own.iter().filter(|user| !meant.contains_key(user)).map(|user| user.0).collect();
    if !gone.is_empty() {
        Entity::delete_many()
            .filter(Column::MessageId.eq(message.id.0))
            .filter(Column::PluginId.eq(plugin.as_str()))
            .filter(Column::UserId.is_in(gone))
            .exec(database)
            .await?;
    }
    let new: Vec<ActiveModel> = meant
        .iter()
        .filter(|(user, _)| !own.contains(user))
        .map(|(user, was_online)| ActiveModel {
            message_id: Set(message.id.0),
            user_id: Set(user.0),
            plugin_id: Set(plugin.to_string()),
            conversation_id: Set(message.conversation.0),
            sequence: Set(message.sequence),
            was_online: Set(*was_online),
        })
        .collect();
    for part in new.chunks(1_000) {
        Entity::insert_many(part.to_vec()).exec_without_returning(database).await?;
    }
    let others = before.iter().filter(|row| row.plugin_id != plugin.as_str()).map(|row| UserId(row.user_id));
    Ok(Some(others.chain(meant.into_keys()).collect::<BTreeSet<_>>().into_iter().collect()))
}

async fn of(database: &impl ConnectionTrait, message: MessageId) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::MessageId.eq(message.0)).all(database).await?)
}

/// Nothing is left of mentions in messages that are no more.
pub async fn forget(database: &impl ConnectionTrait, ids: &[MessageId]) -> Result<()> {
    Entity::delete_many().filter(Column::MessageId.is_in(ids.iter().map(|id| id.0))).exec(database).await?;
    Ok(())
}

/// Those members of the message's conversation whom the targets mean, and whether only because they are there.
async fn resolved(
    database: &impl ConnectionTrait,
    message: &Message,
    targets: &[MentionTarget],
    online: &BTreeSet<UserId>,
) -> Result<BTreeMap<UserId, bool>> {
    let rows: Vec<(Uuid, String, String)> = members::Entity::find()
        .join(
            JoinType::InnerJoin,
            members::Entity::belongs_to(users::Entity).from(members::Column::UserId).to(users::Column::Id).into(),
        )
        .filter(members::Column::ConversationId.eq(message.conversation.0))
        .filter(members::Column::UserId.ne(message.sender.0))
        .select_only()
        .column(members::Column::UserId)
        .column(members::Column::Role)
        .column_as(users::Column::Role, "workspace_role")
        .into_tuple()
        .all(database)
        .await?;
    let meant = rows.into_iter().filter_map(|(user, role, workspace_role)| {
        let user = UserId(user);
        let is_named = targets.iter().any(|target| match target {
            MentionTarget::User(named) => *named == user,
            MentionTarget::Everyone => true,
            MentionTarget::Online => false,
            MentionTarget::WorkspaceRole(named) => WorkspaceRole::from_word(&workspace_role) == Some(*named),
            MentionTarget::ConversationRole(named) => ConversationRole::from_word(&role) == Some(*named),
        });
        let is_there = targets.contains(&MentionTarget::Online) && online.contains(&user);
        (is_named || is_there).then_some((user, !is_named))
    });
    Ok(meant.collect())
}
