//! The groups that everybody in a workspace finds: those that are public and go on. The words of their titles stand in a
//! table of their own, in which nothing else ever stands.

use jackfield_domain::{
    ConversationId, WorkspaceId,
    conversations::{Conversation, ConversationStatus, Visibility},
    pages::{Page, Slice},
    users::folded_words,
};
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*};

use super::{
    super::{
        Store, Work,
        words::{FoundKey, Words, found},
    },
    Column, Entity, Model,
};
use crate::Result;

/// The words of titles.
pub mod titles {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "public_title_words")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
        pub word: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub conversation_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Words for titles::Entity {
    const WORKSPACE: titles::Column = titles::Column::WorkspaceId;
    const WORD: titles::Column = titles::Column::Word;
    const OF: titles::Column = titles::Column::ConversationId;
}

impl Store {
    /// A page of them, in the order in which they were made.
    pub async fn public_conversations(
        &self,
        workspace: WorkspaceId,
        page: &Page<ConversationId>,
    ) -> Result<Slice<Conversation>> {
        let rows = walk(workspace, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(Conversation::try_from).collect::<Result<_>>()?))
    }

    /// Those whose titles have words that begin like all of these.
    pub async fn find_public_conversations(
        &self,
        workspace: WorkspaceId,
        search: &str,
        page: &Page<FoundKey>,
    ) -> Result<Slice<(FoundKey, Conversation)>> {
        let wanted = folded_words(search);
        if wanted.is_empty() {
            return Ok(Slice { items: Vec::new(), has_previous: false, has_next: false });
        }
        let rows = found::<titles::Entity>(workspace, &wanted, page).all(&self.reads).await?;
        let ids: Vec<ConversationId> = rows.iter().map(|row| ConversationId(row.conversation_id)).collect();
        let known = self.conversations(&ids).await?;
        let of = |row: titles::Model| {
            let room = known.iter().find(|room| room.id.0 == row.conversation_id)?;
            // It may have become another since its words were read.
            let is_open = room.visibility == Visibility::Public && room.status == ConversationStatus::Active;
            is_open.then(|| (FoundKey { word: row.word, id: row.conversation_id }, room.clone()))
        };
        Ok(Slice::of_walk(page, rows.into_iter().filter_map(of).collect()))
    }
}

pub fn walk(workspace: WorkspaceId, page: &Page<ConversationId>) -> Select<Entity> {
    use jackfield_domain::pages::Direction;
    use sea_orm::QueryOrder;
    let walk = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::Visibility.eq(Visibility::Public.as_str()))
        .filter(Column::Status.eq(ConversationStatus::Active.as_str()))
        .limit(page.size as u64 + 1);
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => from.fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id),
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// A conversation is found by what its row says from now on, or not at all.
pub async fn index(work: &Work, row: &Model) -> Result<()> {
    forget(work, ConversationId(row.id)).await?;
    let is_open = row.visibility == Visibility::Public.as_str() && row.status == ConversationStatus::Active.as_str();
    let words: Vec<titles::ActiveModel> = row
        .title
        .iter()
        .filter(|_| is_open)
        .flat_map(|title| folded_words(title))
        .map(|word| titles::ActiveModel {
            workspace_id: Set(row.workspace_id),
            word: Set(word.into_bytes()),
            conversation_id: Set(row.id),
        })
        .collect();
    if !words.is_empty() {
        titles::Entity::insert_many(words).exec_without_returning(&work.transaction).await?;
    }
    Ok(())
}

/// A conversation is not found any more.
pub async fn forget(work: &Work, conversation: ConversationId) -> Result<()> {
    titles::Entity::delete_many()
        .filter(titles::Column::ConversationId.eq(conversation.0))
        .exec(&work.transaction)
        .await?;
    Ok(())
}
