//! The words by which people are found; and finding anything by words.

use jackfield_domain::{
    UserId, WorkspaceId,
    pages::{Direction, Page},
    users::folded_words,
};
use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Alias, Condition, Expr, ExprTrait, Query},
};

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

/// A table of words, each of something that is found by it.
pub trait Words: EntityTrait {
    const WORKSPACE: Self::Column;
    const WORD: Self::Column;
    const OF: Self::Column;
}

impl Words for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
    const WORD: Column = Column::Word;
    const OF: Column = Column::UserId;
}

/// Where something stands in the list of what was found: at the word that it was found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundKey {
    pub word: Vec<u8>,
    pub id: Uuid,
}

/// The words from `prefix` on that begin with it, as two ends: no byte of UTF-8 is 255, so that the last can be raised.
fn ends(prefix: &str) -> (Vec<u8>, Vec<u8>) {
    let low = prefix.as_bytes().to_vec();
    let mut high = low.clone();
    if let Some(last) = high.last_mut() {
        *last += 1;
    }
    (low, high)
}

/// Walks the words that begin with the longest of those that are wanted. What has several such words is found by the
/// first of them, and must have a word for each of the others.
pub fn found<E: Words>(workspace: WorkspaceId, wanted: &[String], page: &Page<FoundKey>) -> Select<E> {
    let longest = wanted.iter().max_by_key(|word| word.len()).cloned().unwrap_or_default();
    let (low, high) = ends(&longest);
    let other = Alias::new("other");
    let of_the_same = |and: Condition| {
        Query::select()
            .expr(Expr::val(1))
            .from_as(E::default(), other.clone())
            .and_where(Expr::col((other.clone(), E::OF)).equals((E::default(), E::OF)))
            .cond_where(and)
            .to_owned()
    };
    let word = || Expr::col((other.clone(), E::WORD));
    let earlier = Condition::all().add(word().gte(low.clone())).add(word().lt(Expr::col((E::default(), E::WORD))));
    let mut walk = E::find()
        .filter(E::WORKSPACE.eq(workspace.0))
        .filter(E::WORD.gte(low))
        .filter(E::WORD.lt(high))
        .filter(Expr::exists(of_the_same(earlier)).not())
        .limit(page.size as u64 + 1);
    for prefix in wanted.iter().filter(|word| **word != longest) {
        let (low, high) = ends(prefix);
        let has = Condition::all().add(word().gte(low)).add(word().lt(high));
        walk = walk.filter(Expr::exists(of_the_same(has)));
    }
    let at = |from: &FoundKey| (from.word.clone(), from.id);
    match (page.direction, &page.from) {
        (Direction::Forward, from) => {
            let walk = from.iter().map(at).fold(walk, |walk, (word, id)| {
                let beyond = Condition::any()
                    .add(E::WORD.gt(word.clone()))
                    .add(Condition::all().add(E::WORD.eq(word.clone())).add(E::OF.gt(id)));
                walk.filter(E::WORD.gte(word)).filter(beyond)
            });
            walk.order_by_asc(E::WORD).order_by_asc(E::OF)
        }
        (Direction::Backward, from) => {
            let walk = from.iter().map(at).fold(walk, |walk, (word, id)| {
                let beyond = Condition::any()
                    .add(E::WORD.lt(word.clone()))
                    .add(Condition::all().add(E::WORD.eq(word.clone())).add(E::OF.lt(id)));
                walk.filter(E::WORD.lte(word)).filter(beyond)
            });
            walk.order_by_desc(E::WORD).order_by_desc(E::OF)
        }
    }
}
