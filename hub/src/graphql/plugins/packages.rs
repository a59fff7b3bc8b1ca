//! Packages of plugins, for operators: uploading and installing them, other versions, and taking them away.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{Rejection, plugins as words};

use super::{Plugin, PluginCapability, capabilities, changed, named, origins};
use crate::{
    actions::plugins::{
        packages::{self, Grant},
        uploads::{self, Source},
    },
    graphql::{
        errors::{UserError, refusals},
        scalars::{DateTime, id},
        scope::Scoped,
    },
};

/// A version of a plugin that waits for an operator's decision.
#[derive(SimpleObject)]
pub struct PluginUpgrade {
    /// Which version it is.
    version: String,
    /// All that it asks for.
    wanted_capabilities: Vec<PluginCapability>,
    /// What the version that is in force does not ask for.
    new_capabilities: Vec<PluginCapability>,
    /// All the servers that it wants to ask, as origins.
    wanted_origins: Vec<String>,
    /// Those that the version in force does not ask.
    new_origins: Vec<String>,
}

impl PluginUpgrade {
    pub fn new(version: String, wanted: &words::Wanted, asked_before: &words::Wanted) -> Self {
        let listed = |capabilities: &mut dyn Iterator<Item = &words::Capability>| {
            capabilities.map(|capability| (*capability).into()).collect()
        };
        PluginUpgrade {
            version,
            wanted_capabilities: listed(&mut wanted.capabilities.iter()),
            new_capabilities: listed(&mut wanted.capabilities.difference(&asked_before.capabilities)),
            wanted_origins: wanted.origins.iter().map(ToString::to_string).collect(),
            new_origins: wanted.origins.difference(&asked_before.origins).map(ToString::to_string).collect(),
        }
    }
}

