//! One question, asked of all plugins that want to be asked it, one after the other.
//!
//! Where none does, nothing is done at all: no list is walked and nothing is allocated.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use jackfield_domain::{
    messages::MessageKind,
    plugins::{Admission, Blow, Breaker, FailureKind, FailurePolicy, Issued, LogLine, Order, PluginId, Refusal},
};

use crate::{
    hooks::{Before, Verdict},
    host::{Failure, Measures, Occasion, Outcome, Plugin, PluginHost},
};

/// Those who want to be asked one question in one workspace, in their order.
#[derive(Clone, Default)]
pub struct Chain(Vec<Link>);

/// One of them.
#[derive(Clone)]
pub struct Link {
    pub order: Order,
    pub plugin: PluginId,
    /// None where the plugin is on, but cannot be asked now: it is being upgraded, or did not load.
    pub ready: Option<Arc<Plugin>>,
    pub policy: FailurePolicy,
    /// Only about messages of these kinds.
    pub message_kinds: Option<Vec<MessageKind>>,
    /// Shared by all hooks of the plugin in the workspace.
    pub breaker: Arc<Mutex<Breaker>>,
}

/// What the plugins together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be, as they left it.
    Allow,
    Reject {
        by: PluginId,
        refusal: Refusal,
    },
    /// For a moderator, and why.
    Hold {
        by: PluginId,
        reason: String,
    },
    /// A plugin that must not be passed over could not be asked.
    Unavailable {
        by: PluginId,
    },
}

/// All that came of asking.
pub struct Asked<Q> {
    pub decision: Decision,
    /// The question as the plugins left it.
    pub question: Q,
    /// One for each plugin that was asked or passed over, in their order. What each issued is to be committed with the
    /// outcome, whatever it is.
    pub steps: Vec<Step>,
}

/// What one plugin did.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub plugin: PluginId,
    pub deed: Deed,
    pub issued: Issued,
    pub logs: Vec<LogLine>,
    pub measures: Measures,
    /// When it was its turn, and how long that took with all that the host does around it.
    pub began_at: SystemTime,
    pub took: Duration,
}

/// How it went with one plugin.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    Allowed,
    Patched,
    Rejected,
    Held,
    Failed {
        failure: Failure,
        blow: Blow,
    },
    /// It was not asked: its breaker is open, or it is not ready.
    PassedOver,
}

impl Chain {
    pub fn new(mut links: Vec<Link>) -> Self {
        links.sort_by(|left, right| left.order.cmp(&right.order));
        Chain(links)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn links(&self) -> &[Link] {
        &self.0
    }

    /// The same with these as if they were not ready: what is done then is for their failure policies to say.
    pub fn passing_over(&self, plugins: &[PluginId]) -> Cow<'_, Self> {
        if plugins.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut chain = self.clone();
        chain.0.iter_mut().filter(|link| plugins.contains(&link.plugin)).for_each(|link| link.ready = None);
        Cow::Owned(chain)
    }

    /// Asks them all. The first that says no ends it.
    pub async fn ask<Q: Before>(&self, host: &PluginHost, occasion: &Occasion, mut question: Q) -> Asked<Q> {
        let mut steps = Vec::new();
        if self.0.is_empty() {
            return Asked { decision: Decision::Allow, question, steps };
        }
        let started = Instant::now();
        for link in &self.0 {
            if link.message_kinds.as_ref().is_some_and(|kinds| !question.concerns(kinds)) {
                continue;
            }
            let (began_at, elapsed) = (SystemTime::now(), started.elapsed());
            let left = host.chain_wall.saturating_sub(elapsed);
            let (step, verdict) = link.ask(host, occasion, &mut question, left).await;
            steps.push(Step { began_at, took: started.elapsed().saturating_sub(elapsed), ..step });
            if let Some(decision) = verdict {
                return Asked { decision, question, steps };
            }
        }
        Asked { decision: Decision::Allow, question, steps }
    }
}

impl Link {
    /// What it did, and what it ends the chain with, if it does.
    async fn ask<Q: Before>(
        &self,
        host: &PluginHost,
        occasion: &Occasion,
        question: &mut Q,
        left: Duration,
    ) -> (Step, Option<Decision>) {
        let Some(plugin) = &self.ready else { return (self.passed_over(), self.fall_back()) };
        if self.breaker().admit(occasion.now) == Admission::No {
            return (self.passed_over(), self.fall_back());
        }
        let outcome = match left {
            Duration::ZERO => {
                Outcome::failed(FailureKind::Hub, "the plugins before it took all the time there is for all")
            }
            left => host.ask_within(plugin, occasion, &*question, left).await,
        };
        let Outcome { answer, issued, logs, measures } = outcome;
        let step = |deed, issued| Step { issued, logs, measures, ..self.step(deed) };
        let answer = match answer {
            Ok(Verdict::Patch(patch)) => match question.patch(patch) {
                Ok(()) => Ok(Verdict::Patch(())),
                Err(what) => Err(Failure { kind: FailureKind::Answer, what }),
            },
            Ok(Verdict::Allow) => Ok(Verdict::Allow),
            Ok(Verdict::Reject(refusal)) => Ok(Verdict::Reject(refusal)),
            Ok(Verdict::Hold(reason)) => Ok(Verdict::Hold(reason)),
            // What others left of the time is not this plugin's fault.
            Err(failure)
                if failure.kind == FailureKind::WallTime
                    && left < Duration::from_millis(plugin.limits.before_wall_ms) =>
            {
                Err(Failure { kind: FailureKind::Hub, ..failure })
            }
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(verdict) => {
                self.breaker().succeeded();
                match verdict {
                    Verdict::Allow => (step(Deed::Allowed, issued), None),
                    Verdict::Patch(()) => (step(Deed::Patched, issued), None),
                    Verdict::Reject(refusal) => {
                        let by = self.plugin.clone();
                        (step(Deed::Rejected, issued), Some(Decision::Reject { by, refusal }))
                    }
                    Verdict::Hold(reason) => {
                        let by = self.plugin.clone();
                        (step(Deed::Held, issued), Some(Decision::Hold { by, reason }))
                    }
                }
            }
            Err(failure) => {
                let blow = note_failure(&mut self.breaker(), &failure, occasion.now);
                (step(Deed::Failed { failure, blow }, Issued::default()), self.fall_back())
            }
        }
    }

    /// What the failure policy says.
    fn fall_back(&self) -> Option<Decision> {
        let by = self.plugin.clone();
        match self.policy {
            FailurePolicy::Open => None,
            FailurePolicy::Closed => Some(Decision::Unavailable { by }),
            FailurePolicy::Hold => {
                Some(Decision::Hold { by, reason: "the plugin that was to look at it could not be asked".to_owned() })
            }
        }
    }

    fn passed_over(&self) -> Step {
        self.step(Deed::PassedOver)
    }

    /// Whoever walks the chain knows when.
    fn step(&self, deed: Deed) -> Step {
        Step {
            plugin: self.plugin.clone(),
            deed,
            issued: Issued::default(),
            logs: Vec::new(),
            measures: Measures::default(),
            began_at: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a breaker how a call failed. Whoever asks outside of a chain does this, too.
pub fn note_failure(breaker: &mut Breaker, failure: &Failure, now: jackfield_domain::Timestamp) -> Blow {
    if failure.kind.is_the_plugins() {
        return breaker.failed(now);
    }
    breaker.learned_nothing(now);
    Blow::Counted
}
