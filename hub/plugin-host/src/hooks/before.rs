//! Questions that stand in the way of somebody who waits.

use std::convert::Infallible;

use jackfield_domain::{
    ConversationRole, UserId,
    conversations::{Conversation, ConversationDraft},
    messages::{ContentType, MessageDraft, MessageKind},
    plugins::Hook,
    users::User,
};
use serde_json::Value;

use super::{Ask, Before, Verdict, bad_answer};
use crate::{
    bridge::WholeMessage,
    convert,
    live::Live,
    wit::{
        exports::jackfield::plugin::{membership_hooks as membership, message_hooks as messages},
        jackfield::plugin::types::Body,
    },
};

/// May this message be sent?
pub struct BeforeCreate {
    draft: MessageDraft,
    told: messages::MessageDraft,
}

/// What of a message is to be different.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessagePatch {
    pub body: Option<String>,
    /// None within takes it away.
    pub metadata: Option<Option<Value>>,
}

impl BeforeCreate {
    pub fn new(draft: MessageDraft, sender: &User) -> Self {
        let told = messages::MessageDraft {
            conversation: draft.conversation.to_string(),
            sender: convert::user(sender),
            kind: convert::message_kind(draft.kind),
            body: convert::body(draft.content, &draft.body),
            location: draft.location.as_ref().map(convert::location),
            metadata: draft.metadata.as_ref().map(Value::to_string),
            reply_to: draft.reply_to.map(|id| id.to_string()),
        };
        BeforeCreate { draft, told }
    }

    /// The message as the plugins left it. It is as untrusted as what its sender wrote.
    pub fn into_draft(self) -> MessageDraft {
        self.draft
    }
}

impl Ask for BeforeCreate {
    type Answer = Verdict<MessagePatch>;
    const HOOK: Hook = Hook::BeforeCreate;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.messages().await?;
        Ok(match hooks.call_before_create(store, &self.told).await? {
            messages::MessageVerdict::Allow => Verdict::Allow,
            messages::MessageVerdict::Patch(patch) => Verdict::Patch(MessagePatch {
                body: patch.body,
                metadata: patch.metadata.map(|metadata| object(&metadata)).transpose().map_err(bad_answer)?,
            }),
            messages::MessageVerdict::Reject(refusal) => reject(refusal)?,
            messages::MessageVerdict::Hold(reason) => Verdict::Hold(convert::reason(&reason).map_err(bad_answer)?),
        })
    }
}

impl Before for BeforeCreate {
    type Patch = MessagePatch;

    fn patch(&mut self, patch: MessagePatch) -> Result<(), String> {
        if let Some(body) = patch.body {
            if self.draft.content == ContentType::Encrypted {
                return Err("it wants to replace the words of an encrypted message".to_owned());
            }
            self.told.body = Body::Plain(body.clone());
            self.draft.body = body;
        }
        if let Some(metadata) = patch.metadata {
            self.told.metadata = metadata.as_ref().map(Value::to_string);
            self.draft.metadata = metadata;
        }
        Ok(())
    }

    fn concerns(&self, kinds: &[MessageKind]) -> bool {
        kinds.contains(&self.draft.kind)
    }
}

/// A JSON object, or `null` for none.
fn object(text: &str) -> Result<Option<Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Null) => Ok(None),
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err("it wants metadata that is not a JSON object".to_owned()),
        Err(error) => Err(format!("it wants metadata that is not JSON: {error}")),
    }
}

/// May this message be made to say something else?
pub struct BeforeEdit {
    kind: MessageKind,
    content: ContentType,
    body: String,
    told: messages::EditDraft,
}

impl BeforeEdit {
    pub fn new(message: &WholeMessage, editor: &User, body: String) -> Self {
        let (kind, content) = (message.message.kind, message.message.content);
        let told = messages::EditDraft {
            message: convert::message(message),
            editor: convert::user(editor),
            body: convert::body(content, &body),
        };
        BeforeEdit { kind, content, body, told }
    }

    /// What it is to say, as the plugins left it.
    pub fn into_body(self) -> String {
        self.body
    }
}

impl Ask for BeforeEdit {
    type Answer = Verdict<String>;
    const HOOK: Hook = Hook::BeforeEdit;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.messages().await?;
        Ok(match hooks.call_before_edit(store, &self.told).await? {
            messages::EditVerdict::Allow => Verdict::Allow,
            messages::EditVerdict::Patch(body) => Verdict::Patch(body),
            messages::EditVerdict::Reject(refusal) => reject(refusal)?,
        })
    }
}

impl Before for BeforeEdit {
    type Patch = String;

    fn patch(&mut self, body: String) -> Result<(), String> {
        if self.content == ContentType::Encrypted {
            return Err("it wants to replace the words of an encrypted message".to_owned());
        }
        self.told.body = Body::Plain(body.clone());
        self.body = body;
        Ok(())
    }

