//! Who takes part in which conversation.

pub mod joining;
pub mod leaving;
pub mod roles;

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, ConversationRole, Fact, Policy, Position, Rejection, Timestamp, UserId,
    WorkspaceId,
    conversations::{self, Conversation, History, Member, Notify, Settings, membership::Part},
    events::Admission,
    pages::{Direction, Page, Slice},
    permissions::{ConversationAct, may_here},
    receipts::Pointers,
    users::UserStatus,
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*};

use super::{Change, Store, Work, conversations as rooms, reads::Reads, users};
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
    /// The position of the event by which the member came.
    pub joined_position: i64,
    /// The member sees what was said after this.
    pub from_sequence: i64,
    /// The hour of the conversation's last activity, here so that one's conversations can be walked by it in an index.
    /// The hour and not the moment: a message then touches its members' rows once an hour and not every time.
    pub active_hour: i64,
    /// Everything up to here has come to one of the member's devices.
    pub delivered_sequence: i64,
    /// Everything up to here was read by the member.
    pub read_sequence: i64,
    /// How many messages the member has sent behind that, or were taken away there from everybody. Whoever sends adds to it, and so
    /// does what takes away; whoever moves the pointer takes away what it went past. Nothing else can change it, because no message
    /// changes its place or its sender.
    pub own_since_read: i64,
    pub muted_until: Option<i64>,
    pub pinned: bool,
    pub notify: String,
    pub sound: Option<String>,
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
            from_sequence: row.from_sequence,
            pointers: Pointers { delivered: row.delivered_sequence, read: row.read_sequence },
            settings: Settings {
                muted_until: row.muted_until.map(Timestamp),
                is_pinned: row.pinned,
                notify: Notify::from_word(&row.notify).ok_or_else(|| Error::internal("unknown word in members"))?,
                sound: row.sound,
            },
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

    /// The same, with what they see of each.
    pub async fn admissions(&self, user: UserId) -> Result<Vec<(ConversationId, Admission)>> {
        admitted(Entity::find().filter(Column::UserId.eq(user.0)), &self.reads).await
    }

    /// What the user sees of these conversations, as far as they take part in them.
    pub async fn admissions_to(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<(ConversationId, Admission)>> {
        let among = Column::ConversationId.is_in(conversations.iter().map(|id| id.0));
        admitted(Entity::find().filter(Column::UserId.eq(user.0)).filter(among), &self.reads).await
    }

    /// Which of these users take part in a conversation.
    pub async fn members_among(&self, conversation: ConversationId, users: &[UserId]) -> Result<Vec<UserId>> {
        let ids: Vec<Uuid> = Entity::find()
            .filter(Column::ConversationId.eq(conversation.0))
            .filter(Column::UserId.is_in(users.iter().map(|id| id.0)))
            .select_only()
            .column(Column::UserId)
            .into_tuple()
            .all(&self.reads)
            .await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// The members of a conversation, by id.
    pub async fn members(&self, conversation: ConversationId, page: &Page<UserId>) -> Result<Slice<Member>> {
        let rows = walk(conversation, page).all(&self.reads).await?;
        let members = rows.into_iter().map(Member::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, members))
    }
}

