//! Whatever has an id can be asked for by it.

use async_graphql::{Context, ID, Interface, Object, Result};
use futures_util::future::try_join_all;
use jackfield_domain::{Rejection, ids::NodeId};

use super::{conversations::Conversation, messages::Message, scope::Scoped, users::User, workspaces::Workspace};
use crate::actions;

/// Something with an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id, which also says what it is."))]
pub enum Node {
    Workspace(Workspace),
    User(User),
    Conversation(Conversation),
    Message(Message),
}

/// More than so many ids at once are refused.
const MOST: usize = 100;

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// What has this id; null if there is no such thing, or not for you.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Any id of this API.")] id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// What has these ids, in their order, at most 100 at once; null for each that is not there, or not for you.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Any ids of this API.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MOST {
            return Err(crate::Error::from(Rejection::Invalid { field: "ids", expected: "at most 100" }).into());
        }
        try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    ctx.viewer()?;
    let moment = ctx.moment();
    Ok(match id.parse() {
        Err(_) => None,
        Ok(NodeId::Workspace(id)) => {
            actions::workspaces::visible(ctx.core(), &moment.reader, id).await?.map(|found| Workspace(found).into())
        }
        Ok(NodeId::User(id)) => moment.loaders.users.load(id).await?.map(|found| User(found).into()),
        Ok(NodeId::Conversation(id)) => {
            moment.loaders.conversations.load(id).await?.map(|found| Conversation(found).into())
        }
        Ok(NodeId::Message(id)) => Message::find(ctx, id).await?.map(Node::from),
    })
}
