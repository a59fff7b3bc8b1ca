//! What plugins keep for themselves: keys and values, changed together with what the hook that changed them was about.
//!
//! Operations are applied under the lock of the workspace's log, one hook after the other, on top of what is read for all
//! of them at once. Whatever does not apply leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jackfield_domain::{
    Rejection, Timestamp, WorkspaceId,
    plugins::{Operation, PluginId},
};
use sea_orm::{
    ActiveValue::Set,
    Condition, ConnectionTrait, QueryOrder, QueryResult, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, OnConflict, Query, UnionType},
};

use super::{
    super::{Change, Store, Work},
    workspaces,
};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_data")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub plugin_id: String,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub key: Vec<u8>,
    #[sea_orm(column_type = "Blob")]
    pub value: Vec<u8>,
    pub expires_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// So many rows are written by one statement.
const ROWS_AT_ONCE: usize = 500;

impl Store {
    /// What stands under these keys.
    pub async fn plugin_values(
        &self,
        workspace: WorkspaceId,
        plugin: &PluginId,
        keys: &[String],
        now: Timestamp,
    ) -> Result<HashMap<String, Vec<u8>>> {
        let rows =
            under(workspace, plugin, keys.iter().map(String::as_str)).filter(alive(now)).all(&self.reads).await?;
        Ok(rows.into_iter().filter_map(|row| Some((String::from_utf8(row.key).ok()?, row.value))).collect())
    }

    /// The next keys that begin with `prefix`, in the order of their bytes, with what stands under them.
    pub async fn plugin_scan(
        &self,
        workspace: WorkspaceId,
        plugin: &PluginId,
        prefix: &str,
        after: Option<&str>,
        limit: u64,
        now: Timestamp,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let rows = scan(workspace, plugin, prefix, after).filter(alive(now)).limit(limit).all(&self.reads).await?;
        Ok(rows.into_iter().filter_map(|row| Some((String::from_utf8(row.key).ok()?, row.value))).collect())
    }

    /// The first keys of each prefix with what stands under them, in one statement; each with the number of its prefix.
    pub async fn plugin_scan_many(
        &self,
        workspace: WorkspaceId,
        plugin: &PluginId,
        prefixes: &[String],
        limit: u64,
        now: Timestamp,
    ) -> Result<Vec<(usize, (String, Vec<u8>))>> {
        let mut parts = prefixes.iter().enumerate().map(|(number, prefix)| {
            let part = scan(workspace, plugin, prefix, None).filter(alive(now)).limit(limit).into_query();
            Query::select()
                .expr_as(Expr::value(number as i64), "number")
                .columns([Column::Key, Column::Value])
                .from_subquery(part, "part")
                .to_owned()
        });
        let Some(mut all) = parts.next() else { return Ok(Vec::new()) };
        all.unions(parts.map(|part| (UnionType::All, part)));
        let found = self.reads.query_all(&all).await?;
        let row = |row: &QueryResult| {
            let number = usize::try_from(row.try_get::<i64>("", "number")?).map_err(crate::Error::internal)?;
            let (key, value) = (row.try_get::<Vec<u8>>("", "key")?, row.try_get("", "value")?);
            Ok((number, (String::from_utf8(key).map_err(crate::Error::internal)?, value)))
        };
        let mut rows = found.iter().map(row).collect::<Result<Vec<_>>>()?;
        // What stands beside each other in a union is in no order.
        rows.sort_unstable_by(|one, other| (one.0, &one.1.0).cmp(&(other.0, &other.1.0)));
        Ok(rows)
    }
}

fn of(workspace: WorkspaceId, plugin: &PluginId) -> Select<Entity> {
    Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).filter(Column::PluginId.eq(plugin.as_str()))
}

pub fn under<'k>(workspace: WorkspaceId, plugin: &PluginId, keys: impl IntoIterator<Item = &'k str>) -> Select<Entity> {
    of(workspace, plugin).filter(Column::Key.is_in(keys.into_iter().map(|key| key.as_bytes().to_vec())))
}

