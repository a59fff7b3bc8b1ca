//! What becomes of users once they are there: their profiles, their roles, whether they may come in; and finding them.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, Fact, Rejection, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    pages::{Direction, Page, Slice},
    permissions::may_change_role,
    users::{CheckedProfile, User, UserStatus, folded_words},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict};

use super::{
    Change, Store, Work,
    conversations::support,
    sessions, users,
    words::{self, FoundKey, found},
};
use crate::Result;

mod preferences {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_preferences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        /// An object, as JSON.
        pub value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    /// What clients keep for the user, as JSON.
    pub async fn preferences(&self, user: UserId) -> Result<Option<String>> {
        Ok(preferences::Entity::find_by_id(user.0).one(&self.reads).await?.map(|row| row.value))
    }

    /// Everybody in a workspace, in the order in which they came.
    pub async fn people(&self, workspace: WorkspaceId, page: &Page<UserId>) -> Result<Slice<User>> {
        let rows = walk(workspace, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(User::try_from).collect::<Result<_>>()?))
    }

    /// Those whose names have words that begin like all of these.
    pub async fn find_people(
        &self,
        workspace: WorkspaceId,
        search: &str,
        page: &Page<FoundKey>,
    ) -> Result<Slice<(FoundKey, User)>> {
        let wanted = folded_words(search);
        if wanted.is_empty() {
            return Ok(Slice { items: Vec::new(), has_previous: false, has_next: false });
        }
        let rows = found::<words::Entity>(workspace, &wanted, page).all(&self.reads).await?;
        let ids: Vec<UserId> = rows.iter().map(|row| UserId(row.user_id)).collect();
        let known = self.users(&ids).await?;
        let of = |row: words::Model| {
            let user = known.iter().find(|user| user.id.0 == row.user_id)?.clone();
            Some((FoundKey { word: row.word, id: row.user_id }, user))
        };
        Ok(Slice::of_walk(page, rows.into_iter().filter_map(of).collect()))
    }
}

pub fn walk(workspace: WorkspaceId, page: &Page<UserId>) -> Select<users::Entity> {
    use users::Column;
    let walk = users::Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).limit(page.size as u64 + 1);
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

async fn one(work: &Work, workspace: WorkspaceId, user: UserId) -> Result<User> {
    let row = users::of(workspace, user).one(&work.transaction).await?;
    row.ok_or(Rejection::NotFound { what: "user", field: "user_id" })?.try_into()
}

/// Changes one's own profile.
pub struct UpdateProfile {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub profile: CheckedProfile,
    pub at: Timestamp,
}

#[async_trait]
impl Change for UpdateProfile {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let before = one(work, self.workspace, self.user).await?;
        let (mut user, profile) = (before.clone(), self.profile.get());
        if let Some(name) = &profile.name {
            user.name.clone_from(name);
            user.name_is_own = true;
        }
        if let Some(avatar_url) = &profile.avatar_url {
            user.avatar_url.clone_from(avatar_url);
        }
        if let Some(status_text) = &profile.status_text {
            user.status_text.clone_from(status_text);
        }
        if let Some(value) = &profile.preferences {
            let row = preferences::ActiveModel { user_id: Set(user.id.0), value: Set(value.clone()) };
            preferences::Entity::insert(row)
                .on_conflict(
                    OnConflict::column(preferences::Column::UserId)
                        .update_column(preferences::Column::Value)
                        .to_owned(),
                )
                .exec_without_returning(&work.transaction)
                .await?;
            work.record(Some(user.id), self.at, Fact::PreferencesUpdated { user: user.id });
        }
        if user != before {
            users::rewrite(work, &before, &user).await?;
            work.record(Some(user.id), self.at, Fact::UserUpdated { user: user.id });
        }
        Ok(user)
    }
}

/// Gives somebody another role, which no token changes from now on.
pub struct UpdateRole {
    pub user: UserId,
    pub role: WorkspaceRole,
    pub actor_role: WorkspaceRole,
    pub by: By,
}

#[async_trait]
impl Change for UpdateRole {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let before = one(work, self.by.workspace, self.user).await?;
        may_change_role(self.actor_role, before.role, self.role)?;
        if before.role == WorkspaceRole::Owner && self.role != WorkspaceRole::Owner {
            another_owner(work, &before).await?;
        }
        let user = User { role: self.role, role_is_own: true, ..before.clone() };
        if user == before {
            return Ok(user);
        }
        users::rewrite(work, &before, &user).await?;
        let By { at, user: actor, .. } = self.by;
        work.record(Some(actor), at, Fact::UserUpdated { user: user.id });
        let details = [("before", before.role.as_str().to_owned()), ("after", user.role.as_str().to_owned())];
        work.audit(self.by.entry(AuditAction::UserRoleUpdated, user.id, details));
        Ok(user)
    }
}

/// Under the lock on the log, so that two owners cannot both go.
async fn another_owner(work: &Work, leaving: &User) -> Result<()> {
    let other = users::Entity::find()
        .filter(users::Column::WorkspaceId.eq(leaving.workspace.0))
        .filter(users::Column::Role.eq(WorkspaceRole::Owner.as_str()))
        .filter(users::Column::Status.eq(UserStatus::Active.as_str()))
        .filter(users::Column::Id.ne(leaving.id.0))
        .limit(1)
        .one(&work.transaction)
        .await?;
    if other.is_some() { Ok(()) } else { Err(Rejection::LastOwner.into()) }
}

/// Shuts somebody out, or lets them in again.
pub struct UpdateStatus {
    pub user: UserId,
    pub status: UserStatus,
    pub actor_role: WorkspaceRole,
    pub by: By,
}

#[async_trait]
impl Change for UpdateStatus {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let before = one(work, self.by.workspace, self.user).await?;
        may_change_role(self.actor_role, before.role, before.role)?;
        if before.status == self.status {
            return Ok(before);
        }
        if self.status == UserStatus::Deactivated && before.role == WorkspaceRole::Owner {
            another_owner(work, &before).await?;
        }
        let user = User { status: self.status, ..before.clone() };
        users::rewrite(work, &before, &user).await?;
        let By { at, user: actor, .. } = self.by;
        let (fact, action) = match self.status {
            UserStatus::Active => (Fact::UserUpdated { user: user.id }, AuditAction::UserReactivated),
            UserStatus::Deactivated => (Fact::UserDeactivated { user: user.id }, AuditAction::UserDeactivated),
        };
        work.record(Some(actor), at, fact);
        work.audit(self.by.entry(action, user.id, []));
        if self.status == UserStatus::Deactivated {
            // Whoever is let in again signs in anew; those whom they were to help do not wait for it.
            sessions::end_all(work, &user, None, at).await?;
            support::put_back(work, user.id, &self.by).await?;
        }
        Ok(user)
    }
}
