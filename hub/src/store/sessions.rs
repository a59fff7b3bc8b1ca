//! Sessions, and the refresh tokens that keep them going.
//!
//! A refresh token has a part that all tokens of its session share, and a part of its own. Of both only a hash is kept.
//! So a token that was used up can be told from one that somebody made up, without keeping all that there ever were.

use async_trait::async_trait;
use jackfield_domain::{
    Fact, Rejection, SessionId, Timestamp, UserId, WorkspaceId,
    pages::{Direction, Page, Slice},
    sessions::{MOST, Session},
    users::User,
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work, accounts, users};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub user_id: Uuid,
    #[sea_orm(column_type = "Blob")]
    pub family_hash: Vec<u8>,
    #[sea_orm(column_type = "Blob")]
    pub refresh_hash: Vec<u8>,
    pub device: Option<String>,
    pub address: Option<String>,
    pub created_at: i64,
    pub used_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "users::Entity", from = "Column::UserId", to = "users::Column::Id")]
    User,
}

impl Related<users::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Session {
    fn from(row: Model) -> Self {
        Session {
            id: SessionId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            user: UserId(row.user_id),
            device: row.device,
            address: row.address.and_then(|address| address.parse().ok()),
            created_at: Timestamp(row.created_at),
            used_at: Timestamp(row.used_at),
            expires_at: Timestamp(row.expires_at),
        }
    }
}

impl Store {
    /// A session and whose it is.
    pub async fn session(&self, id: SessionId) -> Result<Option<(Session, User)>> {
        let found = with_user(id).one(&self.reads).await?;
        let Some((session, Some(user))) = found else { return Ok(None) };
        Ok(Some((session.into(), user.try_into()?)))
    }

    /// Somebody's sessions that have not run out, the oldest first.
    pub async fn sessions(&self, user: UserId, now: Timestamp, page: &Page<SessionId>) -> Result<Slice<Session>> {
        let rows = walk(user, page).filter(Column::ExpiresAt.gt(now.0)).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(Session::from).collect()))
    }
}

pub fn with_user(id: SessionId) -> sea_orm::SelectTwo<Entity, users::Entity> {
    Entity::find_by_id(id.0).find_also_related(users::Entity)
}

pub fn walk(user: UserId, page: &Page<SessionId>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::UserId.eq(user.0)).limit(page.size as u64 + 1);
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// A session that is to begin, and the hashes of its first refresh token.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub session: Session,
    pub family_hash: [u8; 32],
    pub refresh_hash: [u8; 32],
}

/// Begins a session; the one that was used longest ago makes room for it, if it must.
pub async fn begin(work: &mut Work, new: &NewSession) -> Result<()> {
    let NewSession { session, family_hash, refresh_hash } = new;
    let mut others =
        Entity::find().filter(Column::UserId.eq(session.user.0)).limit(2 * MOST as u64).all(&work.transaction).await?;
    others.sort_unstable_by_key(|other| other.used_at);
    let spare = (others.len() + 1).saturating_sub(MOST);
    for other in &others[..spare] {
        Entity::delete_by_id(other.id).exec(&work.transaction).await?;
        let ended = Fact::SessionEnded { user: session.user, session: SessionId(other.id) };
        work.record(Some(session.user), session.created_at, ended);
    }
    let row = ActiveModel {
        id: Set(session.id.0),
        workspace_id: Set(session.workspace.0),
        user_id: Set(session.user.0),
        family_hash: Set(family_hash.to_vec()),
        refresh_hash: Set(refresh_hash.to_vec()),
        device: Set(session.device.clone()),
        address: Set(session.address.map(|address| address.to_string())),
        created_at: Set(session.created_at.0),
        used_at: Set(session.used_at.0),
        expires_at: Set(session.expires_at.0),
    };
    Entity::insert(row).exec_without_returning(&work.transaction).await?;
    let started = Fact::SessionStarted { user: session.user, session: session.id };
    work.record(Some(session.user), session.created_at, started);
    Ok(())
}

