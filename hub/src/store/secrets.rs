//! What the hub must remember about itself: the keys that its nodes share, and links that sign in once.

use async_trait::async_trait;
use jackfield_domain::{Timestamp, UserId, WorkspaceId, users::User};
use sea_orm::{
    ActiveValue::Set,
    Condition,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};

use super::{Change, Store, Work, users};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(column_type = "Blob")]
    pub value: Vec<u8>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod links {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_in_links")]
    pub struct Model {
        /// Of the code only its hash is kept: who reads the table cannot sign in with it.
        #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
        pub code_hash: Vec<u8>,
        pub user_id: Uuid,
        pub expires_at: i64,
        /// Which use it was that used it up.
        pub used_by: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    pub async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(Entity::find_by_id(name).one(&self.reads).await?.map(|row| row.value))
    }
}

/// Keeps `value` under `name` unless something is kept there; answers what is kept. Nodes that start together agree.
pub struct EnsureSecret {
    pub name: &'static str,
    pub value: Vec<u8>,
    pub at: Timestamp,
}

#[async_trait]
impl Change for EnsureSecret {
    type Outcome = Vec<u8>;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<Vec<u8>> {
        let row =
            ActiveModel { name: Set(self.name.to_owned()), value: Set(self.value.clone()), created_at: Set(self.at.0) };
        Entity::insert(row)
            .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
            .try_insert()
            .exec_without_returning(&work.transaction)
            .await?;
        let kept = Entity::find_by_id(self.name).one(&work.transaction).await?;
        Ok(kept.expect("it was there, or was put there just now").value)
    }
}

/// Keeps a link that will sign `user` in, once.
pub struct CreateSignInLink {
    pub code_hash: [u8; 32],
    pub user: UserId,
    pub expires_at: Timestamp,
}

#[async_trait]
impl Change for CreateSignInLink {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let row = links::ActiveModel {
            code_hash: Set(self.code_hash.to_vec()),
            user_id: Set(self.user.0),
            expires_at: Set(self.expires_at.0),
            used_by: Set(None),
        };
        // Nobody else could have come upon the same code: what is there is of an earlier try.
        links::Entity::insert(row)
            .on_conflict(OnConflict::column(links::Column::CodeHash).do_nothing().to_owned())
            .try_insert()
            .exec_without_returning(&work.transaction)
            .await?;
        Ok(())
    }
}

/// Uses the link up; answers whom it signs in and under which subject, if it was there, unused and still good.
pub struct ConsumeSignInLink {
    /// The name of this use. The row keeps it, so that a try whose outcome is unknown is not taken for somebody else's.
    pub id: Uuid,
    pub code_hash: [u8; 32],
    pub at: Timestamp,
}

#[async_trait]
impl Change for ConsumeSignInLink {
    type Outcome = Option<(User, String)>;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<(User, String)>> {
        use links::Column::{CodeHash, ExpiresAt, UsedBy};
        let key = self.code_hash.to_vec();
        // Two nodes may have read the row; only one of them changes it.
        let used = links::Entity::update_many()
            .col_expr(UsedBy, Expr::value(self.id))
            .filter(CodeHash.eq(key.clone()))
            .filter(ExpiresAt.gt(self.at.0))
            .filter(Condition::any().add(UsedBy.is_null()).add(UsedBy.eq(self.id)))
            .exec(&work.transaction)
            .await?;
        // Those that are too old are of no use to anybody.
        links::Entity::delete_many().filter(ExpiresAt.lte(self.at.0)).exec(&work.transaction).await?;
        if used.rows_affected == 0 {
            return Ok(None);
        }
        let Some(link) = links::Entity::find_by_id(key).one(&work.transaction).await? else { return Ok(None) };
        let Some(row) = users::Entity::find_by_id(link.user_id).one(&work.transaction).await? else { return Ok(None) };
        let subject = row.subject.clone();
        Ok(Some((row.try_into()?, subject)))
    }
}
