//! A package: one component with its manifest inside. Nothing of it is run or compiled here; it is looked at from outside, so
//! that whoever installs it is told in words what is wrong with it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use jackfield_domain::plugins::{Capability, Hook};
use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use crate::manifest::{Manifest, ManifestError, SECTION};

/// A package has at most so many bytes.
pub const PACKAGE_MAX_BYTES: usize = 32 << 20;
/// The contract that this hub keeps.
pub const CONTRACT: &str = "jackfield:plugin@0.1.0";
const CONTRACT_PACKAGE: &str = "jackfield:plugin/";
const CONTRACT_VERSION: &str = "0.1.0";

/// A component that may be compiled: its manifest is good, and it has what the manifest says.
#[derive(Clone)]
pub struct Package {
    component: Arc<[u8]>,
    manifest: Arc<Manifest>,
    digest: [u8; 32],
}

/// Why a package is not taken, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    #[error(
        "the package has {bytes} bytes, at most {PACKAGE_MAX_BYTES} are allowed; build it without debug information, or make it smaller"
    )]
    TooLarge { bytes: usize },
    #[error("this is no WebAssembly; give the .wasm file that `jackfield plugin build` wrote")]
    NotWasm,
    #[error(
        "this is a core module and not a component; build it with `jackfield plugin build`, which makes the component"
    )]
    NotAComponent,
    #[error("the component ends early or is damaged ({0}); fetch or build it again")]
    Damaged(String),
    #[error(
        "the component carries no manifest; build it with `jackfield plugin build`, which puts plugin.toml into it"
    )]
    NoManifest,
    #[error("the component carries more than one manifest; build it again with `jackfield plugin build`")]
    TwoManifests,
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(
        "the plugin was built for version {found} of the contract, and this hub keeps {CONTRACT}; \
         build it with the SDK of this hub, or update the hub"
    )]
    WrongContract { found: String },
    #[error(
        "the plugin imports `{import}`, which this hub does not offer; a plugin may import the capabilities of {CONTRACT} \
         and nothing else, no files, network or environment"
    )]
    UnknownImport { import: String },
    #[error(
        "the plugin uses `{interface}`, but its manifest does not declare {capability}; \
         add it to `capabilities` in plugin.toml and build the plugin again"
    )]
    Undeclared { interface: String, capability: String },
    #[error(
        "the manifest asks for the hook `{hook}`, but the component does not export `{interface}`; \
         write the hook, or take it out of plugin.toml, and build the plugin again"
    )]
    MissingExport { hook: &'static str, interface: &'static str },
    #[error(
        "the component exports `{interface}`, but the manifest names no hook of it; \
         name the hooks in plugin.toml, or do not export them, and build the plugin again"
    )]
    UnwantedExport { interface: String },
    #[error("the manifest asks for no hook at all, so that the plugin would never run; name its hooks in plugin.toml")]
    NoHooks,
}

impl Package {
    /// Looks at what somebody wants to install.
    pub fn read(component: impl Into<Arc<[u8]>>) -> Result<Self, PackageError> {
        let component: Arc<[u8]> = component.into();
        if component.len() > PACKAGE_MAX_BYTES {
            return Err(PackageError::TooLarge { bytes: component.len() });
        }
        let outside = Outside::of(&component)?;
        outside.check_contract()?;
        let manifest = Manifest::parse(outside.manifest.ok_or(PackageError::NoManifest)?)?;
        outside.check_imports(&manifest)?;
        outside.check_exports(&manifest)?;
        let digest = Sha256::digest(&component).into();
        Ok(Package { manifest: Arc::new(manifest), digest, component })
    }

    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The component, as it was given.
    pub fn component(&self) -> &Arc<[u8]> {
        &self.component
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

impl fmt::Debug for Package {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}, {} bytes", self.manifest.id, self.manifest.version, self.component.len())
    }
}

/// What can be seen of a component without looking into what it is made of.
#[derive(Default)]
struct Outside<'a> {
    manifest: Option<&'a [u8]>,
    imports: BTreeSet<&'a str>,
    exports: BTreeSet<&'a str>,
}