/// Where a package is to be put.
#[derive(SimpleObject)]
pub struct PluginUpload {
    /// By this it is installed afterwards.
    id: ID,
    /// Put the package there by HTTP `PUT`, as it is, at most 32 MiB. The path stands below the hub's own address.
    path: String,
    /// Until then it can be put there.
    expires_at: DateTime,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginUploadCreatePayload {
    /// Where to put the package.
    upload: Option<PluginUpload>,
    /// Why there is no such place.
    errors: Vec<UserError>,
}

/// Which package is to be installed: give one of `uploadId` and `path`.
#[derive(InputObject)]
pub struct PluginInstallInput {
    /// What was uploaded.
    upload_id: Option<ID>,
    /// The absolute path of a file on the machine of the hub.
    path: Option<String>,
    /// The id of a plugin that comes with the hub, and was removed or replaced.
    bundled: Option<ID>,
    /// What is granted to the plugin, of what it asks for. Nothing else is; more can be granted later.
    #[graphql(default)]
    grant: Vec<PluginCapability>,
    /// The servers that it may ask where `HTTP` is granted, of those that it asks for, as origins; all of these if left out.
    grant_origins: Option<Vec<String>>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginInstallPayload {
    /// The plugin as it is now. Where the package asks for more than the one in force and not all of that was granted, it
    /// waits as `pendingUpgrade`, and the one in force goes on.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

/// Which upgrade is let in.
#[derive(InputObject)]
pub struct PluginUpgradeApproveInput {
    /// The plugin.
    plugin_id: ID,
    /// What is granted to it beside what it may already; all that it asks for if left out.
    grant: Option<Vec<PluginCapability>>,
    /// The servers that it may ask beside those it may already, as origins; all that it asks for if left out.
    grant_origins: Option<Vec<String>>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginUpgradeApprovePayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

/// Which upgrade is not let in.
#[derive(InputObject)]
pub struct PluginUpgradeRejectInput {
    /// The plugin.
    plugin_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginUpgradeRejectPayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

/// Which plugin is to go back by a version.
#[derive(InputObject)]
pub struct PluginRollBackInput {
    /// The plugin.
    plugin_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginRollBackPayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

/// Which plugin is to be removed.
#[derive(InputObject)]
pub struct PluginRemoveInput {
    /// The plugin.
    plugin_id: ID,
    /// Whether all that it kept in any workspace goes with it, for good: its data and configuration, secrets and logs, what it
    /// attached to messages, and mentions that it found. If not, it finds that again when it comes back.
    with_data: bool,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginRemovePayload {
    /// The id of the plugin that is no more.
    removed_plugin_id: Option<ID>,
    /// Why it is still there.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct PackageMutation;

#[Object]
impl PackageMutation {
    /// Asks for a place to put a package of a plugin. For operators of the hub.
    async fn plugin_upload_create(&self, ctx: &Context<'_>) -> Result<Option<PluginUploadCreatePayload>> {
        let (upload, errors) = refusals(uploads::create(ctx.core(), &ctx.viewer()?).await)?;
        let upload = upload.map(|upload| PluginUpload {
            id: upload.id.to_string().into(),
            path: format!("/uploads/{}?expires={}&signature={}", upload.id, upload.expires_at.0, upload.signature),
            expires_at: DateTime(upload.expires_at),
        });
        Ok(Some(PluginUploadCreatePayload { upload, errors }))
    }

    /// Installs a package, or puts it in the place of the version that is in force, on every node within a second and without
    /// a message lost. For operators of the hub.
    async fn plugin_install(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which package, and what is granted to it.")] input: PluginInstallInput,
    ) -> Result<Option<PluginInstallPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            crate::actions::workspaces::must_be_operator(&viewer)?;
            let source = match (input.upload_id, input.path, input.bundled) {
                (Some(upload), None, None) => Source::Upload(id(&upload, "upload", "uploadId")?),
                (None, Some(path), None) => Source::Path(path),
                (None, None, Some(plugin)) => Source::Bundled(named(&plugin)?),
                _ => {
                    let expected = "given, or path, or bundled, and one of them alone";
                    return Err(Rejection::Invalid { field: "uploadId", expected }.into());
                }
            };
            let granted = Grant {
                capabilities: Some(capabilities(input.grant)),
                origins: input.grant_origins.map(|named| origins(named, "grantOrigins")).transpose()?,
            };
            packages::install(ctx.core(), &viewer, &source, granted).await
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginInstallPayload { plugin, errors }))
    }

    /// Puts a version in force that waits because it asks for more. For operators of the hub.
    async fn plugin_upgrade_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and what is granted.")] input: PluginUpgradeApproveInput,
    ) -> Result<Option<PluginUpgradeApprovePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            crate::actions::workspaces::must_be_operator(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            let granted = Grant {
                capabilities: input.grant.map(capabilities),
                origins: input.grant_origins.map(|named| origins(named, "grantOrigins")).transpose()?,
            };
            packages::approve(ctx.core(), &viewer, &plugin, granted).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginUpgradeApprovePayload { plugin, errors }))
    }

    /// Lets go of a version that waits. For operators of the hub.
    async fn plugin_upgrade_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: PluginUpgradeRejectInput,
    ) -> Result<Option<PluginUpgradeRejectPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            crate::actions::workspaces::must_be_operator(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            packages::reject(ctx.core(), &viewer, &plugin).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginUpgradeRejectPayload { plugin, errors }))
    }

    /// Puts the version in force again that was before; doing so once more takes that back. Not where there is data that the
    /// earlier version cannot read. For operators of the hub.
    async fn plugin_roll_back(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: PluginRollBackInput,
    ) -> Result<Option<PluginRollBackPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            crate::actions::workspaces::must_be_operator(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            packages::roll_back(ctx.core(), &viewer, &plugin).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginRollBackPayload { plugin, errors }))
    }

    /// Removes a plugin from the hub. For operators of the hub.
    async fn plugin_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and what becomes of what it kept.")] input: PluginRemoveInput,
    ) -> Result<Option<PluginRemovePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            crate::actions::workspaces::must_be_operator(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            packages::remove(ctx.core(), &viewer, &plugin, input.with_data).await?;
            Ok(plugin)
        };
        let (plugin, errors) = refusals(outcome.await)?;
        Ok(Some(PluginRemovePayload { removed_plugin_id: plugin.map(|plugin| plugin.to_string().into()), errors }))
    }
}
