//! Support conversations: the queue that agents see, who has taken which, and their end.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, ConversationRole, Fact, Rejection, UserId, WorkspaceId, WorkspaceRole,
    conversations::{
        Conversation, ConversationKind, ConversationStatus, History,
        support::{SupportFilter, may_resolve},
    },
    pages::{Direction, Page, Slice},
    permissions::{Act, Right, may},
    users::User,
};
use sea_orm::{ActiveValue::Set, Condition, QueryOrder, QuerySelect, entity::prelude::*, sea_query::Expr};

use super::{
    super::{Change, Store, Work, members, users},
    ActiveModel, Column, Entity,
};
use crate::Result;

impl Store {
    /// The support conversations of a workspace, the oldest first.
    pub async fn support_requests(
        &self,
        workspace: WorkspaceId,
        agent: UserId,
        filter: SupportFilter,
        page: &Page<ConversationId>,
    ) -> Result<Slice<Conversation>> {
        let rows = walk(workspace, agent, filter, page).all(&self.reads).await?;
        let found = rows.into_iter().map(Conversation::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, found))
    }
}

pub fn walk(
    workspace: WorkspaceId,
    agent: UserId,
    filter: SupportFilter,
    page: &Page<ConversationId>,
) -> Select<Entity> {
    let status = match filter {
        SupportFilter::Resolved => ConversationStatus::Archived,
        SupportFilter::Open | SupportFilter::Unassigned | SupportFilter::Mine => ConversationStatus::Active,
    };
    let walk = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::Kind.eq(ConversationKind::Support.as_str()))
        .filter(Column::Status.eq(status.as_str()))
        .limit(page.size as u64 + 1);
    let walk = match filter {
        SupportFilter::Open | SupportFilter::Resolved => walk,
        SupportFilter::Unassigned => walk.filter(Column::AssigneeId.is_null()),
        SupportFilter::Mine => walk.filter(Column::AssigneeId.eq(agent.0)),
    };
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => from.fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id),
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// A support conversation of a workspace; whatever else has this id is not there for who gives support.
async fn found(work: &Work, workspace: WorkspaceId, id: ConversationId) -> Result<Conversation> {
    let row = Entity::find_by_id(id.0)
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::Kind.eq(ConversationKind::Support.as_str()))
        .one(&work.transaction)
        .await?;
    row.ok_or(Rejection::NotFound { what: "support conversation", field: "conversation_id" })?.try_into()
}

/// Gives a support conversation to somebody who gives support, or back to the queue. Whoever has it takes part from then on,
/// as an admin who sees all of it.
pub struct AssignConversation {
    pub by: By,
    pub conversation: ConversationId,
    pub assignee: Option<UserId>,
}

#[async_trait]
impl Change for AssignConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let By { workspace, user, at, .. } = self.by;
        let mut room = found(work, workspace, self.conversation).await?;
        if let Some(assignee) = self.assignee {
            let row = users::of(workspace, assignee).one(&work.transaction).await?;
            let known: User = row.ok_or(Rejection::NotFound { what: "user", field: "assignee_id" })?.try_into()?;
            if !known.is_active() || may(known.role, Act::GiveSupport).is_err() {
                let expected = "somebody who gives support";
                return Err(Rejection::Invalid { field: "assignee_id", expected }.into());
            }
        }
        if room.assignee == self.assignee {
            return Ok(room);
        }
        if let Some(assignee) = self.assignee {
            take_part(work, &mut room, assignee, &self.by).await?;
        }
        room.assignee = self.assignee;
        let changed = ActiveModel {
            id: Set(room.id.0),
            assignee_id: Set(self.assignee.map(|assignee| assignee.0)),
            ..Default::default()
        };
        Entity::update(changed).exec(&work.transaction).await?;
        work.record(Some(user), at, Fact::ConversationUpdated { conversation: room.id });
        let to = self.assignee.map_or_else(|| "nobody".to_owned(), |assignee| assignee.to_string());
        work.audit(self.by.entry(AuditAction::ConversationAssigned, room.id, [("assignee", to)]));
        Ok(room)
    }
}

async fn take_part(work: &mut Work, room: &mut Conversation, assignee: UserId, by: &By) -> Result<()> {
    let role = ConversationRole::Admin;
    match members::Entity::find_by_id((room.id.0, assignee.0)).one(&work.transaction).await? {
        None => {
            // Whoever is to help must know what was said.
            room.history = History::Full;
            members::admit(work, room, vec![assignee], role, Some(by.user), by.at).await?;
        }
        Some(member) if member.role == ConversationRole::Member.as_str() => {
            let changed = members::ActiveModel {
                conversation_id: Set(room.id.0),
                user_id: Set(assignee.0),
                role: Set(role.as_str().to_owned()),
                ..Default::default()
            };
            members::Entity::update(changed).exec(&work.transaction).await?;
        }
        Some(_) => return Ok(()),
    }
    // Newcomers are members, as far as anybody is told; this one is more.
    let fact = Fact::ConversationMemberUpdated { conversation: room.id, user: assignee };
    work.record(Some(by.user), by.at, fact);
    Ok(())
}

/// Puts back into the queue what somebody has taken who cannot see to it any more.
pub async fn put_back(work: &mut Work, assignee: UserId, by: &By) -> Result<()> {
    let taken = Condition::all()
        .add(Column::WorkspaceId.eq(by.workspace.0))
        .add(Column::Kind.eq(ConversationKind::Support.as_str()))
        .add(Column::Status.eq(ConversationStatus::Active.as_str()))
        .add(Column::AssigneeId.eq(assignee.0));
    let ids: Vec<Uuid> = Entity::find()
        .filter(taken.clone())
        .select_only()
        .column(Column::Id)
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(&work.transaction)
        .await?;
    let nobody = Expr::value(None::<Uuid>);
    Entity::update_many().col_expr(Column::AssigneeId, nobody).filter(taken).exec(&work.transaction).await?;
    for id in ids {
        work.record(Some(by.user), by.at, Fact::ConversationUpdated { conversation: ConversationId(id) });
    }
    Ok(())
}

/// Says that whoever needed help has got it; what is resolved already stays as it is.
pub struct ResolveConversation {
    pub by: By,
    pub role: WorkspaceRole,
    pub conversation: ConversationId,
}

#[async_trait]
impl Change for ResolveConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let By { workspace, user, at, .. } = self.by;
        let mut room = found(work, workspace, self.conversation).await?;
        let member = members::Entity::find_by_id((room.id.0, user.0)).one(&work.transaction).await?;
        let right = may_resolve(&room, user, self.role, member.is_some())?;
        if room.status != ConversationStatus::Active {
            return Ok(room);
        }
        (room.status, room.closed_at) = (ConversationStatus::Archived, Some(at));
        let changed = ActiveModel {
            id: Set(room.id.0),
            status: Set(room.status.as_str().to_owned()),
            closed_at: Set(Some(at.0)),
            ..Default::default()
        };
        Entity::update(changed).exec(&work.transaction).await?;
        work.record(Some(user), at, Fact::ConversationUpdated { conversation: room.id });
        if right == Right::Role {
            work.audit(self.by.entry(AuditAction::ConversationResolved, room.id, []));
        }
        Ok(room)
    }
}
