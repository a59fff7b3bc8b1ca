//! Events, and answers to requests, that a plugin failed at again and again: laid aside for the admins, who can hand them over once more.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, DeadLetterId, Position, Rejection, RequestId, Timestamp, UserId, WorkspaceId,
    pages::{Direction, Page, Slice},
    plugins::{DeadLetter, LaidAside, PluginId},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    super::{Change, Store, Work, writer::FromPlugins},
    commit::{Effects, carry_out},
    held, id, requests,
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_dead_letters")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub plugin_id: String,
    /// 0 where it is no event.
    pub position: i64,
    /// Where it is what came of a request.
    pub request_id: Option<Uuid>,
    pub problem: String,
    pub attempts: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for DeadLetter {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(DeadLetter {
            id: DeadLetterId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            plugin: id(&row.plugin_id)?,
            what: match row.request_id {
                Some(request) => LaidAside::Answer(RequestId(request)),
                None => LaidAside::Event(Position(row.position)),
            },
            problem: row.problem,
            attempts: u32::try_from(row.attempts).map_err(Error::internal)?,
            created_at: Timestamp(row.created_at),
        })
    }
}

impl Store {
    /// A page of what was laid aside for a plugin in a workspace, in the order in which it was.
    pub async fn dead_letters(
        &self,
        workspace: WorkspaceId,
        plugin: &PluginId,
        page: &Page<Uuid>,
    ) -> Result<Slice<DeadLetter>> {
        let walk = Entity::find()
            .filter(Column::WorkspaceId.eq(workspace.0))
            .filter(Column::PluginId.eq(plugin.as_str()))
            .limit(page.size as u64 + 1);
        let walk = match (page.direction, page.from) {
            (Direction::Forward, None) => walk.order_by_asc(Column::Id),
            (Direction::Forward, Some(from)) => walk.order_by_asc(Column::Id).filter(Column::Id.gt(from)),
            (Direction::Backward, None) => walk.order_by_desc(Column::Id),
            (Direction::Backward, Some(from)) => walk.order_by_desc(Column::Id).filter(Column::Id.lt(from)),
        };
        let found = walk.all(&self.reads).await?.into_iter().map(DeadLetter::try_from).collect::<Result<Vec<_>>>()?;
        Ok(Slice::of_walk(page, found))
    }

    pub async fn dead_letter(&self, workspace: WorkspaceId, id: DeadLetterId) -> Result<Option<DeadLetter>> {
        let found = Entity::find_by_id(id.0).filter(Column::WorkspaceId.eq(workspace.0)).one(&self.reads).await?;
        found.map(DeadLetter::try_from).transpose()
    }
}

/// Lays something aside, within a change.
pub async fn lay_aside(work: &Work, letter: &DeadLetter) -> Result<()> {
    let (position, request) = match letter.what {
        LaidAside::Event(position) => (position.0, None),
        LaidAside::Answer(request) => (0, Some(request.0)),
    };
    let row = ActiveModel {
        id: Set(letter.id.0),
        workspace_id: Set(letter.workspace.0),
        plugin_id: Set(letter.plugin.to_string()),
        position: Set(position),
        request_id: Set(request),
        problem: Set(letter.problem.clone()),
        attempts: Set(i64::from(letter.attempts)),
        created_at: Set(letter.created_at.0),
    };
    Entity::insert(row).exec_without_returning(&work.transaction).await?;
    Ok(())
}

/// So many answers that were laid aside are taken away at once.
const ANSWERS: u64 = 1_000;

/// Takes those away whose events the log no longer has, because they could not be handed over any more; and answers that are as old
/// as these, with their requests.
pub async fn trim(
    database: &impl ConnectionTrait,
    workspace: WorkspaceId,
    tail: Position,
    before: Timestamp,
) -> Result<()> {
    Entity::delete_many()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::RequestId.is_null())
        .filter(Column::Position.lte(tail.0))
        .exec(database)
        .await?;
    let answers: Vec<Uuid> = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::RequestId.is_not_null())
        .filter(Column::CreatedAt.lt(before.0))
        .limit(ANSWERS)
        .select_only()
        .column(Column::RequestId)
        .into_tuple()
        .all(database)
        .await?;
    if answers.is_empty() {
        return Ok(());
    }
    requests::Entity::delete_many().filter(requests::Column::Id.is_in(answers.iter().copied())).exec(database).await?;
    Entity::delete_many().filter(Column::RequestId.is_in(answers)).exec(database).await?;
    Ok(())
}

/// What a plugin left that was done with it.
pub struct Deed {
    pub data: FromPlugins,
    pub effects: Effects,
    pub bot: Option<UserId>,
    pub depth: u8,
}

/// What becomes of what was laid aside.
pub enum Fate {
    /// It was handed over, and this is what the plugin left.
    Done(Box<Deed>),
    /// It was handed over, and the plugin failed again.
    Failed(String),
    /// Nobody wants it any more.
    Discarded,
}

/// Decides about what was laid aside.
pub struct DecideLetter {
    pub by: By,
    pub letter: DeadLetter,
    pub fate: Fate,
}

#[async_trait]
impl Change for DecideLetter {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.letter.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let row = self.row(work).await?;
        let letter = &self.letter;
        let done = match &self.fate {
            Fate::Failed(problem) => {
                let failed = ActiveModel {
                    id: Set(row.id),
                    problem: Set(problem.clone()),
                    attempts: Set(row.attempts + 1),
                    ..Default::default()
                };
                Entity::update(failed).exec(&work.transaction).await?;
                "failed again"
            }
            Fate::Discarded => "discarded",
            Fate::Done(deed) => {
                work.depth = deed.depth;
                held::commit_data(work, &deed.data, self.by.at).await?;
                carry_out(work, letter.workspace, &letter.plugin, deed.bot, &deed.effects, self.by.at).await?;
                "done"
            }
        };
        if !matches!(self.fate, Fate::Failed(_)) {
            Entity::delete_by_id(letter.id.0).exec(&work.transaction).await?;
            if let LaidAside::Answer(request) = letter.what {
                requests::Entity::delete_by_id(request.0).exec(&work.transaction).await?;
            }
        }
        let what = match letter.what {
            LaidAside::Event(position) => ("position", position.0.to_string()),
            LaidAside::Answer(request) => ("request", request.to_string()),
        };
        let details = [("deadLetter", done.to_owned()), what];
        work.audit(self.by.entry(AuditAction::PluginUpdated, &letter.plugin, details));
        Ok(())
    }
}

impl DecideLetter {
    async fn row(&self, work: &Work) -> Result<Model> {
        let found = Entity::find_by_id(self.letter.id.0).one(&work.transaction).await?;
        // Somebody else was quicker, or failed at it meanwhile: what the plugin left now is not to be added to that.
        let same = found.filter(|row| row.attempts == i64::from(self.letter.attempts));
        same.ok_or_else(|| Rejection::NotFound { what: "dead letter", field: "deadLetterId" }.into())
    }
}
