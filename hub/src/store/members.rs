//! Who takes part in which conversation.

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, ConversationRole, Fact, Policy, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::{self, Conversation, Member},
    pages::{Direction, Page, Slice},
    permissions::{ConversationAct, may_here},
    receipts::Pointers,
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work, conversations as rooms, users};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub role: String,
    pub joined_at: i64,
    /// The hour of the conversation's last activity, here so that one's conversations can be walked by it in an index.
    /// The hour and not the moment: a message then touches its members' rows once an hour and not every time.
    pub active_hour: i64,
    /// Everything up to here has come to one of the member's devices.
    pub delivered_sequence: i64,
    /// Everything up to here was read by the member.
    pub read_sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "rooms::Entity", from = "Column::ConversationId", to = "rooms::Column::Id")]
    Conversation,
}

impl Related<rooms::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Conversation.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The hour that a moment lies in.
pub fn hour_of(at: Timestamp) -> i64 {
    at.0.div_euclid(3_600_000)
}

impl TryFrom<Model> for Member {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Member {
            conversation: ConversationId(row.conversation_id),
            user: UserId(row.user_id),
            role: ConversationRole::from_word(&row.role).ok_or_else(|| Error::internal("unknown role in members"))?,
            joined_at: Timestamp(row.joined_at),
            pointers: Pointers { delivered: row.delivered_sequence, read: row.read_sequence },
        })
    }
}

impl Store {
    /// The user's memberships among these conversations.
    pub async fn memberships(&self, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Member>> {
        let rows = Entity::find()
            .filter(Column::ConversationId.is_in(conversations.iter().map(|id| id.0)))
            .filter(Column::UserId.eq(user.0))
            .all(&self.reads)
            .await?;
        rows.into_iter().map(Member::try_from).collect()
    }

    /// Every conversation that the user takes part in.
    pub async fn conversations_of(&self, user: UserId) -> Result<Vec<ConversationId>> {
        let ids: Vec<Uuid> = Entity::find()
            .filter(Column::UserId.eq(user.0))
            .select_only()
            .column(Column::ConversationId)
            .into_tuple()
            .all(&self.reads)
            .await?;
        Ok(ids.into_iter().map(ConversationId).collect())
    }

    /// The members of a conversation, by id.
    pub async fn members(&self, conversation: ConversationId, page: &Page<UserId>) -> Result<Slice<Member>> {
        let rows = walk(conversation, page).all(&self.reads).await?;
        let members = rows.into_iter().map(Member::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, members))
    }
}

pub fn walk(conversation: ConversationId, page: &Page<UserId>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::ConversationId.eq(conversation.0)).limit(page.size as u64 + 1);
    match (page.direction, page.from) {
        (Direction::Forward, from) => from
            .into_iter()
            .fold(walk, |walk, from| walk.filter(Column::UserId.gt(from.0)))
            .order_by_asc(Column::UserId),
        (Direction::Backward, from) => from
            .into_iter()
            .fold(walk, |walk, from| walk.filter(Column::UserId.lt(from.0)))
            .order_by_desc(Column::UserId),
    }
}

/// Are all of these users of this workspace? The first that is not is named by its place.
pub async fn all_exist(work: &Work, workspace: WorkspaceId, users: &[UserId]) -> Result<()> {
    let known = users::Entity::find()
        .filter(users::Column::Id.is_in(users.iter().map(|id| id.0)))
        .filter(users::Column::WorkspaceId.eq(workspace.0))
        .count(&work.transaction)
        .await?;
    if known == users.len() as u64 {
        return Ok(());
    }
    Err(Rejection::NotFound { what: "user", field: "memberIds" }.into())
}

/// Adds people to a group, all or none of them.
pub struct AddMembers {
    pub workspace: WorkspaceId,
    pub conversation: ConversationId,
    pub actor: UserId,
    pub members: Vec<UserId>,
    pub at: Timestamp,
    pub policy: Policy,
}

#[async_trait]
impl Change for AddMembers {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let found = Entity::find_by_id((self.conversation.0, self.actor.0))
            .find_also_related(rooms::Entity)
            .one(&work.transaction)
            .await?;
        let Some((actor, Some(room))) = found else {
            return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
        };
        let mut room = Conversation::try_from(room)?;
        conversations::takes_members(room.kind)?;
        may_here(Member::try_from(actor)?.role, ConversationAct::ManageMembers)?;
        all_exist(work, self.workspace, &self.members).await?;

        let present: Vec<Uuid> = Entity::find()
            .filter(Column::ConversationId.eq(self.conversation.0))
            .filter(Column::UserId.is_in(self.members.iter().map(|id| id.0)))
            .select_only()
            .column(Column::UserId)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let new: Vec<UserId> = self.members.iter().copied().filter(|id| !present.contains(&id.0)).collect();
        if new.is_empty() {
            return Ok(room);
        }
        conversations::room_for(room.member_count, new.len(), &self.policy)?;

        let rows = new.iter().map(|user| ActiveModel {
            conversation_id: Set(self.conversation.0),
            user_id: Set(user.0),
            role: Set(ConversationRole::Member.as_str().to_owned()),
            joined_at: Set(self.at.0),
            active_hour: Set(hour_of(room.last_activity_at)),
            ..Default::default()
        });
        Entity::insert_many(rows).exec_without_returning(&work.transaction).await?;
        room.member_count += new.len();
        rooms::set_member_count(work, self.conversation, room.member_count).await?;
        let fact = Fact::ConversationMembersAdded { conversation: self.conversation, members: new };
        work.record(Some(self.actor), self.at, fact);
        Ok(room)
    }
}
