//! The words by which people are found.

use jackfield_domain::{UserId, WorkspaceId, users::folded_words};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::Work;
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_words")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub word: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The user is found by this name from now on, or not at all.
pub async fn rewrite(work: &Work, workspace: WorkspaceId, user: UserId, name: Option<&str>) -> Result<()> {
    Entity::delete_many().filter(Column::UserId.eq(user.0)).exec(&work.transaction).await?;
    let rows: Vec<ActiveModel> = name
        .into_iter()
        .flat_map(folded_words)
        .map(|word| ActiveModel { workspace_id: Set(workspace.0), word: Set(word.into_bytes()), user_id: Set(user.0) })
        .collect();
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(&work.transaction).await?;
    }
    Ok(())
}
