//! Following the log from where one left off.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jackfield_domain::{
    ConversationId, Event, Position, UserId, WorkspaceId, WorkspaceRole,
    events::{Audience, LogBounds},
};

use super::{Core, Viewer};
use crate::{Result, store::TrimLog};

/// How much of the log one look at it may walk, so that no statement takes long.
const WINDOW: i64 = 2_000;
/// How many events are taken away in one transaction.
const TRIM: i64 = 1_000;

/// What the log reaches back to, and how far it has come.
pub async fn bounds(core: &Core, viewer: &Viewer) -> Result<LogBounds> {
    core.store.log_bounds(viewer.workspace()).await
}

/// Is there still everything after this position? A position from the future, too, is one that the log cannot serve.
pub fn reaches(bounds: LogBounds, after: Position) -> bool {
    bounds.tail <= after && after <= bounds.head
}

/// The next stretch of what the viewer missed: the events, and how far the log was walked for them; none if the log does
/// not reach back so far any more.
pub async fn missed(
    core: &Core,
    viewer: &Viewer,
    after: Position,
    until: Position,
) -> Result<Option<(Vec<Event>, Position)>> {
    let walked = Position(until.0.min(after.0 + WINDOW));
    let mut events = core.store.events_for(viewer.workspace(), viewer.id(), after, walked).await?;
    let among: BTreeSet<ConversationId> = events.iter().filter_map(of_conversation).collect();
    let among: Vec<ConversationId> = among.into_iter().collect();
    let admissions: HashMap<_, _> = core.store.admissions_to(viewer.id(), &among).await?.into_iter().collect();
    let role = role_now(core, viewer, &events).await?;
    events.retain(|event| match event.fact.audience() {
        Audience::Workspace | Audience::User(_) => true,
        Audience::Conversation(conversation) => {
            admissions.get(&conversation).is_some_and(|admission| admission.covers(event))
        }
        Audience::Named => event.fact.named().contains(&viewer.id()),
        audience @ (Audience::Moderators | Audience::Admins) => {
            role.and_then(|role| audience.includes(role)).unwrap_or_default()
        }
    });
    // Looked at afterwards: what was trimmed before the events were read is seen now.
    let reaches = core.store.log_bounds(viewer.workspace()).await?.tail <= after;
    Ok(reaches.then_some((events, walked)))
}

/// What the viewer is in the workspace by now, where one of the events is for who is something in it. What they were when
/// they came in may be over.
async fn role_now(core: &Core, viewer: &Viewer, events: &[Event]) -> Result<Option<WorkspaceRole>> {
    let asks = |event: &Event| matches!(event.fact.audience(), Audience::Moderators | Audience::Admins);
    if !events.iter().any(asks) {
        return Ok(None);
    }
    Ok(core.store.users(&[viewer.id()]).await?.pop().map(|user| user.role))
}

/// What these people are in their workspaces by now.
pub async fn roles(core: &Core, users: &[UserId]) -> Result<HashMap<UserId, WorkspaceRole>> {
    let mut roles = HashMap::new();
    for part in users.chunks(500) {
        roles.extend(core.store.users(part).await?.into_iter().map(|user| (user.id, user.role)));
    }
    Ok(roles)
}

/// What the news of a plugin say that is told at a position, for who is known to be meant; none where it is gone.
pub async fn notice(core: &Core, workspace: WorkspaceId, position: Position) -> Result<Option<serde_json::Value>> {
    let payload = core.store.notice(workspace, position).await?;
    payload.map(|payload| serde_json::from_str(&payload)).transpose().map_err(crate::Error::internal)
}

/// The conversation whose members an event is for.
fn of_conversation(event: &Event) -> Option<ConversationId> {
    match event.fact.audience() {
        Audience::Conversation(conversation) => Some(conversation),
        Audience::Workspace | Audience::User(_) | Audience::Named | Audience::Moderators | Audience::Admins => None,
    }
}

/// Takes away what is older than each workspace's policy keeps, a bounded piece at a time; answers how many events went.
pub async fn trim(core: &Arc<Core>) -> Result<u64> {
    let mut trimmed = 0;
    let mut after = None;
    loop {
        let workspaces = core.store.workspaces(after).await?;
        let Some(last) = workspaces.last() else { return Ok(trimmed) };
        after = Some(last.id);
        for workspace in workspaces {
            let before = core.clock.now().before(core.policy.with(&workspace.policy).event_retention());
            trimmed += trim_one(core, workspace.id, before).await?;
        }
    }
}

async fn trim_one(core: &Core, workspace: WorkspaceId, before: jackfield_domain::Timestamp) -> Result<u64> {
    let mut trimmed = 0;
    loop {
        match core.store.change(TrimLog { workspace, before, limit: TRIM }).await? {
            0 => return Ok(trimmed),
            count => trimmed += count,
        }
    }
}
