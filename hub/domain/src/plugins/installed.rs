//! What a hub and its workspaces have made of a plugin: which package of it is in force, where it is on, and what it may.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Capability, FailurePolicy, Hook, LimitChanges, Origin, PluginId, Refusal};
use crate::{
    ConversationId, DeadLetterId, HeldMessageId, MessageId, Position, Rejection, RequestId, Timestamp, UserId,
    VerdictId, WorkspaceId, roles::words,
};

/// A version of a plugin, as it was uploaded. It never changes; its bytes lie beside the database, under the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// SHA-256 of all of it, as hexadecimal digits.
    pub hash: String,
    pub plugin: PluginId,
    pub version: String,
    pub data_version: u32,
    /// As it stands in the package: JSON, which the host can read.
    pub manifest: String,
    pub bytes: u64,
    pub created_at: Timestamp,
}

words! {
    /// Whether a plugin can be used on a hub at all; a plugin that was taken away is as good as not there.
    HubState {
        /// Workspaces may have it on.
        On = "on",
        /// Nobody has it on.
        Off = "off",
        /// It was taken away, and what it kept is being taken away as well.
        Removing = "removing",
        /// It was taken away, and does not come back by itself.
        Removed = "removed",
    }
}

/// What a plugin may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    pub capabilities: BTreeSet<Capability>,
    /// Only in these conversations, where there is such a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations: Option<BTreeSet<ConversationId>>,
    /// The servers that it may ask: of the hub those that were granted, and none where there is no list. A workspace narrows
    /// that where there is a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<BTreeSet<Origin>>,
}

impl Grants {
    /// What is left of these where those narrow them.
    #[must_use]
    pub fn narrowed(&self, by: Option<&Grants>) -> Grants {
        let Some(by) = by else { return self.clone() };
        let both = |one: &Option<BTreeSet<ConversationId>>, other: &Option<BTreeSet<ConversationId>>| match (one, other)
        {
            (None, other) => other.clone(),
            (one, None) => one.clone(),
            (Some(one), Some(other)) => Some(one.intersection(other).copied().collect()),
        };
        Grants {
            capabilities: self.capabilities.intersection(&by.capabilities).copied().collect(),
            conversations: both(&self.conversations, &by.conversations),
            origins: match (&self.origins, &by.origins) {
                (Some(granted), Some(narrowed)) => Some(granted.intersection(narrowed).cloned().collect()),
                (granted, _) => granted.clone(),
            },
        }
    }

    /// These and what is granted besides.
    pub fn add(&mut self, more: &Wanted) {
        self.capabilities.extend(more.capabilities.iter().copied());
        if !more.origins.is_empty() {
            self.origins.get_or_insert_default().extend(more.origins.iter().cloned());
        }
    }

    pub fn allows(&self, capability: Capability, conversation: Option<ConversationId>) -> bool {
        let here =
            |among: &BTreeSet<ConversationId>| conversation.is_none_or(|conversation| among.contains(&conversation));
        self.capabilities.contains(&capability) && self.conversations.as_ref().is_none_or(here)
    }
}

/// What an admin has set for a plugin, in place of what its manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    pub limits: LimitChanges,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failure_policies: BTreeMap<Hook, FailurePolicy>,
}

/// A plugin on this hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub plugin: PluginId,
    /// The hash of the package that is in force.
    pub package: String,
    /// The one before it, for going back.
    pub previous: Option<String>,
    /// One that wants to do more than was granted, and waits for somebody who grants it.
    pub pending: Option<String>,
    /// The highest version that was ever offered here, whatever became of it. What comes with the hub comes in by itself only
    /// where it is higher than that, so that it overrules nobody who went back, or refused it.
    pub newest: Option<Version>,
    pub state: HubState,
    /// Whether it is on in workspaces that say nothing of it.
    pub is_default: bool,
    pub grants: Grants,
    pub overrides: Overrides,
    pub installed_at: Timestamp,
}

/// What a workspace has made of a plugin, and what has become of it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InWorkspace {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    /// None where the hub decides.
    pub is_on: Option<bool>,
    /// A JSON object, as text.
    pub configuration: String,
    pub grants: Option<Grants>,
    pub overrides: Overrides,
    /// Which data version its data is of; none before it was on for the first time.
    pub data_version: Option<u32>,
    pub bot: Option<UserId>,
    /// How far it has come in the workspace's log.
    pub position: Position,
    pub storage_bytes: u64,
    /// Why the hub has switched it off by itself.
    pub off_reason: Option<String>,
    /// Whether it is to be told what happens.
    pub listens: bool,
    /// Where it goes on with preparing itself, if it has begun.
    pub resume: Option<String>,
    /// The package that could not bring its data up to date, so that the one before it goes on here.
    pub refused: Option<String>,
}

