//! What a resolver stands in: the core, the reader in whose name it reads, and the loaders of this moment.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, Ordering},
};

use async_graphql::Context;

use super::loaders::Loaders;
use crate::{
    Error, Result,
    actions::{Core, Reader, Viewer},
};

/// For a request there is one moment; a subscription has one for each run of events that is delivered together.
#[derive(Clone)]
pub struct Scope {
    pub core: Arc<Core>,
    moment: Arc<RwLock<Arc<Moment>>>,
}

pub struct Moment {
    pub reader: Reader,
    pub loaders: Loaders,
    /// Somebody asked who the viewer is where one answer is made for many of them.
    viewer_asked: AtomicBool,
}

impl Scope {
    pub fn new(core: Arc<Core>, reader: Reader) -> Self {
        let moment = Moment::new(&core, reader);
        Scope { core, moment: Arc::new(RwLock::new(moment)) }
    }

    pub fn moment(&self) -> Arc<Moment> {
        self.moment.read().expect("nothing panics while it holds this lock").clone()
    }

    /// From here on this is the moment.
    pub fn begin(&self, moment: Arc<Moment>) {
        *self.moment.write().expect("nothing panics while it holds this lock") = moment;
    }
}

impl Moment {
    pub fn new(core: &Arc<Core>, reader: Reader) -> Arc<Self> {
        let loaders = Loaders::new(core.clone(), reader.clone());
        Arc::new(Moment { reader, loaders, viewer_asked: AtomicBool::new(false) })
    }

    pub fn viewer(&self) -> Result<&Viewer> {
        if let Reader::Audience { .. } = self.reader {
            self.viewer_asked.store(true, Ordering::Relaxed);
        }
        self.reader.viewer()
    }

    pub fn viewer_asked(&self) -> bool {
        self.viewer_asked.load(Ordering::Relaxed)
    }
}

/// The way from a field to what it stands in.
pub trait Scoped {
    fn core(&self) -> &Arc<Core>;
    fn moment(&self) -> Arc<Moment>;
    fn viewer(&self) -> Result<Viewer>;
}

impl Scoped for Context<'_> {
    fn core(&self) -> &Arc<Core> {
        &self.data_unchecked::<Scope>().core
    }

    fn moment(&self) -> Arc<Moment> {
        self.data_unchecked::<Scope>().moment()
    }

    fn viewer(&self) -> Result<Viewer> {
        self.moment().viewer().cloned()
    }
}

/// For a field that must exist because what it belongs to does.
pub fn present<T>(found: Option<T>, what: &'static str) -> Result<T> {
    found.ok_or_else(|| Error::internal(format!("a {what} that must be there is not")))
}
