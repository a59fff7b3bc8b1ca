//! What a plugin does to others than itself: posts, annotations, mentions and notices. They are only collected here; whether
//! what they speak of is there is seen when they are committed.

use std::sync::Arc;

use jackfield_domain::{
    MessageId, Timestamp,
    messages::MessageKind,
    plugins::{Audience, Capability, Effect, MentionTarget, NewMessage, Notice, check_word},
};

use super::{Done, MANY, Run, Told, invalid, json, parse, parse_many, told};
use crate::{
    convert,
    wit::jackfield::plugin::{
        annotations,
        mentions::{self, Target},
        messages::{self, HistoryPage, HistoryWindow},
        notices, timers,
        types::{self, Message},
    },
};

/// What a notice says has at most so many bytes.
const PAYLOAD_MAX: u64 = 16 << 10;
/// One call posts so many messages at most: other plugins look at each of them.
const POSTS: usize = 64;
/// One call says of so many messages whom they mention: as many as it is told of at once, and some.
const MENTIONS: usize = 128;

impl messages::Host for Run {
    async fn get(&mut self, id: String) -> Told<Message> {
        told(self.message(&id).await)
    }

    async fn get_many(&mut self, ids: Vec<String>) -> Told<Vec<Option<Message>>> {
        told(self.many_messages(&ids).await)
    }

    async fn history(&mut self, conversation: String, window: HistoryWindow, limit: u32) -> Told<HistoryPage> {
        told(self.page_of_history(&conversation, window, limit).await)
    }

    fn post(&mut self, message: messages::NewMessage) -> Told<String> {
        told(self.post_message(message))
    }
}

impl timers::Host for Run {
    fn run_at(&mut self, schedule: String, at: i64) -> Told<()> {
        told(self.run_schedule_at(schedule, at))
    }
}

impl annotations::Host for Run {
    async fn get(&mut self, message: String) -> Told<Option<String>> {
        told(self.annotations_of(&[message]).await.map(|mut found| found.pop().flatten()))
    }

    async fn get_many(&mut self, messages: Vec<String>) -> Told<Vec<Option<String>>> {
        told(self.annotations_of(&messages).await)
    }

    fn set(&mut self, message: String, value: String) -> Told<u32> {
        told(self.annotate(&message, Some(value)))
    }

    fn remove(&mut self, message: String) -> Told<u32> {
        told(self.annotate(&message, None))
    }
}

impl mentions::Host for Run {
    fn set(&mut self, message: String, targets: Vec<Target>) -> Told<u32> {
        told(self.mention(&message, targets))
    }
}

impl notices::Host for Run {
    fn send(&mut self, notice: notices::Notice) -> Told<u32> {
        told(self.notify(notice))
    }
}

impl Run {
    fn post_message(&mut self, message: messages::NewMessage) -> Done<String> {
        self.enter_costly(Capability::MessagesPost, |effect| matches!(effect, Effect::Post(_)), POSTS)?;
        let conversation = parse("conversation", &message.conversation)?;
        self.within_grant(conversation)?;
        let reply_to = message.reply_to.map(|id| parse::<MessageId>("message", &id)).transpose()?;
        if let Some(metadata) = &message.metadata {
            json("the metadata", metadata, self.limits.value_bytes, true)?;
        }
        let kind = match message.kind {
            types::MessageKind::Text => MessageKind::Text,
            types::MessageKind::Poll => MessageKind::Poll,
            _ => return Err(invalid("a plugin posts messages of the kinds `text` and `poll`")),
        };
        let bytes = message.body.len() + message.metadata.as_ref().map_or(0, String::len);
        let id = self.bridge.new_message_id()?;
        let post = NewMessage { id, conversation, kind, body: message.body, metadata: message.metadata, reply_to };
        self.issue_effect(Effect::Post(post), bytes)?;
        Ok(id.to_string())
    }

    fn run_schedule_at(&mut self, schedule: String, at: i64) -> Done<()> {
        self.count()?;
        self.may_have_effects()?;
        if !self.manifest.schedules.iter().any(|known| known.name == schedule && known.cron.is_none()) {
            let name = convert::cut(&schedule);
            return Err(invalid(format!("the manifest has no schedule «{name}» without `cron`")));
        }
        let bytes = schedule.len();
        self.issue_effect(Effect::RunAt { schedule, at: Timestamp(at) }, bytes)?;
        Ok(())
    }

    async fn annotations_of(&mut self, messages: &[String]) -> Done<Vec<Option<String>>> {
        self.enter(Capability::Annotations)?;
        let ids: Vec<MessageId> = parse_many("message", messages)?;
        let committed = Arc::clone(&self.bridge).annotations(&self.caller, &ids).await?;
        let own = |(id, committed): (&MessageId, Option<Option<String>>)| match self.annotated.get(id) {
            Some(issued) => issued.clone(),
            None => committed.flatten(),
        };
        Ok(ids.iter().zip(committed).map(own).collect())
    }

    fn annotate(&mut self, message: &str, value: Option<String>) -> Done<u32> {
        self.enter_effect(Capability::Annotations)?;
        let message = parse("message", message)?;
        if let Some(value) = &value {
            json("an annotation", value, self.limits.value_bytes, false)?;
        }
        self.annotated.insert(message, value.clone());
        let bytes = value.as_ref().map_or(0, String::len);
        Ok(self.issue_effect(Effect::Annotate { message, value }, bytes)?)
    }

    fn mention(&mut self, message: &str, targets: Vec<Target>) -> Done<u32> {
        self.enter_costly(Capability::Mentions, |effect| matches!(effect, Effect::Mention { .. }), MENTIONS)?;
        let message = parse("message", message)?;
        if targets.len() > MANY {
            return Err(invalid(format!("a message mentions at most {MANY} targets")));
        }
        let meant = |target| {
            Ok(match target {
                Target::User(id) => MentionTarget::User(parse("user", &id)?),
                Target::Everyone => MentionTarget::Everyone,
                Target::Online => MentionTarget::Online,
                Target::WorkspaceRole(role) => MentionTarget::WorkspaceRole(convert::meant_workspace_role(role)),
                Target::ConversationRole(role) => {
                    MentionTarget::ConversationRole(convert::meant_conversation_role(role))
                }
            })
        };
        let targets: Vec<MentionTarget> = targets.into_iter().map(meant).collect::<Done<_>>()?;
        let bytes = targets.len() * size_of::<MentionTarget>();
        Ok(self.issue_effect(Effect::Mention { message, targets }, bytes)?)
    }

    fn notify(&mut self, notice: notices::Notice) -> Done<u32> {
        self.enter_effect(Capability::Notices)?;
        check_word(&notice.kind).map_err(|what| invalid(format!("the kind of a notice: {what}")))?;
        json("a notice", &notice.payload, PAYLOAD_MAX, true)?;
        let audience = match notice.audience {
            notices::Audience::Users(ids) => Audience::Users(parse_many("user", &ids)?),
            notices::Audience::Conversation(id) => {
                let id = parse("conversation", &id)?;
                self.within_grant(id)?;
                Audience::Conversation(id)
            }
            notices::Audience::Moderators => Audience::Moderators,
            notices::Audience::Admins => Audience::Admins,
        };
        let bytes = notice.payload.len() + notice.kind.len();
        Ok(self.issue_effect(Effect::Notify(Notice { audience, kind: notice.kind, payload: notice.payload }), bytes)?)
    }
}
