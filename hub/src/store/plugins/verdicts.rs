//! What plugins did to messages, where they did anything: for the admins who ask why one is not what was sent.

use jackfield_domain::{
    MessageId, Timestamp, WorkspaceId,
    plugins::{Hook, Verdict, VerdictKind},
};
use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*};

use super::{super::Store, id};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_verdicts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub workspace_id: Uuid,
    pub plugin_id: String,
    pub hook: String,
    pub verdict: String,
    pub code: Option<String>,
    pub reason: Option<String>,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub fn row_of(
    workspace: WorkspaceId,
    message: MessageId,
    number: usize,
    verdict: &Verdict,
    at: Timestamp,
) -> ActiveModel {
    ActiveModel {
        message_id: Set(message.0),
        number: Set(number as i64),
        workspace_id: Set(workspace.0),
        plugin_id: Set(verdict.plugin.to_string()),
        hook: Set(verdict.hook.as_str().to_owned()),
        verdict: Set(verdict.kind.as_str().to_owned()),
        code: Set(verdict.code.clone()),
        reason: Set(verdict.reason.clone()),
        at: Set(at.0),
    }
}

impl Store {
    /// What plugins did to a message of this workspace, in the order in which they did it.
    pub async fn verdicts(&self, workspace: WorkspaceId, message: MessageId) -> Result<Vec<(Timestamp, Verdict)>> {
        let rows = Entity::find()
            .filter(Column::MessageId.eq(message.0))
            .filter(Column::WorkspaceId.eq(workspace.0))
            .order_by_asc(Column::Number)
            .all(&self.reads)
            .await?;
        let verdict = |row: Model| {
            let verdict = Verdict {
                plugin: id(&row.plugin_id)?,
                hook: Hook::from_word(&row.hook).ok_or_else(|| Error::internal("unknown hook"))?,
                kind: VerdictKind::from_word(&row.verdict).ok_or_else(|| Error::internal("unknown verdict"))?,
                code: row.code,
                reason: row.reason,
            };
            Ok((Timestamp(row.at), verdict))
        };
        rows.into_iter().map(verdict).collect()
    }
}
