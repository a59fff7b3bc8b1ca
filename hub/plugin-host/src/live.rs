//! A component that may be run, and one instance of it.

use std::{collections::HashMap, sync::Arc};

use jackfield_domain::plugins::{Hook, PluginId};
use wasmtime::{
    Store,
    component::{Component, Instance, InstancePre, Linker},
};

use crate::{
    engine::Machine,
    manifest::{Manifest, Wish},
    package::group_of,
    run::Run,
    wit::exports::jackfield::plugin as hooks,
};

/// A component that was compiled and linked. Installing makes one on every node; switching on and off does not touch it.
pub struct Module {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) digest: [u8; 32],
    wishes: HashMap<Hook, Wish>,
    pre: InstancePre<Run>,
    indices: Indices,
}

/// Where the exports of each group are.
#[derive(Default)]
struct Indices {
    messages: Option<hooks::message_hooks::GuestIndices>,
    membership: Option<hooks::membership_hooks::GuestIndices>,
    events: Option<hooks::event_hooks::GuestIndices>,
    schedule: Option<hooks::schedule_hooks::GuestIndices>,
    commands: Option<hooks::command_hooks::GuestIndices>,
    graphql: Option<hooks::graphql_hooks::GuestIndices>,
    answers: Option<hooks::answer_hooks::GuestIndices>,
    lifecycle: Option<hooks::lifecycle_hooks::GuestIndices>,
}

impl Module {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        digest: [u8; 32],
        component: &Component,
        linker: &Linker<Run>,
    ) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        let wishes: HashMap<Hook, Wish> =
            Hook::ALL.iter().filter_map(|hook| Some((*hook, manifest.wish(*hook)?))).collect();
        let mut indices = Indices::default();
        for hook in wishes.keys() {
            match group_of(*hook) {
                "message-hooks" => indices.messages = Some(hooks::message_hooks::GuestIndices::new(&pre)?),
                "membership-hooks" => indices.membership = Some(hooks::membership_hooks::GuestIndices::new(&pre)?),
                "event-hooks" => indices.events = Some(hooks::event_hooks::GuestIndices::new(&pre)?),
                "schedule-hooks" => indices.schedule = Some(hooks::schedule_hooks::GuestIndices::new(&pre)?),
                "command-hooks" => indices.commands = Some(hooks::command_hooks::GuestIndices::new(&pre)?),
                "graphql-hooks" => indices.graphql = Some(hooks::graphql_hooks::GuestIndices::new(&pre)?),
                "answer-hooks" => indices.answers = Some(hooks::answer_hooks::GuestIndices::new(&pre)?),
                _ => indices.lifecycle = Some(hooks::lifecycle_hooks::GuestIndices::new(&pre)?),
            }
        }
        Ok(Module { manifest, digest, wishes, pre, indices })
    }

    pub fn id(&self) -> &PluginId {
        &self.manifest.id
    }

    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// How it wants to be called for a hook, if at all.
    pub fn wish(&self, hook: Hook) -> Option<&Wish> {
        self.wishes.get(&hook)
    }
}

/// One instance, used by one call at a time and for one workspace ever.
pub struct Live {
    pub(crate) store: Store<Run>,
    pub(crate) module: Arc<Module>,
    instance: Option<Instance>,
    groups: Groups,
    pub(crate) calls: u32,
}

/// The exports that were asked for so far.
#[derive(Default)]
struct Groups {
    messages: Option<hooks::message_hooks::Guest>,
    membership: Option<hooks::membership_hooks::Guest>,
    events: Option<hooks::event_hooks::Guest>,
    schedule: Option<hooks::schedule_hooks::Guest>,
    commands: Option<hooks::command_hooks::Guest>,
    graphql: Option<hooks::graphql_hooks::Guest>,
    answers: Option<hooks::answer_hooks::Guest>,
    lifecycle: Option<hooks::lifecycle_hooks::Guest>,
}

macro_rules! groups {
    ($($group:ident: $interface:ident,)*) => {
        $(
            /// The exports of the group, and the store that they run in.
            pub(crate) async fn $group(
                &mut self,
            ) -> wasmtime::Result<(&hooks::$interface::Guest, &mut Store<Run>)> {
                if self.groups.$group.is_none() {
                    let instance = self.instance().await?;
                    let indices = self.module.indices.$group.as_ref();
                    let indices = indices.ok_or_else(|| wasmtime::format_err!("the plugin does not have this hook"))?;
                    self.groups.$group = Some(indices.load(&mut self.store, &instance)?);
                }
                let group = self.groups.$group.as_ref().expect("it was just loaded");
                Ok((group, &mut self.store))
            }
        )*
    };
}

impl Live {
    /// Nothing of the plugin runs yet.
    pub(crate) fn new(machine: &Machine, module: Arc<Module>, run: Run) -> Self {
        let mut store = Store::new(&machine.engine, run);
        store.limiter(|run| &mut run.memory);
        store.epoch_deadline_callback(|mut context| context.data_mut().tick());
        Live { store, module, instance: None, groups: Groups::default(), calls: 0 }
    }

    /// What begins with every call.
    pub(crate) fn begin(&mut self) {
        self.calls += 1;
        self.store.set_epoch_deadline(1);
        let most = self.store.data().limits.output_bytes as usize;
        self.store.set_hostcall_fuel(most);
    }

    async fn instance(&mut self) -> wasmtime::Result<Instance> {
        if let Some(instance) = self.instance {
            return Ok(instance);
        }
        let instance = self.module.pre.instantiate_async(&mut self.store).await?;
        Ok(*self.instance.insert(instance))
    }

    groups! {
        messages: message_hooks,
        membership: membership_hooks,
        events: event_hooks,
        schedule: schedule_hooks,
        commands: command_hooks,
        graphql: graphql_hooks,
        answers: answer_hooks,
        lifecycle: lifecycle_hooks,
    }
}