pub fn scan(workspace: WorkspaceId, plugin: &PluginId, prefix: &str, after: Option<&str>) -> Select<Entity> {
    let walk = of(workspace, plugin).filter(Column::Key.gte(prefix.as_bytes().to_vec())).order_by_asc(Column::Key);
    // No byte of UTF-8 is 255, so that the last one can be raised: everything before that begins with the prefix.
    let mut end = prefix.as_bytes().to_vec();
    let walk = match end.last_mut() {
        Some(last) => {
            *last += 1;
            walk.filter(Column::Key.lt(end))
        }
        None => walk,
    };
    after.into_iter().fold(walk, |walk, after| walk.filter(Column::Key.gt(after.as_bytes().to_vec())))
}

fn alive(now: Timestamp) -> Condition {
    Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now.0))
}

/// What one run of a plugin's hook wants to change of its data.
#[derive(Debug, Clone)]
pub struct DataChange {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub operations: Vec<Operation>,
    /// So many bytes it may keep there.
    pub most: u64,
}

/// Something else stands under a key than a hook had seen, or others have taken the room: it has to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Conflict;

type Owner = (WorkspaceId, PluginId);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    bytes: Vec<u8>,
    expires_at: Option<Timestamp>,
}

/// The data that some changes touch, as it was and as it is to be.
#[derive(Default)]
pub struct Overlay {
    before: BTreeMap<Owner, BTreeMap<String, Value>>,
    after: BTreeMap<Owner, BTreeMap<String, Option<Value>>>,
    most: BTreeMap<Owner, u64>,
    /// How large is what has gone away by itself, and is still there.
    stale: BTreeMap<Owner, BTreeMap<String, i64>>,
}