    fn concerns(&self, kinds: &[MessageKind]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// May this message be deleted for everyone?
pub struct BeforeDelete {
    kind: MessageKind,
    told: messages::DeletionDraft,
}

impl BeforeDelete {
    pub fn new(message: &WholeMessage, deleter: &User) -> Self {
        let told = messages::DeletionDraft { message: convert::message(message), deleter: convert::user(deleter) };
        BeforeDelete { kind: message.message.kind, told }
    }
}

impl Ask for BeforeDelete {
    type Answer = Verdict<Infallible>;
    const HOOK: Hook = Hook::BeforeDelete;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.messages().await?;
        Ok(match hooks.call_before_delete(store, &self.told).await? {
            messages::DeletionVerdict::Allow => Verdict::Allow,
            messages::DeletionVerdict::Reject(refusal) => reject(refusal)?,
        })
    }
}

impl Before for BeforeDelete {
    type Patch = Infallible;

    fn patch(&mut self, patch: Infallible) -> Result<(), String> {
        match patch {}
    }

    fn concerns(&self, kinds: &[MessageKind]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// May this user become a member of this conversation?
pub struct BeforeJoin(membership::JoinDraft);

impl BeforeJoin {
    /// `added_by` is none where they join by themselves.
    pub fn new(conversation: &Conversation, user: &User, added_by: Option<&User>, role: ConversationRole) -> Self {
        BeforeJoin(membership::JoinDraft {
            conversation: convert::conversation(conversation),
            user: convert::user(user),
            added_by: added_by.map(convert::user),
            role: convert::conversation_role(role),
        })
    }
}

impl Ask for BeforeJoin {
    type Answer = Verdict<Infallible>;
    const HOOK: Hook = Hook::BeforeJoin;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.membership().await?;
        Ok(match hooks.call_before_join(store, &self.0).await? {
            membership::JoinVerdict::Allow => Verdict::Allow,
            membership::JoinVerdict::Reject(refusal) => reject(refusal)?,
        })
    }
}

impl Before for BeforeJoin {
    type Patch = Infallible;

    fn patch(&mut self, patch: Infallible) -> Result<(), String> {
        match patch {}
    }
}

/// May this conversation be made?
pub struct BeforeConversationCreate {
    draft: ConversationDraft,
    told: membership::ConversationDraft,
}

impl BeforeConversationCreate {
    pub fn new(draft: ConversationDraft, creator: &User) -> Self {
        let others = draft.members.iter().filter(|member| **member != creator.id);
        let members: Vec<UserId> = std::iter::once(creator.id).chain(others.copied()).collect();
        let told = membership::ConversationDraft {
            creator: convert::user(creator),
            kind: convert::conversation_kind(draft.kind),
            title: draft.title.clone(),
            description: draft.description.clone(),
            context: draft.context.as_ref().map(convert::context),
            members: members.iter().map(ToString::to_string).collect(),
        };
        BeforeConversationCreate { draft, told }
    }

    /// The conversation as the plugins left it. It is as untrusted as what its creator asked for.
    pub fn into_draft(self) -> ConversationDraft {
        self.draft
    }
}

impl Ask for BeforeConversationCreate {
    type Answer = Verdict<ConversationPatch>;
    const HOOK: Hook = Hook::BeforeConversationCreate;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.membership().await?;
        Ok(match hooks.call_before_conversation_create(store, &self.told).await? {
            membership::ConversationVerdict::Allow => Verdict::Allow,
            membership::ConversationVerdict::Patch(patch) => {
                Verdict::Patch(ConversationPatch { title: patch.title, description: patch.description })
            }
            membership::ConversationVerdict::Reject(refusal) => reject(refusal)?,
        })
    }
}

/// What of a conversation is to be different; an empty text takes it away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationPatch {
    pub title: Option<String>,
    pub description: Option<String>,
}

impl Before for BeforeConversationCreate {
    type Patch = ConversationPatch;

    fn patch(&mut self, patch: ConversationPatch) -> Result<(), String> {
        let apply = |patch: Option<String>, draft: &mut Option<String>, told: &mut Option<String>| {
            if let Some(text) = patch {
                *draft = Some(text).filter(|text| !text.is_empty());
                told.clone_from(draft);
            }
        };
        apply(patch.title, &mut self.draft.title, &mut self.told.title);
        apply(patch.description, &mut self.draft.description, &mut self.told.description);
        Ok(())
    }
}

fn reject<P>(refusal: crate::wit::jackfield::plugin::types::Refusal) -> wasmtime::Result<Verdict<P>> {
    convert::refusal(refusal).map(Verdict::Reject).map_err(bad_answer)
}
