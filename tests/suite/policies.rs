//! Every policy bites: each number and switch that an admin may change is changed, and what it forbids or lets through is tried
//! on both sides of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, World,
        account::{PASSWORD, bearer, does, open, refresh, sign_in, sign_up},
        person::{refusal, text},
        within,
    },
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

stories! {
    /// F, C-03, C-04, C-06, L-03, M-01, M-05, M-06, R-05
    async fn every_policy_bites(backend) {
        let world = World::new(backend).await;
        let stage = Stage::set(world).await;
        let fields = "{ __type(name: \"WorkspacePolicy\") { fields { name type { ofType { name } } } } }";
        let policies = stage.owner.ask(fields, json!({})).await["__type"]["fields"].take();
        let policies = policies.as_array().expect("fields");
        assert!(policies.len() >= 16, "{policies:?}");
        for policy in policies {
            stage.shows(&text(&policy["name"])).await;
        }
    }

    /// F: A-06
    async fn every_number_has_bounds(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let fields = "{ __type(name: \"WorkspacePolicy\") { fields { name type { ofType { name } } } } }";
        let policies = owner.ask(fields, json!({})).await["__type"]["fields"].take();
        let numbers = policies.as_array().expect("fields").iter().filter(|field| field["type"]["ofType"]["name"] == json!("Int"));
        let mut count = 0;
        for name in numbers.map(|field| text(&field["name"])) {
            let mut bounds = Vec::new();
            // Far outside, which tells the bounds; then at them, and right outside.
            let refused = change(&owner, &name, json!(i32::MAX)).await;
            assert_eq!(refusal(&refused), ("INVALID".into(), json!(["input", name])));
            let said = text(&refused["errors"][0]["message"]);
            assert!(said.starts_with(&name), "{said}");
            let words: Vec<&str> = said.rsplitn(4, ' ').collect();
            for word in [words[2], words[0]] {
                bounds.push(word.parse::<u64>().expect("a bound"));
            }
            for good in &bounds {
                assert_eq!(change(&owner, &name, json!(good)).await["errors"], json!([]), "{name} {good}");
                let found = owner.ask(&format!("{{ workspace {{ policy {{ {name} }} }} }}"), json!({})).await;
                assert_eq!(found["workspace"]["policy"][&name], json!(good));
            }
            let below = bounds[0].checked_sub(1);
            for bad in below.into_iter().chain([bounds[1] + 1]) {
                assert_eq!(refusal(&change(&owner, &name, json!(bad)).await).0, "INVALID", "{name} {bad}");
            }
            count += 1;
        }
        assert!(count >= 13, "{count}");
    }
}

/// Who has something to do with policies.
struct Stage {
    world: World,
    owner: Person,
    ann: Person,
    bob: Person,
    tea: String,
}

impl Stage {
    async fn set(world: World) -> Self {
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        open(&owner, "OPEN").await;
        Stage { world, owner, ann, bob, tea }
    }

    async fn set_to(&self, name: &str, value: Value) {
        let done = change(&self.owner, name, value).await;
        assert_eq!(done["errors"], json!([]), "{name}");
    }

    async fn say(&self, input: Value) -> Value {
        let mut all = json!({ "conversationId": self.tea, "body": "tea" });
        for (name, value) in input.as_object().expect("an object") {
            all[name] = value.clone();
        }
        self.ann.send(all).await
    }

