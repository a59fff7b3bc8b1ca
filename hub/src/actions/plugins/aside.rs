//! Asking a plugin what nobody stands in line behind: commands and schedules. Whether it may be asked is for its breaker to
//! say, and each failure is counted and told to the admins.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_domain::{
    WorkspaceId,
    plugins::{Admission, Blow, Issued, LogLevel, LogLine, PluginId},
};
use jackfield_plugin_host::{Failure, Occasion, hooks::Ask, note_failure};

use super::{super::Core, Here, here::Local};
use crate::{Result, store::counted};

/// So long somebody waits for a plugin that is preparing itself, and so often they look whether it has.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// The plugins of a workspace, once one of them has prepared itself, or as soon as it cannot or takes too long: who asks for it first
/// need not know that it has just come.
pub async fn once_prepared(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId) -> Result<Arc<Here>> {
    let until = Instant::now() + PATIENCE;
    loop {
        let here = super::here(core, workspace).await?;
        let prepares = here.find(plugin).is_some_and(|local| local.prepares());
        if !prepares || Instant::now() >= until {
            return Ok(here);
        }
        tokio::time::sleep(LOOK).await;
        super::refresh(core).await?;
    }
}

/// What came of asking.
pub enum Asked<T> {
    Answered {
        answer: T,
        /// To be committed with whatever follows from the answer.
        issued: Issued,
    },
    Failed(Failure),
    /// It failed too often, and is left alone for a while.
    Resting,
    /// It is on, but cannot run: why, in words for admins.
    Unable(String),
}

/// Asks a plugin, on threads that stand back behind all others.
pub async fn ask<A: Ask + 'static>(core: &Arc<Core>, local: &Local, occasion: Occasion, question: A) -> Asked<A::Answer>
where
    A::Answer: 'static,
{
    let plugin = match (&local.ready, &local.loaded.module) {
        (Some(plugin), _) => plugin,
        (None, Err(problem)) => return Asked::Unable(problem.what.clone()),
        (None, Ok(_)) => return Asked::Unable("it is not ready".to_owned()),
    };
    if local.vitals.breaker().admit(occasion.now) == Admission::No {
        return Asked::Resting;
    }
    let (workspace, now) = (occasion.workspace, occasion.now);
    let (host, plugin) = (core.plugins.host.clone(), plugin.clone());
    let call = counted(async move { host.ask(&plugin, &occasion, &question).await });
    let mut outcome = core.plugins.host.aside(call).await;
    local.vitals.note(&outcome);
    let failed = match &outcome.answer {
        Ok(_) => {
            local.vitals.breaker().succeeded();
            "none"
        }
        Err(failure) => {
            let (kind, what) = (failure.kind.as_str(), failure.what.clone());
            tracing::warn!(plugin = %local.id(), kind, what, "a plugin failed");
            let text = format!("{} failed: {what}", A::HOOK.as_str());
            outcome.logs.push(LogLine { at: now, level: LogLevel::Error, text });
            kind
        }
    };
    metrics::counter!("jackfield_plugin_calls_total", "plugin" => local.id().to_string(), "failure" => failed)
        .increment(1);
    core.plugins.journal.note(core, workspace, local.id(), &outcome.logs);
    match outcome.answer {
        Ok(answer) => Asked::Answered { answer, issued: outcome.issued },
        Err(failure) => {
            let blow = note_failure(&mut local.vitals.breaker(), &failure, now);
            if blow == Blow::SwitchOff {
                super::admin::switch_off(core, workspace, local.id(), &failure.what).await;
            }
            Asked::Failed(failure)
        }
    }
}