/// Is a plugin on? The narrowest place that says something decides; what is off on the hub is off everywhere.
pub fn is_on(installed: &Installed, workspace: Option<bool>, conversation: Option<bool>) -> bool {
    installed.state == HubState::On && conversation.or(workspace).unwrap_or(installed.is_default)
}

/// What a plugin asks for, or somebody grants of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub capabilities: BTreeSet<Capability>,
    /// The servers that it wants to ask.
    pub origins: BTreeSet<Origin>,
}

impl Wanted {
    /// What of this is among that.
    #[must_use]
    pub fn among(&self, those: &Wanted) -> Wanted {
        let capabilities: BTreeSet<Capability> = self.capabilities.intersection(&those.capabilities).copied().collect();
        // Who may not ask servers has no use for their names.
        let asks = capabilities.contains(&Capability::Http);
        let origins = self.origins.intersection(&those.origins).filter(|_| asks).cloned().collect();
        Wanted { capabilities, origins }
    }

    /// Whether each of these is in one of those.
    fn is_within(&self, asked_before: &Wanted, granted: &Wanted) -> bool {
        let mut capabilities = self.capabilities.iter();
        capabilities.all(|one| asked_before.capabilities.contains(one) || granted.capabilities.contains(one))
            && self.origins.iter().all(|one| asked_before.origins.contains(one) || granted.origins.contains(one))
    }
}

/// A package that somebody wants to have in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub package: Package,
    /// What the plugin asks for.
    pub wanted: Wanted,
    /// What is granted to it with that, of what it asks for.
    pub granted: Wanted,
    /// The package that it is to take the place of, so far as whoever offers it knows, and what that one asked for.
    pub instead_of: Option<(String, Wanted)>,
    /// Whether it is to be on in workspaces that say nothing of it, where it is new.
    pub is_default: bool,
}

impl Offer {
    /// What becomes of the plugin. `newest_data` is the highest version of the data that any workspace has of it.
    pub fn decide(&self, before: Option<&Installed>, newest_data: Option<u32>) -> Result<Installed, Rejection> {
        let hash = self.package.hash.clone();
        let granted = self.granted.among(&self.wanted);
        if let Some(Installed { state: HubState::Removing, .. }) = before {
            let why = "what it kept is still being taken away; try again in a moment".to_owned();
            return Err(Rejection::BadPackage { why });
        }
        fits(&self.package, newest_data)?;
        let newest = before.and_then(|before| before.newest.clone()).max(self.package.version.parse().ok());
        let Some(before) = before.filter(|before| before.state != HubState::Removed) else {
            let mut grants = Grants::default();
            grants.add(&granted);
            return Ok(Installed {
                plugin: self.package.plugin.clone(),
                package: hash,
                previous: None,
                pending: None,
                newest,
                state: HubState::On,
                is_default: self.is_default,
                grants,
                overrides: Overrides::default(),
                installed_at: self.package.created_at,
            });
        };
        let mut after = Installed { newest, ..before.clone() };
        if before.package == hash {
            after.grants.add(&granted);
            return Ok(after);
        }
        let asked_before = match &self.instead_of {
            Some((package, asked)) if *package == before.package => asked,
            // Somebody else was quicker.
            _ => return Err(Rejection::Conflict),
        };
        if self.wanted.is_within(asked_before, &granted) {
            after.grants.add(&granted);
            after.put_in_force(hash);
        } else {
            after.pending = Some(hash);
        }
        Ok(after)
    }
}

impl Installed {
    /// The packages that are needed: the one in force, the one to go back to, and one that waits.
    pub fn packages(&self) -> impl Iterator<Item = &String> {
        [Some(&self.package), self.previous.as_ref(), self.pending.as_ref()].into_iter().flatten()
    }

    /// Another package takes the place of the one that is in force.
    pub fn put_in_force(&mut self, package: String) {
        self.previous = Some(std::mem::replace(&mut self.package, package));
        self.pending = None;
    }
}