impl Overlay {
    /// Reads all that these changes touch.
    pub async fn read<'c>(
        database: &impl ConnectionTrait,
        changes: impl IntoIterator<Item = &'c DataChange>,
        now: Timestamp,
    ) -> Result<Self> {
        let mut wanted: BTreeMap<Owner, BTreeSet<&str>> = BTreeMap::new();
        for change in changes {
            let keys = wanted.entry((change.workspace, change.plugin.clone())).or_default();
            keys.extend(change.operations.iter().map(Operation::key));
        }
        let mut overlay = Overlay::default();
        for ((workspace, plugin), keys) in wanted {
            let keys: Vec<&str> = keys.into_iter().collect();
            let (mut found, mut stale) = (BTreeMap::new(), BTreeMap::new());
            for part in keys.chunks(ROWS_AT_ONCE) {
                for row in under(workspace, &plugin, part.iter().copied()).all(database).await? {
                    let Ok(key) = String::from_utf8(row.key) else { continue };
                    let value = Value { bytes: row.value, expires_at: row.expires_at.map(Timestamp) };
                    // What has gone away by itself is still there, and is written over.
                    if value.expires_at.is_some_and(|at| at <= now) {
                        stale.insert(key.clone(), size(&key, &value));
                    } else {
                        found.insert(key, value);
                    }
                }
            }
            overlay.stale.insert((workspace, plugin.clone()), stale);
            overlay.before.insert((workspace, plugin), found);
        }
        Ok(overlay)
    }

    /// Applies a change on top of those before it, all of it or nothing.
    pub fn apply(&mut self, change: &DataChange, now: Timestamp) -> Result<(), Rejection> {
        let owner = (change.workspace, change.plugin.clone());
        self.most.insert(owner.clone(), change.most);
        let before = self.before.get(&owner);
        let after = self.after.entry(owner).or_default();
        let mut fresh: BTreeMap<String, Option<Value>> = BTreeMap::new();
        for operation in &change.operations {
            let key = operation.key();
            let known = fresh.get(key).or_else(|| after.get(key)).cloned();
            let value = known.unwrap_or_else(|| before.and_then(|before| before.get(key)).cloned());
            let value = changed(operation, value, now).map_err(|Conflict| outrun(&change.plugin))?;
            fresh.insert(key.to_owned(), value);
        }
        after.extend(fresh);
        Ok(())
    }

    /// Writes what is different now, and how much room it takes.
    pub async fn write(self, database: &impl ConnectionTrait) -> Result<()> {
        for ((workspace, plugin), after) in self.after {
            let owner = (workspace, plugin.clone());
            let before = self.before.get(&owner);
            let mut room = 0;
            let (mut gone, mut rows) = (Vec::new(), Vec::new());
            for (key, value) in after {
                let was = before.and_then(|before| before.get(&key));
                if was == value.as_ref() {
                    continue;
                }
                let stale = self.stale.get(&owner).and_then(|stale| stale.get(&key)).copied();
                room -= was.map(|was| size(&key, was)).or(stale).unwrap_or_default();
                room += value.as_ref().map_or(0, |value| size(&key, value));
                match value {
                    None => gone.push(key.into_bytes()),
                    Some(value) => rows.push(ActiveModel {
                        workspace_id: Set(workspace.0),
                        plugin_id: Set(plugin.as_str().to_owned()),
                        key: Set(key.into_bytes()),
                        value: Set(value.bytes),
                        expires_at: Set(value.expires_at.map(|at| at.0)),
                    }),
                }
            }
            for part in gone.chunks(ROWS_AT_ONCE) {
                Entity::delete_many()
                    .filter(Column::WorkspaceId.eq(workspace.0))
                    .filter(Column::PluginId.eq(plugin.as_str()))
                    .filter(Column::Key.is_in(part.iter().cloned()))
                    .exec(database)
                    .await?;
            }
            for part in rows.chunks(ROWS_AT_ONCE) {
                let key = [Column::WorkspaceId, Column::PluginId, Column::Key];
                let over = OnConflict::columns(key).update_columns([Column::Value, Column::ExpiresAt]).to_owned();
                Entity::insert_many(part.to_vec()).on_conflict(over).exec_without_returning(database).await?;
            }
            if room != 0 {
                let mut counted = workspaces::Entity::update_many()
                    .col_expr(workspaces::Column::StorageBytes, Expr::col(workspaces::Column::StorageBytes).add(room))
                    .filter(workspaces::Column::WorkspaceId.eq(workspace.0))
                    .filter(workspaces::Column::PluginId.eq(plugin.as_str()));
                if room > 0 {
                    let most = self.most.get(&owner).copied().unwrap_or_default() as i64;
                    counted = counted.filter(workspaces::Column::StorageBytes.lte(most - room));
                }
                if counted.exec(database).await?.rows_affected == 0 {
                    return Err(outrun(&plugin).into());
                }
            }
        }
        Ok(())
    }
}

fn outrun(plugin: &PluginId) -> Rejection {
    Rejection::Outrun { plugin: plugin.clone() }
}

fn size(key: &str, value: &Value) -> i64 {
    (key.len() + value.bytes.len()) as i64
}

/// What stands under a key after an operation.
fn changed(operation: &Operation, value: Option<Value>, now: Timestamp) -> Result<Option<Value>, Conflict> {
    Ok(match operation {
        Operation::Set { value, expires_in, .. } => {
            Some(Value { bytes: value.clone(), expires_at: expires_in.map(|duration| now + duration) })
        }
        Operation::CompareAndSet { expected, value: new, expires_in, .. } => {
            if value.map(|value| value.bytes) != *expected {
                return Err(Conflict);
            }
            Some(Value { bytes: new.clone(), expires_at: expires_in.map(|duration| now + duration) })
        }
        Operation::Increment { by, expires_in, .. } => {
            let (number, expires_at) = match value {
                None => (0, expires_in.map(|duration| now + duration)),
                Some(value) => {
                    // The hook saw a number there; if it is one no more, the hook has to see that.
                    let number = std::str::from_utf8(&value.bytes).ok().and_then(|digits| digits.parse().ok());
                    (number.ok_or(Conflict)?, value.expires_at)
                }
            };
            let sum: i64 = i64::saturating_add(number, *by);
            Some(Value { bytes: sum.to_string().into_bytes(), expires_at })
        }
        Operation::Delete { .. } => None,
    })
}