    /// Changes a policy, and shows what differs by it.
    async fn shows(&self, name: &str) {
        let Stage { world, owner, ann, bob, tea } = self;
        match name {
            "bodyMaxCharacters" => {
                for (max, code) in [(4, Some("TOO_LONG")), (5, None)] {
                    self.set_to(name, json!(max)).await;
                    check(&self.say(json!({ "body": "12345" })).await, code);
                }
                self.set_to(name, json!(10_000)).await;
            }
            "metadataMaxBytes" => {
                for (max, code) in [(6, Some("TOO_LONG")), (7, None)] {
                    self.set_to(name, json!(max)).await;
                    check(&self.say(json!({ "metadata": { "a": 1 } })).await, code);
                }
            }
            "editWindowSeconds" => {
                let message = text(&ann.say(tea, "tea").await["id"]);
                world.clock.advance(Duration::from_secs(10));
                for (window, code) in [(9, Some("TOO_LATE")), (10, None)] {
                    self.set_to(name, json!(window)).await;
                    check(&does(ann, "messageEdit", json!({ "messageId": message, "body": "more" }), "").await, code);
                }
            }
            "deleteWindowSeconds" => {
                // Not by who runs the group, for whom it is never too late.
                let message = text(&bob.say(tea, "tea").await["id"]);
                world.clock.advance(Duration::from_secs(10));
                for (window, code) in [(9, Some("TOO_LATE")), (10, None)] {
                    self.set_to(name, json!(window)).await;
                    check(&self.delete(&message).await, code);
                }
            }
            "groupMaxMembers" => {
                let eve = world.person("eve").await;
                for (max, code) in [(2, Some("LIMIT_REACHED")), (3, None)] {
                    self.set_to(name, json!(max)).await;
                    check(&ann.add(tea, &[&eve]).await, code);
                }
            }
            "typingTtlSeconds" => {
                for seconds in [3, 30] {
                    self.set_to(name, json!(seconds)).await;
                    let until = does(ann, "typingStart", json!({ "conversationId": tea }), "expiresAt").await;
                    let expected = world.clock.now() + Duration::from_secs(seconds);
                    assert_eq!(until["expiresAt"], json!(expected.to_string()));
                }
            }
            "eventRetentionDays" => self.shows_event_retention(name).await,
            "sessionDays" => {
                for (days, code) in [(1, Some("WRONG_CREDENTIALS")), (3, None)] {
                    self.set_to(name, json!(days)).await;
                    let made = sign_up(world, &format!("guest-of-{days}"), json!({})).await;
                    world.clock.advance(DAY * 2);
                    check(&refresh(world, &made["credentials"]["refreshToken"]).await, code);
                }
            }
            "accessTokenMinutes" => {
                for (minutes, is_good) in [(1, false), (10, true)] {
                    self.set_to(name, json!(minutes)).await;
                    let made = sign_up(world, &format!("reader-for-{minutes}"), json!({})).await;
                    let reader = bearer(world, &made).await;
                    world.clock.advance(Duration::from_secs(5 * 60));
                    assert_eq!(
                        reader.answer("{ workspace { id } }", json!({})).await["data"].is_object(),
                        is_good,
                        "{minutes}"
                    );
                }
            }
            "passwordMinCharacters" => {
                for (min, code) in [(13, Some("TOO_SHORT")), (12, None)] {
                    self.set_to(name, json!(min)).await;
                    check(&sign_up(world, "terse-one", json!({ "password": "twelve chars" })).await, code);
                }
                self.set_to(name, json!(10)).await;
            }
            "passwordResetMinutes" => {
                let made = sign_up(world, "forgetful", json!({})).await;
                let user = bearer(world, &made).await;
                for (minutes, code) in [(5, Some("WRONG_CREDENTIALS")), (20, None)] {
                    self.set_to(name, json!(minutes)).await;
                    let reset = does(owner, "passwordResetRequest", json!({ "userId": user.id }), "code").await;
                    world.clock.advance(Duration::from_secs(10 * 60));
                    let input = json!({ "code": reset["code"], "newPassword": PASSWORD });
                    check(&does(&Person::nobody(world), "passwordReset", input, "login").await, code);
                }
            }
            "signInAttempts" => {
                sign_up(world, "clumsy-one", json!({})).await;
                for _ in 0..4 {
                    assert_eq!(refusal(&sign_in(world, "clumsy-one", "wrong by far").await).0, "WRONG_CREDENTIALS");
                }
                for (most, code) in [(4, Some("TOO_MANY_ATTEMPTS")), (5, None)] {
                    self.set_to(name, json!(most)).await;
                    check(&sign_in(world, "clumsy-one", PASSWORD).await, code);
                }
            }
            "invitationDays" => {
                open(owner, "INVITED").await;
                for (days, code) in [(1, Some("NOT_FOUND")), (3, None)] {
                    self.set_to(name, json!(days)).await;
                    let made = does(owner, "invitationCreate", json!({}), "code").await;
                    world.clock.advance(DAY * 2);
                    check(
                        &sign_up(world, &format!("invited-for-{days}"), json!({ "invitationCode": made["code"] }))
                            .await,
                        code,
                    );
                }
                open(owner, "OPEN").await;
            }
            "messagesAreKept" => {
                let message = text(&bob.say(tea, "tea").await["id"]);
                for (kept, code) in [(true, Some("FORBIDDEN_BY_POLICY")), (false, None)] {
                    self.set_to(name, json!(kept)).await;
                    check(&self.delete(&message).await, code);
                }
            }
            "conversationsAreKept" => {
                let short = ann.group("Short-lived", &[bob]).await;
                for (kept, code) in [(true, Some("FORBIDDEN_BY_POLICY")), (false, None)] {
                    self.set_to(name, json!(kept)).await;
                    check(&does(ann, "conversationDelete", json!({ "conversationId": short }), "").await, code);
                }
            }
            "contextForMembers" => self.shows_context(name).await,
            other => panic!("nobody has shown yet that {other} bites: do it here"),
        }
    }