/// Can this package do with the data that there is?
pub fn fits(package: &Package, newest_data: Option<u32>) -> Result<(), Rejection> {
    match newest_data {
        Some(newest) if newest > package.data_version => Err(Rejection::BadPackage {
            why: format!(
                "there is data of version {newest} of the plugin, and version {} of it reads no newer data than {}; \
                 take a newer package, or remove the plugin with its data first",
                package.version, package.data_version
            ),
        }),
        _ => Ok(()),
    }
}

/// What a plugin failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaidAside {
    /// Where it stands in the log.
    Event(Position),
    /// What came of a request, which is kept with the request.
    Answer(RequestId),
}

/// An event, or an answer, that a plugin failed at again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub what: LaidAside,
    /// What the plugin said the last time, or what went wrong.
    pub problem: String,
    /// How often it was laid aside.
    pub attempts: u32,
    pub created_at: Timestamp,
}

words! {
    /// What was decided about a message that was held.
    HeldState {
        /// Nobody has decided yet.
        Waiting = "waiting",
        /// It was sent.
        Approved = "approved",
        /// It was not, and will not be.
        Rejected = "rejected",
    }
}

/// A message that a plugin wants people to look at before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMessage {
    pub id: HeldMessageId,
    pub workspace: WorkspaceId,
    pub conversation: ConversationId,
    pub sender: UserId,
    /// What is to be sent, as text that the store does not look into.
    pub draft: String,
    pub plugin: PluginId,
    pub reason: String,
    pub state: HeldState,
    /// The id that it has once it is sent.
    pub message: MessageId,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<UserId>,
    /// What the moderator said to the sender.
    pub note: Option<String>,
}

words! {
    /// What a plugin did to something.
    VerdictKind {
        /// It changed it.
        Patched = "patched",
        /// It refused it.
        Rejected = "rejected",
        /// It held it for a moderator.
        Held = "held",
        /// It failed, and its failure policy decided.
        Failed = "failed",
        /// It could not be asked, and its failure policy decided.
        PassedOver = "passed_over",
    }
}

/// What became of a message that was not sent, kept under the sender's own name for it: whoever asks again is told the
/// same, and no plugin is asked twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    Held(HeldMessageId),
    Refused { plugin: PluginId, refusal: Refusal },
}

impl From<Kept> for Rejection {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Held(id) => Rejection::Held { id },
            Kept::Refused { plugin, refusal } => Rejection::RefusedByPlugin { plugin, refusal },
        }
    }
}

/// What came of a command, kept under the viewer's own name for it: whoever asks again is told the same, and it is not run twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ran {
    /// Markdown, where there was anything to say.
    Answered {
        text: Option<String>,
    },
    Refused {
        plugin: PluginId,
        refusal: Refusal,
    },
}

/// What a plugin did to something that somebody wanted, for those who keep the peace and ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In the order of time.
    pub id: VerdictId,
    pub workspace: WorkspaceId,
    pub at: Timestamp,
    /// Who wanted it.
    pub user: UserId,
    pub conversation: Option<ConversationId>,
    /// The message that it was about; where it was not sent, the id that it would have had.
    pub message: Option<MessageId>,
    pub plugin: PluginId,
    pub hook: Hook,
    pub kind: VerdictKind,
    /// The plugin's own code, or how it failed.
    pub code: Option<String>,
    /// The plugin's own words, or what went wrong. None once the message was deleted for everyone.
    pub reason: Option<String>,
}