/// Takes away what has gone away by itself, at most so much at once; answers how much it was.
pub struct SweepPluginData {
    pub now: Timestamp,
    pub limit: u64,
}

#[async_trait::async_trait]
impl Change for SweepPluginData {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        let old = Entity::find()
            .filter(Column::ExpiresAt.lte(self.now.0))
            .order_by_asc(Column::ExpiresAt)
            .limit(self.limit)
            .all(&work.transaction)
            .await?;
        let count = old.len() as u64;
        for row in old {
            let freed = (row.key.len() + row.value.len()) as i64;
            let gone = Entity::delete_many()
                .filter(Column::WorkspaceId.eq(row.workspace_id))
                .filter(Column::PluginId.eq(row.plugin_id.as_str()))
                .filter(Column::Key.eq(row.key))
                .filter(Column::ExpiresAt.lte(self.now.0))
                .exec(&work.transaction)
                .await?;
            if gone.rows_affected > 0 {
                workspaces::Entity::update_many()
                    .col_expr(workspaces::Column::StorageBytes, Expr::col(workspaces::Column::StorageBytes).sub(freed))
                    .filter(workspaces::Column::WorkspaceId.eq(row.workspace_id))
                    .filter(workspaces::Column::PluginId.eq(row.plugin_id))
                    .exec(&work.transaction)
                    .await?;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn operations(operations: Vec<Operation>) -> DataChange {
        let plugin = "example.one".parse().expect("an id");
        DataChange { workspace: WorkspaceId(Uuid::nil()), plugin, operations, most: 1_000 }
    }

    fn increment(key: &str, by: i64) -> Operation {
        Operation::Increment { key: key.to_owned(), by, expires_in: Some(Duration::from_secs(60)) }
    }

    fn swap(key: &str, expected: Option<&str>, value: &str) -> Operation {
        let expected = expected.map(|text| text.as_bytes().to_vec());
        Operation::CompareAndSet { key: key.to_owned(), expected, value: value.as_bytes().to_vec(), expires_in: None }
    }

    fn stands(overlay: &Overlay, key: &str) -> Option<String> {
        let value = overlay.after.values().next()?.get(key)?.clone()?;
        String::from_utf8(value.bytes).ok()
    }

    #[test]
    fn changes_stand_on_each_other_and_a_conflict_leaves_nothing() {
        let mut overlay = Overlay::default();
        let now = Timestamp(1_000);
        assert_eq!(overlay.apply(&operations(vec![increment("count", 2), increment("count", 3)]), now), Ok(()));
        assert_eq!(stands(&overlay, "count").as_deref(), Some("5"));
        assert_eq!(overlay.apply(&operations(vec![swap("word", None, "a")]), now), Ok(()));
        let late = operations(vec![increment("count", 1), swap("word", None, "b")]);
        assert_eq!(overlay.apply(&late, now), Err(outrun(&late.plugin)), "somebody was there before");
        assert_eq!(stands(&overlay, "count").as_deref(), Some("5"));
        assert_eq!(overlay.apply(&operations(vec![swap("word", Some("a"), "b")]), now), Ok(()));
        assert_eq!(stands(&overlay, "word").as_deref(), Some("b"));
        assert_eq!(
            overlay.apply(&operations(vec![increment("word", 1)]), now),
            Err(outrun(&late.plugin)),
            "it is no number"
        );
    }

    #[test]
    fn adding_does_not_prolong_a_life() {
        let mut overlay = Overlay::default();
        overlay.apply(&operations(vec![increment("count", 1)]), Timestamp(0)).expect("a number");
        overlay.apply(&operations(vec![increment("count", 1)]), Timestamp(30_000)).expect("a number");
        let value = overlay.after.values().next().and_then(|data| data["count"].clone()).expect("a number");
        assert_eq!(value.expires_at, Some(Timestamp(60_000)));
    }
}