    async fn delete(&self, message: &str) -> Value {
        does(&self.bob, "messageDelete", json!({ "messageId": message, "forEveryone": true }), "deletedMessageId").await
    }

    /// Whether somebody can come back with a cursor of ten days ago.
    async fn shows_event_retention(&self, name: &str) {
        for (days, reaches) in [(30, true), (5, false)] {
            self.set_to(name, json!(days)).await;
            let cursor = self.ann.cursor().await;
            self.ann.say(&self.tea, "ten days ago").await;
            self.world.clock.advance(DAY * 10);
            // Within an hour what is too old is taken from the log.
            self.world.clock.advance(HOUR);
            let first = async {
                loop {
                    let mut socket = self.ann.socket().await;
                    let first = socket.follow("s", json!({ "after": cursor })).await.remove(0);
                    if (first["__typename"] != json!("ResyncRequired")) == reaches {
                        return first;
                    }
                }
            };
            within("what the policy keeps", first).await;
        }
    }

    async fn shows_context(&self, name: &str) {
        let admin = self.world.person_with("max", json!({ "roles": ["admin"] })).await;
        let bot = self.world.person_with("beep", json!({ "roles": ["bot"] })).await;
        let moderator = self.world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        for (allowed, number) in [(false, 1), (true, 2)] {
            self.set_to(name, json!(allowed)).await;
            for (person, always) in
                [(&self.ann, false), (&moderator, false), (&admin, true), (&bot, true), (&self.owner, true)]
            {
                let about = |kind: &str, members: &[&str]| {
                    let title = if kind == "GROUP" { json!("Room") } else { Value::Null };
                    json!({ "type": kind, "title": title, "memberIds": members, "context": { "type": "booking", "id": format!("{number}") } })
                };
                let code = (!allowed && !always).then_some("FORBIDDEN_BY_POLICY");
                for refused in [about("GROUP", &[]), about("DIRECT", &[&self.bob.id]), about("SUPPORT", &[])] {
                    let made = person.create(refused).await;
                    check(&made, code);
                    if code.is_some() {
                        assert_eq!(refusal(&made).1, json!(["input", "context"]));
                    }
                }
                check(&person.create(json!({ "type": "DIRECT", "memberIds": [self.bob.id] })).await, None);
            }
        }
    }
}

/// Whether a payload says no with this code, or not at all.
fn check(payload: &Value, code: Option<&str>) {
    let codes: Vec<&str> =
        payload["errors"].as_array().expect("errors").iter().filter_map(|error| error["code"].as_str()).collect();
    assert_eq!(codes, code.into_iter().collect::<Vec<_>>(), "{payload}");
}

async fn change(owner: &Person, name: &str, value: Value) -> Value {
    does(owner, "workspacePolicyUpdate", json!({ name: value }), "workspace { id }").await
}
