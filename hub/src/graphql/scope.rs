//! What a resolver stands in: the core, the reader in whose name it reads, and the loaders of this moment.

use std::{
    net::IpAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_graphql::ContextBase;
use jackfield_domain::{ConversationId, messages::Message};

use super::{documents::Refusal, loaders::Loaders};
use crate::{
    Error, Result,
    actions::{Core, Reader, Viewer},
};

/// For a request there is one moment; a subscription has one for each run of events that is delivered together.
#[derive(Clone)]
pub struct Scope {
    pub core: Arc<Core>,
    /// From where the request came.
    address: Option<IpAddr>,
    moment: Arc<RwLock<Arc<Moment>>>,
    words: Arc<Words>,
}

/// How many bytes of words stand in the answer that is being made. Cost does not tell: a field is a field, however long.
struct Words {
    written: AtomicUsize,
    limit: usize,
}

pub struct Moment {
    pub reader: Reader,
    pub loaders: Loaders,
    /// Somebody asked who the viewer is where one answer is made for many of them.
    viewer_asked: AtomicBool,
    /// Something was shown that is not there for all of those whom one answer is made for.
    differs: AtomicBool,
}

impl Scope {
    pub fn new(core: Arc<Core>, reader: Reader, max_answer_bytes: usize) -> Self {
        let moment = Moment::new(&core, reader);
        let words = Words { written: AtomicUsize::new(0), limit: max_answer_bytes };
        Scope { core, address: None, moment: Arc::new(RwLock::new(moment)), words: Arc::new(words) }
    }

    pub fn from(self, address: Option<IpAddr>) -> Self {
        Scope { address, ..self }
    }

    pub fn moment(&self) -> Arc<Moment> {
        self.moment.read().expect("nothing panics while it holds this lock").clone()
    }

    /// What there is to say if the answer has become too long. It is then not an answer any more.
    pub fn too_long(&self) -> Option<Refusal> {
        let (asked, limit) = (self.words.written.load(Ordering::Relaxed), self.words.limit);
        (asked > limit).then_some(Refusal::TooMuch { what: "the bytes of the answer would be more than", asked, limit })
    }

    /// For the rest of this answer the viewer is shown this conversation without taking part in it.
    pub fn look_into(&self, viewer: Viewer, conversation: ConversationId) {
        let moment = Moment::new(&self.core, Reader::Overriding { viewer, conversation });
        *self.moment.write().expect("nothing panics while it holds this lock") = moment;
    }

    /// From here on this is the moment, and another answer.
    pub fn begin(&self, moment: Arc<Moment>) {
        self.words.written.store(0, Ordering::Relaxed);
        *self.moment.write().expect("nothing panics while it holds this lock") = moment;
    }
}

impl Moment {
    pub fn new(core: &Arc<Core>, reader: Reader) -> Arc<Self> {
        let loaders = Loaders::new(core.clone(), reader.clone());
        Arc::new(Moment { reader, loaders, viewer_asked: AtomicBool::new(false), differs: AtomicBool::new(false) })
    }

    pub fn viewer(&self) -> Result<&Viewer> {
        if let Reader::Audience { .. } = self.reader {
            self.viewer_asked.store(true, Ordering::Relaxed);
        }
        self.reader.viewer()
    }

    /// Takes notice of a message that was loaded: one that somebody has deleted for themselves, or that was sent before
    /// somebody came who sees only what follows, is not there for all.
    pub fn take_notice(&self, message: &Message) {
        if let Reader::Audience { from_sequence, .. } = self.reader
            && (message.hidden || message.sequence <= from_sequence)
        {
            self.differs.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the answer that was just made is not the same for everybody it was made for.
    pub fn take_differs(&self) -> bool {
        self.differs.swap(false, Ordering::Relaxed)
    }

    pub fn viewer_asked(&self) -> bool {
        self.viewer_asked.load(Ordering::Relaxed)
    }
}

/// The way from a field to what it stands in.
pub trait Scoped {
    fn core(&self) -> &Arc<Core>;
    fn moment(&self) -> Arc<Moment>;
    fn address(&self) -> Option<IpAddr>;
    fn viewer(&self) -> Result<Viewer>;

    /// Whether these words still fit into the answer. Where they don't, what is returned instead is thrown away.
    fn has_room_for(&self, words: &str) -> bool;
}

impl<T> Scoped for ContextBase<'_, T> {
    fn core(&self) -> &Arc<Core> {
        &self.data_unchecked::<Scope>().core
    }

    fn moment(&self) -> Arc<Moment> {
        self.data_unchecked::<Scope>().moment()
    }

    fn address(&self) -> Option<IpAddr> {
        self.data_unchecked::<Scope>().address
    }

    fn viewer(&self) -> Result<Viewer> {
        self.moment().viewer().cloned()
    }

    fn has_room_for(&self, text: &str) -> bool {
        let words = &self.data_unchecked::<Scope>().words;
        // A control character takes six in JSON.
        let bytes: usize = text.bytes().map(|byte| if byte < b' ' { 6 } else { 1 }).sum();
        words.written.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= words.limit
    }
}

/// For a field that must exist because what it belongs to does.
pub fn present<T>(found: Option<T>, what: &'static str) -> Result<T> {
    found.ok_or_else(|| Error::internal(format!("a {what} that must be there is not")))
}
