//! What a plugin writes for admins, while it comes: each reader looks at the store once in a while, and takes no more than it
//! can read.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use jackfield_domain::plugins::PluginId;
use uuid::Uuid;

use super::{Item, Payload, Subscription};
use crate::{Error, actions::plugins::admin, clock::Clock};

/// How soon a line is seen.
const LOOK: Duration = Duration::from_millis(250);
/// What another node writes may come that much later than what this one has seen.
const LATE: Duration = Duration::from_secs(5);
/// So many lines are read at once.
const AT_ONCE: usize = 16;

impl Subscription {
    /// The newest lines, and then those that come.
    pub(super) async fn follow_logs(mut self, plugin: PluginId) -> Result<BoxStream<'static, Payload>, Error> {
        let core = self.live.core.clone();
        // Who may not is told so at once.
        let mut there = admin::log_since(&core, &self.viewer, &plugin, None).await?;
        admin::known(&core, &plugin).await?;
        Ok(asynk_strim::stream_fn(move |mut yielder| async move {
            let mut seen = BTreeSet::new();
            loop {
                let fresh: Vec<Uuid> = there.into_iter().filter(|id| seen.insert(*id)).collect();
                for some in fresh.chunks(AT_ONCE) {
                    match admin::lines(&core, &self.viewer, &plugin, some).await {
                        Ok(lines) => {
                            for line in lines {
                                yielder.yield_item(self.render(Item::PluginLine(Arc::new(line))).await).await;
                            }
                        }
                        Err(error) => return yielder.yield_item(self.fault(&error)).await,
                    }
                }
                let since = seen.last().map(|newest| Clock::earlier_id(*newest, LATE));
                if let Some(since) = since {
                    seen = seen.split_off(&since);
                }
                tokio::time::sleep(LOOK).await;
                there = match admin::log_since(&core, &self.viewer, &plugin, since).await {
                    Ok(ids) => ids,
                    Err(Error::Unavailable(_)) => Vec::new(),
                    Err(error) => return yielder.yield_item(self.fault(&error)).await,
                };
            }
        })
        .boxed())
    }
}
