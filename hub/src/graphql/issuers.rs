//! Whom the hub trusts to vouch for people, in the API. For operators.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
};
use crate::actions::{self, issuers::Trusted, issuers::Way};

/// How a token is signed. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "Way")]
pub enum SigningAlgorithm {
    /// With a secret that both sides know.
    #[graphql(name = "HS256")]
    Hs256,
    /// With an RSA key.
    #[graphql(name = "RS256")]
    Rs256,
    /// With a key on the curve P-256.
    #[graphql(name = "ES256")]
    Es256,
    /// With an Ed25519 key.
    #[graphql(name = "EDDSA")]
    EdDsa,
}

pub struct TrustedIssuer(pub Trusted);

/// Somebody outside who vouches for people. Its secret is never shown.
#[Object]
impl TrustedIssuer {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its name, as it stands in its tokens.
    async fn issuer(&self) -> &str {
        &self.0.settings.issuer
    }

    /// For whom its tokens must be.
    async fn audience(&self) -> &str {
        &self.0.settings.audience
    }

    /// How its tokens may be signed.
    async fn algorithms(&self) -> Vec<SigningAlgorithm> {
        self.0.settings.algorithms.iter().filter_map(|algorithm| Way::of(*algorithm)).map(Into::into).collect()
    }

    /// The slugs of the workspaces that it may speak for; `*` stands for all.
    async fn workspaces(&self) -> &[String] {
        &self.0.settings.workspaces
    }

    /// Where its keys are published, if they are.
    async fn jwks_url(&self) -> Option<&str> {
        self.0.settings.jwks_url.as_deref()
    }

    /// When it was trusted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// Who is to be trusted, and with what. Exactly one of `secret`, `publicKey` and `jwksUrl` is given.
#[derive(InputObject)]
pub struct IssuerCreateInput {
    /// Its name, as it stands in its tokens.
    issuer: String,
    /// For whom its tokens must be.
    audience: String,
    /// How its tokens may be signed.
    algorithms: Vec<SigningAlgorithm>,
    /// The slugs of the workspaces that it may speak for; `*` stands for all.
    workspaces: Vec<String>,
    /// For HS256: at least 32 characters.
    secret: Option<String>,
    /// For the others: the one key, as PEM.
    public_key: Option<String>,
    /// Where its keys are published.
    jwks_url: Option<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct IssuerCreatePayload {
    /// Who is trusted from now on, on every node within seconds.
    issuer: Option<TrustedIssuer>,
    /// Why nobody is.
    errors: Vec<UserError>,
}

/// Who is to be trusted no more.
#[derive(InputObject)]
pub struct IssuerDeleteInput {
    /// Its id.
    issuer_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct IssuerDeletePayload {
    /// Who is trusted no more.
    deleted_issuer_id: Option<ID>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct IssuerQuery;

#[Object]
impl IssuerQuery {
    /// Who is trusted to vouch for people beside those in the configuration, the oldest first. For operators of the hub.
    async fn issuers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<TrustedIssuer>> {
        let viewer = ctx.viewer()?;
        let page = page(first, after, last, before)?;
        let slice = actions::issuers::list(ctx.core(), &viewer, &page).await?;
        Ok(Connection::of(slice, |issuer| issuer.id, TrustedIssuer))
    }
}

#[derive(Default)]
pub struct IssuerMutation;

#[Object]
impl IssuerMutation {
    /// Trusts somebody outside to vouch for people. For operators of the hub.
    async fn issuer_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and with what.")] input: IssuerCreateInput,
    ) -> Result<Option<IssuerCreatePayload>> {
        let viewer = ctx.viewer()?;
        let algorithms = input.algorithms.into_iter().map(|algorithm| Way::from(algorithm).algorithm()).collect();
        let settings = actions::issuers::Settings {
            issuer: input.issuer,
            audience: input.audience,
            algorithms,
            workspaces: input.workspaces,
            secret: input.secret,
            public_key: input.public_key,
            jwks_url: input.jwks_url,
        };
        let (issuer, errors) = refusals(actions::issuers::create(ctx.core(), &viewer, settings).await)?;
        Ok(Some(IssuerCreatePayload { issuer: issuer.map(TrustedIssuer), errors }))
    }

    /// Trusts somebody no more: their tokens are refused, and what was opened with them is closed. For operators.
    async fn issuer_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom.")] input: IssuerDeleteInput,
    ) -> Result<Option<IssuerDeletePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::workspaces::must_be_operator(&viewer)?;
            let issuer = id(&input.issuer_id, "issuer", "issuer_id")?;
            actions::issuers::delete(ctx.core(), &viewer, issuer).await
        };
        let (deleted, errors) = refusals(outcome.await)?;
        Ok(Some(IssuerDeletePayload { deleted_issuer_id: deleted.map(|()| input.issuer_id), errors }))
    }
}
