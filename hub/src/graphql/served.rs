//! The API as it is served at the moment: it becomes another one when plugins are installed that add to it, put into other
//! versions, or taken away. What was begun with one ends with it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jackfield_domain::plugins::PluginId;

use super::{
    Schema,
    composed::{self, Addition, Composition, Known},
    documents::Documents,
};
use crate::{
    actions::plugins::{FieldRules, Installed, Plugins},
    config::{ConfigError, GraphQl},
};

pub struct Served {
    settings: GraphQl,
    core: Arc<Known>,
    now: RwLock<Now>,
    /// One makes a new one, and the others wait for it.
    making: Mutex<()>,
}

#[derive(Clone)]
struct Now {
    /// Of what it was made: the same list means the same fields.
    installed: Installed,
    additions: Vec<Addition>,
    documents: Arc<Documents>,
}

impl Served {
    pub fn new(settings: GraphQl) -> Result<Self, ConfigError> {
        let core = Arc::new(super::core());
        let documents = Arc::new(made(&settings, &core, Vec::new())?);
        let now = Now { installed: Installed::default(), additions: Vec::new(), documents };
        Ok(Served { settings, core, now: RwLock::new(now), making: Mutex::default() })
    }

    /// Documents are prepared and executed by what this is at the moment.
    pub fn documents(&self, plugins: &Plugins) -> Arc<Documents> {
        let installed = plugins.installed();
        let now = self.now();
        if Arc::ptr_eq(&now.installed, &installed) {
            return now.documents;
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        if Arc::ptr_eq(&now.installed, &installed) {
            return now.documents;
        }
        let additions: Vec<Addition> = installed
            .iter()
            .filter_map(|loaded| {
                let sdl = loaded.manifest.graphql.as_deref()?;
                Some(Addition { plugin: loaded.installed.plugin.clone(), sdl: sdl.into() })
            })
            .collect();
        let documents = if additions == now.additions {
            now.documents
        } else {
            match made(&self.settings, &self.core, additions.clone()) {
                Ok(documents) => Arc::new(documents),
                Err(error) => {
                    tracing::error!(%error, "what plugins add cannot be served");
                    now.documents
                }
            }
        };
        let next = Now { installed, additions, documents: documents.clone() };
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = next;
        documents
    }

    fn now(&self) -> Now {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What may be installed beside each other.
    pub fn rules(&self) -> Arc<dyn FieldRules> {
        Arc::new(Rules(self.core.clone()))
    }
}

fn made(settings: &GraphQl, core: &Known, additions: Vec<Addition>) -> Result<Documents, ConfigError> {
    let composition = Arc::new(Composition::of(additions, core));
    Documents::new(settings, Schema::new(settings.introspection, &composition))
}

struct Rules(Arc<Known>);

impl FieldRules for Rules {
    fn check(&self, plugin: &PluginId, sdl: &str, others: &[(PluginId, &str)]) -> Result<(), String> {
        let addition = |plugin: &PluginId, sdl: &str| Addition { plugin: plugin.clone(), sdl: sdl.into() };
        let others: Vec<Addition> = others.iter().map(|(plugin, sdl)| addition(plugin, sdl)).collect();
        composed::check(&self.0, &others.iter().collect::<Vec<_>>(), &addition(plugin, sdl)).map(drop)
    }
}
