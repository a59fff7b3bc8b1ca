//! What people do beside talking: block each other, set something for themselves, ask for support and give it.

use std::collections::BTreeSet;

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

use super::{super::model::list, Doing, Driver, Operation, Outcome, Room, perform};
use crate::support::{Person, person::text};

pub enum Aside {
    Block { whom: String, how: &'static str },
    Set { conversation: String, settings: Value },
    Ask { title: String },
    Assign { keeper: Person, conversation: String, assignee: Option<(usize, String)> },
    Resolve { by: Option<Person>, conversation: String },
}

/// What the driver has to remember of it.
pub struct Learned {
    kind: Kind,
    payload: Value,
}

enum Kind {
    Asked { creator: usize },
    Assigned { conversation: String, assignee: Option<usize> },
    Done,
}

impl Driver {
    pub(super) fn draw_aside(&mut self, node: usize, actor: usize) -> Operation {
        let some = self.random.below(self.clients.len());
        let (whom, keeper) = (self.clients[some].person.id.clone(), self.keeper.clone());
        let (aside, actor) = match self.random.below(10) {
            // More often than not, so that there are some whom nobody blocks.
            0..4 => {
                let how = if self.random.chance(40) { "userBlock" } else { "userUnblock" };
                (Aside::Block { whom, how }, actor)
            }
            4..7 if !self.rooms.is_empty() => {
                let room = self.random.below(self.rooms.len());
                let conversation = self.rooms[room].id.clone();
                let settings = match self.random.below(4) {
                    0 => json!({ "isPinned": self.random.chance(50) }),
                    1 => json!({ "mutedUntil": "9999-01-01T00:00:00.000Z", "notificationLevel": "NOTHING" }),
                    2 => json!({ "mutedUntil": null, "sound": null }),
                    _ => json!({ "sound": format!("sound {}", self.count) }),
                };
                (Aside::Set { conversation: conversation.clone(), settings }, self.member_or(&conversation, actor))
            }
            7..9 if !self.requests.is_empty() => {
                let conversation = self.random.pick(&self.requests).clone();
                if self.random.chance(25) {
                    // By who opened it or gives support, and now and then by somebody who may not.
                    let by = Some(keeper).filter(|_| self.random.chance(50));
                    (Aside::Resolve { by, conversation: conversation.clone() }, self.member_or(&conversation, actor))
                } else {
                    let assignee = Some((some, whom)).filter(|_| self.random.chance(80));
                    (Aside::Assign { keeper, conversation, assignee }, actor)
                }
            }
            _ => (Aside::Ask { title: format!("help {}", self.count) }, actor),
        };
        Operation { node, actor, doing: Doing::Aside(aside) }
    }

    pub(super) fn learn_aside(&mut self, learned: Learned) {
        let Learned { kind, payload } = learned;
        if !list(&payload["errors"]).is_empty() {
            return;
        }
        self.aside += 1;
        match kind {
            Kind::Asked { creator } => {
                let id = text(&payload["conversation"]["id"]);
                self.requests.push(id.clone());
                let members = BTreeSet::from([creator]);
                self.rooms.push(Room { id, is_group: false, owner: creator, members, is_full: true });
            }
            Kind::Assigned { conversation, assignee } => {
                let room = self.rooms.iter_mut().find(|room| room.id == conversation).expect("a room that is known");
                room.members.extend(assignee);
            }
            Kind::Done => {}
        }
    }
}

impl Aside {
    pub fn run<'a>(self, actor: usize, person: Person) -> BoxFuture<'a, Outcome> {
        let outcome = |kind, payload| Outcome::Aside(Learned { kind, payload });
        match self {
            Aside::Block { whom, how } => {
                async move { outcome(Kind::Done, perform(&person, how, json!({ "userId": whom }), "").await) }.boxed()
            }
            Aside::Set { conversation, mut settings } => async move {
                settings["conversationId"] = json!(conversation);
                outcome(Kind::Done, perform(&person, "conversationSettingsUpdate", settings, "").await)
            }
            .boxed(),
            Aside::Ask { title } => async move {
                let payload = person.create(json!({ "type": "SUPPORT", "title": title, "memberIds": [] })).await;
                outcome(Kind::Asked { creator: actor }, payload)
            }
            .boxed(),
            Aside::Assign { keeper, conversation, assignee } => async move {
                let (assignee, id) = assignee.unzip();
                let input = json!({ "conversationId": conversation, "assigneeId": id });
                let keeper = Person { url: person.url, ..keeper };
                let payload = perform(&keeper, "conversationAssign", input, "").await;
                outcome(Kind::Assigned { conversation, assignee }, payload)
            }
            .boxed(),
            Aside::Resolve { by, conversation } => async move {
                let by = by.map_or_else(|| person.clone(), |by| Person { url: person.url.clone(), ..by });
                let input = json!({ "conversationId": conversation });
                outcome(Kind::Done, perform(&by, "conversationResolve", input, "").await)
            }
            .boxed(),
        }
    }
}