async fn admitted(found: Select<Entity>, reads: &Reads) -> Result<Vec<(ConversationId, Admission)>> {
    let rows: Vec<(Uuid, i64, i64)> = found
        .select_only()
        .columns([Column::ConversationId, Column::JoinedPosition, Column::FromSequence])
        .into_tuple()
        .all(reads)
        .await?;
    let admitted = rows.into_iter().map(|(conversation, position, from_sequence)| {
        (ConversationId(conversation), Admission { position: Position(position), from_sequence })
    });
    Ok(admitted.collect())
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

/// Can all of these be brought in: are they of this workspace, and not shut out of it?
pub async fn can_come(work: &Work, workspace: WorkspaceId, users: &[UserId]) -> Result<()> {
    let known: Vec<String> = users::Entity::find()
        .filter(users::Column::Id.is_in(users.iter().map(|id| id.0)))
        .filter(users::Column::WorkspaceId.eq(workspace.0))
        .select_only()
        .column(users::Column::Status)
        .into_tuple()
        .all(&work.transaction)
        .await?;
    if known.len() != users.len() {
        return Err(Rejection::NotFound { what: "user", field: "memberIds" }.into());
    }
    if known.iter().any(|status| status != UserStatus::Active.as_str()) {
        let expected = "people who are not deactivated";
        return Err(Rejection::Invalid { field: "memberIds", expected }.into());
    }
    Ok(())
}

/// A conversation as its row stands, and somebody's part in it; there is no such conversation for who takes none.
pub async fn part_in(work: &Work, conversation: ConversationId, user: UserId) -> Result<(rooms::Model, Part)> {
    let found =
        Entity::find_by_id((conversation.0, user.0)).find_also_related(rooms::Entity).one(&work.transaction).await?;
    let Some((member, Some(room))) = found else {
        return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
    };
    Ok((room, Part { user, role: Member::try_from(member)?.role }))
}

/// The part of somebody who is named in a field.
async fn part_of(work: &Work, conversation: ConversationId, user: UserId, field: &'static str) -> Result<Part> {
    let row = Entity::find_by_id((conversation.0, user.0)).one(&work.transaction).await?;
    let row = row.ok_or(Rejection::NotFound { what: "member", field })?;
    Ok(Part { user, role: Member::try_from(row)?.role })
}

/// Whether somebody beside this user owns the conversation, and is not shut out, as a number.
async fn another_owner(work: &Work, conversation: ConversationId, than: UserId) -> Result<usize> {
    let owners = Entity::find()
        .filter(Column::ConversationId.eq(conversation.0))
        .filter(Column::UserId.ne(than.0))
        .filter(Column::Role.eq(ConversationRole::Owner.as_str()))
        .select_only()
        .column(Column::UserId)
        .into_query();
    let other = users::Entity::find()
        .filter(users::Column::Id.in_subquery(owners))
        .filter(users::Column::Status.eq(UserStatus::Active.as_str()))
        .limit(1)
        .one(&work.transaction)
        .await?;
    Ok(usize::from(other.is_some()))
}

/// Adds people to a group, all or none of them.
pub struct AddMembers {
    pub conversation: ConversationId,
    pub members: Vec<UserId>,
    pub policy: Policy,
    pub by: By,
}

#[async_trait]
impl Change for AddMembers {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let By { workspace, user, at, .. } = self.by;
        let (row, actor) = part_in(work, self.conversation, user).await?;
        let mut room = Conversation::try_from(row)?;
        conversations::takes_members(room.kind)?;
        may_here(actor.role, ConversationAct::ManageMembers)?;
        can_come(work, workspace, &self.members).await?;

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

        let users: Vec<String> = new.iter().map(UserId::to_string).collect();
        admit(work, &mut room, new, ConversationRole::Member, Some(user), at).await?;
        let details = [("users", users.join(" "))];
        work.audit(self.by.entry(AuditAction::ConversationMembersAdded, room.id, details));
        Ok(room)
    }
}

/// Makes people members who are none yet. What was said before is not new to them.
pub async fn admit(
    work: &mut Work,
    room: &mut Conversation,
    users: Vec<UserId>,
    role: ConversationRole,
    actor: Option<UserId>,
    at: Timestamp,
) -> Result<()> {
    let from_sequence = match room.history {
        History::Full => 0,
        History::FromJoin => room.last_sequence,
    };
    let rows = users.iter().map(|user| ActiveModel {
        conversation_id: Set(room.id.0),
        user_id: Set(user.0),
        role: Set(role.as_str().to_owned()),
        joined_at: Set(at.0),
        joined_position: Set(work.next_position().0),
        from_sequence: Set(from_sequence),
        active_hour: Set(hour_of(room.last_activity_at)),
        delivered_sequence: Set(room.last_sequence),
        read_sequence: Set(room.last_sequence),
        ..Default::default()
    });
    Entity::insert_many(rows).exec_without_returning(&work.transaction).await?;
    room.member_count += users.len();
    rooms::set_member_count(work, room.id, room.member_count).await?;
    let sequence = room.last_sequence;
    let fact = Fact::ConversationMembersAdded { conversation: room.id, members: users, from_sequence, sequence };
    work.record(actor, at, fact);
    Ok(())
}