/// Which verdicts: those of which all of this is true. What is left out says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictFilter {
    pub message: Option<MessageId>,
    pub user: Option<UserId>,
    pub conversation: Option<ConversationId>,
    pub plugin: Option<PluginId>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_narrowest_place_decides_and_off_is_off() {
        let installed = |state, is_default| Installed {
            plugin: "example.one".parse().unwrap(),
            package: String::new(),
            previous: None,
            pending: None,
            newest: None,
            state,
            is_default,
            grants: Grants::default(),
            overrides: Overrides::default(),
            installed_at: Timestamp(0),
        };
        let (on, asked) = (installed(HubState::On, true), installed(HubState::On, false));
        for (installed, workspace, conversation, expected) in [
            (&on, None, None, true),
            (&on, Some(false), None, false),
            (&on, Some(false), Some(true), true),
            (&on, Some(true), Some(false), false),
            (&asked, None, None, false),
            (&asked, Some(true), None, true),
        ] {
            assert_eq!(is_on(installed, workspace, conversation), expected, "{workspace:?} {conversation:?}");
        }
        assert!(!is_on(&installed(HubState::Off, true), Some(true), Some(true)));
    }

    #[test]
    fn the_highest_version_that_was_offered_is_remembered() {
        let offer = |version: &str, before: Option<&Installed>| {
            let package = Package {
                hash: version.to_owned(),
                plugin: "example.one".parse().unwrap(),
                version: version.to_owned(),
                data_version: 1,
                manifest: String::new(),
                bytes: 0,
                created_at: Timestamp(0),
            };
            let instead_of = before.map(|before| (before.package.clone(), Wanted::default()));
            let capabilities = if version == "3.0.0" { [Capability::Kv].into() } else { BTreeSet::new() };
            let wanted = Wanted { capabilities, origins: BTreeSet::new() };
            let offer = Offer { package, wanted, granted: Wanted::default(), instead_of, is_default: false };
            offer.decide(before, None).unwrap()
        };
        let newest = |installed: &Installed| installed.newest.as_ref().map(ToString::to_string).unwrap();
        let first = offer("1.10.0", None);
        let older = offer("1.9.0", Some(&first));
        assert_eq!((older.package.as_str(), newest(&older)), ("1.9.0", "1.10.0".to_owned()));
        let waits = offer("3.0.0", Some(&older));
        assert_eq!((waits.package.as_str(), newest(&waits)), ("1.9.0", "3.0.0".to_owned()));
        assert_eq!(newest(&offer("2.0.0", Some(&waits))), "3.0.0");
    }

    #[test]
    fn grants_are_narrowed_and_never_widened() {
        let place = |number| ConversationId(Uuid::from_u128(number));
        let grants = |capabilities: &[Capability], places: Option<&[u128]>| Grants {
            capabilities: capabilities.iter().copied().collect(),
            conversations: places.map(|places| places.iter().copied().map(place).collect()),
            origins: None,
        };
        let hub = grants(&[Capability::Kv, Capability::MessagesRead], Some(&[1, 2]));
        let here = grants(&[Capability::MessagesRead, Capability::MessagesPost], Some(&[2, 3]));
        assert_eq!(hub.narrowed(Some(&here)), grants(&[Capability::MessagesRead], Some(&[2])));
        assert_eq!(hub.narrowed(None), hub);
        assert!(hub.allows(Capability::Kv, None));
        assert!(hub.allows(Capability::MessagesRead, Some(place(1))));
        assert!(!hub.allows(Capability::MessagesRead, Some(place(3))));
        assert!(!hub.allows(Capability::MessagesPost, Some(place(1))));
    }

    /// F: P-09
    #[test]
    fn origins_are_granted_by_the_hub_and_narrowed_by_workspaces() {
        type Names = Option<&'static [&'static str]>;
        let origins = |names: &[&str]| -> BTreeSet<Origin> {
            names.iter().map(|name| format!("https://{name}.example").parse().unwrap()).collect()
        };
        let grants = |names: Option<&[&str]>| Grants { origins: names.map(origins), ..Grants::default() };
        let cases: [(Names, Names, Names); 5] = [
            (Some(&["a", "b"]), None, Some(&["a", "b"])),
            (Some(&["a", "b"]), Some(&["b", "c"]), Some(&["b"])),
            (Some(&["a"]), Some(&[]), Some(&[])),
            (None, Some(&["a"]), None),
            (None, None, None),
        ];
        for (hub, here, expected) in cases {
            assert_eq!(grants(hub).narrowed(Some(&grants(here))).origins, expected.map(origins), "{hub:?} {here:?}");
        }
        let wanted = |capabilities: &[Capability], names: &[&str]| Wanted {
            capabilities: capabilities.iter().copied().collect(),
            origins: origins(names),
        };
        let asked = wanted(&[Capability::Http], &["a"]);
        let more = wanted(&[Capability::Http], &["a", "b"]);
        assert!(asked.is_within(&asked, &Wanted::default()), "the same again");
        assert!(!more.is_within(&asked, &Wanted::default()), "another server is more");
        assert!(more.is_within(&asked, &wanted(&[], &["b"])));
        assert_eq!(wanted(&[], &["a"]).among(&asked), Wanted::default(), "without the capability there are no servers");
    }
}
