//! What a plugin failed at again and again, for those who run the workspace: seen, handed over once more, or dropped.

use std::sync::Arc;

use jackfield_domain::{
    DeadLetterId, Rejection,
    pages::{Page, Slice},
    plugins::{DeadLetter, LaidAside, PluginId},
};
use uuid::Uuid;

use super::{super::Core, admin::runs, requests, runner};
use crate::{
    Error, Result,
    actions::Viewer,
    store::{DecideLetter, Fate},
};

const NONE: Rejection = Rejection::NotFound { what: "dead letter", field: "deadLetterId" };

/// A page of them.
pub async fn list(core: &Core, viewer: &Viewer, plugin: &PluginId, page: &Page<Uuid>) -> Result<Slice<DeadLetter>> {
    runs(viewer)?;
    core.store.dead_letters(viewer.workspace(), plugin, page).await
}

/// Hands it over once more. If the plugin is done with it now, the letter is gone; if not, it stays, and says why.
pub async fn retry(core: &Arc<Core>, viewer: &Viewer, id: DeadLetterId) -> Result<PluginId> {
    runs(viewer)?;
    let letter = core.store.dead_letter(viewer.workspace(), id).await?.ok_or(NONE)?;
    let plugin = letter.plugin.clone();
    let fate = match letter.what {
        LaidAside::Event(position) => runner::tell_again(core, &letter, position).await?,
        LaidAside::Answer(request) => requests::tell_again(core, &letter, request).await?,
    };
    let failed = if let Fate::Failed(why) = &fate { Some(why.clone()) } else { None };
    core.store.change(DecideLetter { by: viewer.by(core), letter, fate }).await?;
    match failed {
        Some(why) => Err(Error::Rejected(Rejection::PluginFailed { plugin, why })),
        None => Ok(plugin),
    }
}

/// Drops it: the plugin will never be told.
pub async fn discard(core: &Core, viewer: &Viewer, id: DeadLetterId) -> Result<PluginId> {
    runs(viewer)?;
    let letter = core.store.dead_letter(viewer.workspace(), id).await?.ok_or(NONE)?;
    let plugin = letter.plugin.clone();
    core.store.change(DecideLetter { by: viewer.by(core), letter, fate: Fate::Discarded }).await?;
    Ok(plugin)
}
