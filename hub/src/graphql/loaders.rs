//! Loaders: what many fields of one answer ask for, fetched with one statement.
//!
//! async-graphql has a loader too, but it waits on a timer before it fetches, which is longer than the fetching takes.
//! This one lets the fields beside it speak once, by yielding, and then fetches. One answer has one set of loaders:
//! a shared cache would show one viewer what another may see.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use jackfield_domain::{
    ConversationId, MessageId, Rejection, UserId,
    conversations::{Conversation, Member},
    messages::{Details, Message},
    receipts::Reach,
    users::User,
};
use tokio::sync::oneshot;

use crate::{
    Error, Result, actions,
    actions::{
        Core, Reader,
        plugins::fields::{Asked, Thing},
        receipts::Place,
    },
};

pub struct Loaders {
    pub users: Loader<UserId, User>,
    pub conversations: Loader<ConversationId, Conversation>,
    pub messages: Loader<MessageId, Message>,
    /// What stands beside the body of a message.
    pub details: Loader<MessageId, Details>,
    /// How far a message has come.
    pub reach: Loader<Place, Reach>,
    /// Whom a message mentions.
    pub mentioned: Loader<MessageId, Vec<UserId>>,
    /// How many messages of a conversation mention the viewer and are new to them.
    pub unread_mentions: Loader<ConversationId, i64>,
    /// How many messages of a conversation are new to the viewer.
    pub unread: Loader<ConversationId, i64>,
    /// The last message of a conversation that the viewer sees.
    pub last_messages: Loader<ConversationId, Message>,
    /// Those whom the viewer blocks.
    pub blocked: Loader<UserId, ()>,
    /// The viewer's own part in a conversation.
    pub parts: Loader<ConversationId, Member>,
    /// What plugins answer.
    pub added: Loader<FieldKey, Result<serde_json::Value, Rejection>>,
}

/// A field that a plugin adds, of one thing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FieldKey {
    pub asked: Asked,
    pub thing: Thing,
}

impl Loaders {
    pub fn new(core: Arc<Core>, reader: Reader) -> Self {
        let source = Arc::new((core, reader));
        Loaders {
            users: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move {
                    let users = actions::users::visible(&source.0, &source.1, &ids).await?;
                    Ok(users.into_iter().map(|user| (user.id, user)).collect())
                })
            }),
            conversations: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move {
                    let found = actions::conversations::visible(&source.0, &source.1, &ids).await?;
                    Ok(found.into_iter().map(|conversation| (conversation.id, conversation)).collect())
                })
            }),
            messages: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move {
                    let found = actions::messages::visible(&source.0, &source.1, &ids).await?;
                    Ok(found.into_iter().map(|message| (message.id, message)).collect())
                })
            }),
            details: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move { Ok(actions::messages::details(&source.0, &ids).await?.into_iter().collect()) })
            }),
            reach: Loader::new(source.clone(), |source, places| {
                Box::pin(async move { actions::receipts::reached(&source.0, &places).await })
            }),
            mentioned: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move { actions::messages::mentioned(&source.0, &ids).await })
            }),
            unread_mentions: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move { actions::messages::unread_mentions(&source.0, source.1.viewer()?, &ids).await })
            }),
            unread: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move {
                    let found = actions::receipts::unread(&source.0, source.1.viewer()?, &ids).await?;
                    Ok(found.into_iter().map(|unread| (unread.conversation, unread.count)).collect())
                })
            }),
            last_messages: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move {
                    let found = actions::receipts::last_messages(&source.0, &source.1, &ids).await?;
                    Ok(found.into_iter().map(|message| (message.conversation, message)).collect())
                })
            }),
            blocked: Loader::new(source.clone(), |source, ids| {
                Box::pin(async move {
                    let found = actions::blocks::among(&source.0, source.1.viewer()?, &ids).await?;
                    Ok(found.into_iter().map(|user| (user, ())).collect())
                })
            }),
            added: Loader::new(source.clone(), |source, keys| {
                Box::pin(async move {
                    let mut together: HashMap<Asked, Vec<Thing>> = HashMap::new();
                    for FieldKey { asked, thing } in keys {
                        together.entry(asked).or_default().push(thing);
                    }
                    let (core, viewer) = (&source.0, source.1.viewer()?);
                    let found = together.into_iter().map(|(asked, things)| async move {
                        let values = actions::plugins::fields::resolve(core, viewer, &asked, &things).await?;
                        let key = move |thing| FieldKey { asked: asked.clone(), thing };
                        Ok::<_, Error>(things.into_iter().map(key).zip(values).collect::<Vec<_>>())
                    });
                    let found = futures_util::future::try_join_all(found).await?;
                    Ok(found.into_iter().flatten().collect())
                })
            }),
            parts: Loader::new(source, |source, ids| {
                Box::pin(async move {
                    let viewer = source.1.viewer()?;
                    let members = actions::conversations::memberships(&source.0, viewer, &ids).await?;
                    Ok(members.into_iter().map(|member| (member.conversation, member)).collect())
                })
            }),
        }
    }
}

type Source = Arc<(Arc<Core>, Reader)>;
type Fetch<K, V> = fn(Source, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>>>;

pub struct Loader<K, V> {
    source: Source,
    fetch: Fetch<K, V>,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    known: HashMap<K, Option<V>>,
    waiting: HashMap<K, Vec<oneshot::Sender<Result<Option<V>>>>>,
}

impl<K: Eq + Hash + Clone, V: Clone> Loader<K, V> {
    fn new(source: Source, fetch: Fetch<K, V>) -> Self {
        Loader { source, fetch, state: Mutex::new(State { known: HashMap::new(), waiting: HashMap::new() }) }
    }

    /// What is at hand already, because the answer to something else brought it.
    pub fn seed(&self, key: K, value: V) {
        self.lock().known.insert(key, Some(value));
    }

    /// What is at hand already.
    pub fn known(&self, key: K) -> Option<V> {
        self.lock().known.get(&key).cloned().flatten()
    }

    /// Fetches what will be asked for, with one statement for all of it.
    pub async fn prefetch(&self, keys: impl IntoIterator<Item = K>) -> Result<()> {
        futures_util::future::try_join_all(keys.into_iter().map(|key| self.load(key))).await.map(drop)
    }

    /// The value, or none where there is none for this reader.
    pub async fn load(&self, key: K) -> Result<Option<V>> {
        let (outcome, leads) = {
            let mut state = self.lock();
            if let Some(known) = state.known.get(&key) {
                return Ok(known.clone());
            }
            let leads = state.waiting.is_empty();
            let (reply, outcome) = oneshot::channel();
            state.waiting.entry(key).or_default().push(reply);
            (outcome, leads)
        };
        if leads {
            tokio::task::yield_now().await;
            self.fetch_waiting().await;
        }
        outcome.await.map_err(Error::internal)?
    }

    async fn fetch_waiting(&self) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        let fetched = (self.fetch)(self.source.clone(), waiting.keys().cloned().collect()).await;
        let mut state = self.lock();
        for (key, replies) in waiting {
            let value = fetched.as_ref().map(|found| found.get(&key).cloned()).map_err(Error::clone);
            if let Ok(value) = &value {
                state.known.insert(key, value.clone());
            }
            for reply in replies {
                // Whoever asked may have been cancelled with the rest of the answer.
                let _ = reply.send(value.clone());
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<K, V>> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}