impl<'a> Outside<'a> {
    fn of(component: &'a [u8]) -> Result<Self, PackageError> {
        if !component.starts_with(b"\0asm") {
            return Err(PackageError::NotWasm);
        }
        let damaged = |error: wasmparser::BinaryReaderError| PackageError::Damaged(error.to_string());
        let (mut outside, mut depth) = (Outside::default(), 0_usize);
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(damaged)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(PackageError::NotAComponent);
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                    let earlier = outside.manifest.replace(section.data());
                    if earlier.is_some() {
                        return Err(PackageError::TwoManifests);
                    }
                }
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        outside.imports.insert(import.map_err(damaged)?.name.name);
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        outside.exports.insert(export.map_err(damaged)?.name.name);
                    }
                }
                _ => {}
            }
        }
        Ok(outside)
    }

    fn check_contract(&self) -> Result<(), PackageError> {
        for name in self.imports.iter().chain(&self.exports) {
            if let Some((_, version)) = interface(name)
                && version != CONTRACT_VERSION
            {
                return Err(PackageError::WrongContract { found: version.to_owned() });
            }
        }
        Ok(())
    }

    fn check_imports(&self, manifest: &Manifest) -> Result<(), PackageError> {
        let wanted = manifest.wanted();
        for import in &self.imports {
            let unknown = || PackageError::UnknownImport { import: (*import).to_owned() };
            let (interface, _) = interface(import).ok_or_else(unknown)?;
            let needed = needed_for(interface).ok_or_else(unknown)?;
            if !needed.is_empty() && !needed.iter().any(|capability| wanted.contains(capability)) {
                let names: Vec<String> = needed.iter().map(|name| format!("`{}`", name.as_str())).collect();
                let (interface, capability) = (interface.to_owned(), names.join(" or "));
                return Err(PackageError::Undeclared { interface, capability });
            }
        }
        Ok(())
    }

    fn check_exports(&self, manifest: &Manifest) -> Result<(), PackageError> {
        let exported: BTreeSet<&str> =
            self.exports.iter().filter_map(|name| interface(name)).map(|(interface, _)| interface).collect();
        let mut wanted = BTreeSet::new();
        for hook in Hook::ALL.iter().copied().filter(|hook| manifest.wish(*hook).is_some()) {
            let interface = group_of(hook);
            if !exported.contains(interface) {
                return Err(PackageError::MissingExport { hook: hook.as_str(), interface });
            }
            wanted.insert(interface);
        }
        if wanted.is_empty() {
            return Err(PackageError::NoHooks);
        }
        match exported.difference(&wanted).next() {
            Some(interface) => Err(PackageError::UnwantedExport { interface: (*interface).to_owned() }),
            None => Ok(()),
        }
    }
}

/// The interface that a name of the contract names, and its version.
fn interface(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(CONTRACT_PACKAGE)?.split_once('@')
}

/// What a plugin that imports this interface must have declared: one of these, or nothing. None if there is no such interface.
fn needed_for(interface: &str) -> Option<&'static [Capability]> {
    Some(match interface {
        "types" | "config" | "log" | "clock" | "random" | "timers" => &[],
        "kv" => &[Capability::Kv],
        "messages" => &[Capability::MessagesRead, Capability::MessagesPost],
        "conversations" => &[Capability::ConversationsRead],
        "users" => &[Capability::UsersRead],
        "annotations" => &[Capability::Annotations],
        "mentions" => &[Capability::Mentions],
        "notices" => &[Capability::Notices],
        "secrets" => &[Capability::Secrets],
        "http" => &[Capability::Http, Capability::FetchPublicUrl],
        _ => return None,
    })
}

/// The interface that a plugin exports for a hook.
pub(crate) fn group_of(hook: Hook) -> &'static str {
    match hook {
        Hook::BeforeCreate | Hook::BeforeEdit | Hook::BeforeDelete => "message-hooks",
        Hook::BeforeJoin | Hook::BeforeConversationCreate => "membership-hooks",
        Hook::OnEvents => "event-hooks",
        Hook::Schedule => "schedule-hooks",
        Hook::Command => "command-hooks",
        Hook::Resolve | Hook::Mutate => "graphql-hooks",
        Hook::OnAnswer => "answer-hooks",
        Hook::Install
        | Hook::Upgrade
        | Hook::Enable
        | Hook::Disable
        | Hook::ValidateConfiguration
        | Hook::ConfigurationChanged => "lifecycle-hooks",
    }
}