/// Ends all sessions of a user but perhaps one; answers how many.
pub async fn end_all(work: &mut Work, user: &User, except: Option<SessionId>, at: Timestamp) -> Result<usize> {
    let mut ended = Entity::find().filter(Column::UserId.eq(user.id.0)).all(&work.transaction).await?;
    ended.retain(|session| Some(SessionId(session.id)) != except);
    if ended.is_empty() {
        return Ok(0);
    }
    let ids = ended.iter().map(|session| session.id);
    Entity::delete_many().filter(Column::Id.is_in(ids)).exec(&work.transaction).await?;
    for session in &ended {
        work.record(Some(user.id), at, Fact::SessionEnded { user: user.id, session: SessionId(session.id) });
    }
    Ok(ended.len())
}

/// Signs somebody in, who must still be welcome.
pub struct CreateSession {
    pub new: NewSession,
    /// Whose earlier failures are forgotten by this.
    pub failures_key: Option<[u8; 32]>,
}

#[async_trait]
impl Change for CreateSession {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.new.session.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let session = &self.new.session;
        let row = users::of(session.workspace, session.user).one(&work.transaction).await?;
        let user = row.map(User::try_from).transpose()?.filter(User::is_active);
        let user = user.ok_or(Rejection::WrongCredentials { what: "the login or the password" })?;
        if let Some(key) = self.failures_key {
            accounts::forgive(work, key).await?;
        }
        begin(work, &self.new).await?;
        Ok(user)
    }
}

/// Gives a refresh token for another one.
pub struct RotateSession {
    pub id: SessionId,
    pub workspace: WorkspaceId,
    pub family_hash: [u8; 32],
    pub presented_hash: [u8; 32],
    pub next_hash: [u8; 32],
    pub address: Option<std::net::IpAddr>,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// What came of it.
#[derive(Debug)]
pub enum Rotated {
    /// The session, whose it is, and under which subject.
    GoesOn(Box<(Session, User, String)>),
    /// The token was used before: somebody has a copy, so that the session is no more.
    Ended,
    Unknown,
}

#[async_trait]
impl Change for RotateSession {
    type Outcome = Rotated;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Rotated> {
        let found = with_user(self.id).one(&work.transaction).await?;
        let Some((mut row, Some(user))) = found else { return Ok(Rotated::Unknown) };
        if row.family_hash != self.family_hash || row.expires_at <= self.at.0 {
            return Ok(Rotated::Unknown);
        }
        let subject = user.subject.clone();
        let user = User::try_from(user)?;
        if row.refresh_hash != self.presented_hash {
            Entity::delete_by_id(row.id).exec(&work.transaction).await?;
            work.record(Some(user.id), self.at, Fact::SessionEnded { user: user.id, session: self.id });
            return Ok(Rotated::Ended);
        }
        if !user.is_active() {
            return Ok(Rotated::Unknown);
        }
        row.address = self.address.map(|address| address.to_string());
        (row.used_at, row.expires_at) = (self.at.0, self.expires_at.0);
        let changed = ActiveModel {
            id: Set(row.id),
            refresh_hash: Set(self.next_hash.to_vec()),
            address: Set(row.address.clone()),
            used_at: Set(row.used_at),
            expires_at: Set(row.expires_at),
            ..Default::default()
        };
        Entity::update(changed).exec(&work.transaction).await?;
        Ok(Rotated::GoesOn(Box::new((row.into(), user, subject))))
    }
}

/// Ends a session of the user.
pub struct EndSession {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub session: SessionId,
    pub at: Timestamp,
}

#[async_trait]
impl Change for EndSession {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let ended = Entity::delete_many()
            .filter(Column::Id.eq(self.session.0))
            .filter(Column::UserId.eq(self.user.0))
            .exec(&work.transaction)
            .await?;
        if ended.rows_affected == 0 {
            return Err(Rejection::NotFound { what: "session", field: "session_id" }.into());
        }
        work.record(Some(self.user), self.at, Fact::SessionEnded { user: self.user, session: self.session });
        Ok(())
    }
}

/// Ends all sessions of the user, but perhaps one; answers how many.
pub struct EndSessions {
    pub user: User,
    pub except: Option<SessionId>,
    pub at: Timestamp,
}

#[async_trait]
impl Change for EndSessions {
    type Outcome = usize;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.user.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<usize> {
        end_all(work, &self.user, self.except, self.at).await
    }
}
