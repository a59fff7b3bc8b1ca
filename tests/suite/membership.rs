//! Coming into conversations and going out of them; and what those see who come late, come again, or were sent away.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, Socket, World,
        account::{does, open, sign_up},
        person::{refusal, text},
        socket::bodies,
    },
};

stories! {
    /// F: C-05, A-04, G-03
    async fn people_are_sent_away_by_those_who_may(backend) {
        let world = World::new(backend).await;
        let keeper = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let [ann, bob, cid, dan, eve] = people(&world).await;
        let tea = ann.group("Tea", &[&bob, &cid, &dan]).await;
        for person in [&bob, &cid] {
            assert_eq!(give(&ann, &tea, person, "ADMIN").await["member"]["role"], json!("ADMIN"));
        }
        let not_found = |field: &str| ("NOT_FOUND".to_owned(), json!(["input", field]));
        assert_eq!(refusal(&remove(&dan, &tea, &bob).await).0, "NOT_ALLOWED", "members send nobody away");
        assert_eq!(refusal(&remove(&bob, &tea, &cid).await).0, "NOT_ALLOWED", "nor admins one another");
        assert_eq!(refusal(&remove(&bob, &tea, &ann).await).0, "NOT_ALLOWED", "nor an owner");
        assert_eq!(refusal(&remove(&bob, &tea, &bob).await), ("INVALID".into(), json!(["input", "memberId"])), "nor oneself");
        assert_eq!(refusal(&remove(&bob, &tea, &eve).await), not_found("memberId"));
        assert_eq!(refusal(&remove(&eve, &tea, &bob).await), not_found("conversationId"));
        assert_eq!(remove(&bob, &tea, &dan).await["conversation"]["memberCount"], json!(3));
        assert_eq!(remove(&ann, &tea, &cid).await["conversation"]["memberCount"], json!(2));
        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        assert_eq!(refusal(&remove(&ann, &direct, &bob).await), ("INVALID".into(), json!(["input", "conversationId"])));

        let record = keeper.ask("{ auditLog(last: 2) { nodes { action target actor { name } details { name value } } } }", json!({})).await;
        let sent_away = |whom: &Person, by: &str, role: &str| json!({
            "action": "CONVERSATION_MEMBER_REMOVED", "target": whom.id, "actor": { "name": by },
            "details": [{ "name": "conversation", "value": tea }, { "name": "role", "value": role }],
        });
        assert_eq!(record["auditLog"]["nodes"], json!([sent_away(&dan, "bob", "member"), sent_away(&cid, "ann", "admin")]));
    }

    /// F: C-05, A-04, G-03
    async fn roles_are_given_by_owners_of_whom_one_is_always_left(backend) {
        let world = World::new(backend).await;
        let keeper = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let [ann, bob, cid, _, eve] = people(&world).await;
        let tea = ann.group("Tea", &[&bob, &cid]).await;
        let mut socket = cid.socket().await;
        socket.follow("e", json!({})).await;

        let last = give(&ann, &tea, &ann, "MEMBER").await;
        assert_eq!(refusal(&last), ("NOT_ALLOWED".into(), json!(["input", "role"])));
        assert_eq!(give(&ann, &tea, &bob, "ADMIN").await["member"], json!({ "role": "ADMIN", "user": { "id": bob.id } }));
        assert_eq!(give(&ann, &tea, &bob, "ADMIN").await["errors"], json!([]), "which is no news");
        assert_eq!(refusal(&give(&bob, &tea, &cid, "ADMIN").await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&give(&ann, &tea, &eve, "ADMIN").await), ("NOT_FOUND".into(), json!(["input", "memberId"])));
        assert_eq!(refusal(&give(&eve, &tea, &bob, "ADMIN").await).0, "NOT_FOUND");
        assert_eq!(give(&ann, &tea, &bob, "OWNER").await["member"]["role"], json!("OWNER"));
        assert_eq!(give(&ann, &tea, &ann, "MEMBER").await["member"]["role"], json!("MEMBER"), "there is another now");
        ann.say(&tea, "a fence").await;
        let told: Vec<(String, String)> = socket.until_body("e", "a fence").await.iter()
            .filter(|event| event["__typename"] == json!("ConversationMemberUpdated"))
            .map(|event| (text(&event["user"]["name"]), text(&event["member"]["role"])))
            .collect();
        assert_eq!(told.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["bob", "bob", "ann"]);
        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        assert_eq!(refusal(&give(&ann, &direct, &bob, "OWNER").await), ("INVALID".into(), json!(["input", "conversationId"])));

        // It is handed over as a whole: nobody and nothing is in between.
        let transfer = |from: &Person, to: &Person| {
            let (from, input) = (from.clone(), json!({ "conversationId": tea, "memberId": to.id }));
            async move { does(&from, "conversationTransfer", input, "conversation { viewerRole }").await }
        };
        assert_eq!(refusal(&transfer(&ann, &cid).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&transfer(&bob, &bob).await), ("INVALID".into(), json!(["input", "memberId"])));
        assert_eq!(refusal(&transfer(&bob, &eve).await), ("NOT_FOUND".into(), json!(["input", "memberId"])));
        assert_eq!(refusal(&transfer(&eve, &bob).await).0, "NOT_FOUND");
        assert_eq!(transfer(&bob, &cid).await["conversation"]["viewerRole"], json!("ADMIN"));
        assert_eq!(roles(&ann, &tea).await, [("ann", "MEMBER"), ("bob", "ADMIN"), ("cid", "OWNER")].map(pair));
        let record = keeper.ask("{ auditLog(last: 1) { nodes { action target details { value } } } }", json!({})).await;
        assert_eq!(record["auditLog"]["nodes"], json!([{ "action": "CONVERSATION_TRANSFERRED", "target": tea, "details": [{ "value": cid.id }] }]));
    }

    /// F: C-05
    async fn the_last_owner_leaves_a_successor_and_the_last_member_an_archive(backend) {
        let world = World::new(backend).await;
        let [ann, bob, cid, _, eve] = people(&world).await;
        let tea = ann.group("Tea", &[&bob, &cid]).await;
        assert_eq!(refusal(&leave(&ann, &tea, None).await), ("NOT_ALLOWED".into(), json!(["input", "successorId"])));
        assert_eq!(refusal(&leave(&ann, &tea, Some(&ann)).await), ("INVALID".into(), json!(["input", "successorId"])));
        assert_eq!(refusal(&leave(&ann, &tea, Some(&eve)).await), ("NOT_FOUND".into(), json!(["input", "successorId"])));
        assert_eq!(refusal(&leave(&cid, &tea, Some(&bob)).await).0, "NOT_ALLOWED", "who owns nothing leaves nothing");
        assert_eq!(refusal(&leave(&eve, &tea, None).await).0, "NOT_FOUND");
        assert_eq!(leave(&ann, &tea, Some(&bob)).await["conversationId"], json!(tea));
        assert_eq!(roles(&bob, &tea).await, [("bob", "OWNER"), ("cid", "MEMBER")].map(pair));
        assert_eq!(refusal(&leave(&ann, &tea, None).await).0, "NOT_FOUND", "and is gone");
        assert_eq!(ann.ask("query($c: ID!) { conversation(id: $c) { id } }", json!({ "c": tea })).await["conversation"], Value::Null);

        let code = does(&bob, "conversationInvitationCreate", json!({ "conversationId": tea }), "code").await["code"].clone();
        does(&bob, "conversationUpdate", json!({ "conversationId": tea, "visibility": "PUBLIC" }), "").await;
        assert_eq!(leave(&cid, &tea, None).await["errors"], json!([]));
        assert_eq!(leave(&bob, &tea, None).await["errors"], json!([]));
        // Nobody is left, and nobody comes back.
        let input = json!({ "conversationId": tea });
        assert_eq!(refusal(&does(&ann, "conversationJoin", input, "").await).0, "NOT_FOUND");
        assert_eq!(refusal(&does(&ann, "conversationJoin", json!({ "code": code }), "").await).0, "NOT_FOUND");
        let found = ann.ask("{ publicConversations(first: 10) { nodes { id } } }", json!({})).await;
        assert_eq!(found["publicConversations"]["nodes"], json!([]));

        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        assert_eq!(refusal(&leave(&ann, &direct, None).await), ("INVALID".into(), json!(["input", "conversationId"])));
    }

    /// F: C-05, U-05
    async fn who_is_shut_out_of_the_workspace_is_no_owner_to_leave_a_group_to(backend) {
        let world = World::new(backend).await;
        let keeper = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let [ann, bob, cid, _, _] = people(&world).await;
        let tea = ann.group("Tea", &[&bob, &cid]).await;
        let owner = json!({ "conversationId": tea, "memberId": bob.id, "role": "OWNER" });
        assert_eq!(does(&ann, "conversationMemberUpdate", owner, "").await["errors"], json!([]));
        for shut_out in [&bob, &cid] {
            does(&keeper, "userDeactivate", json!({ "userId": shut_out.id }), "").await;
        }
        assert_eq!(refusal(&leave(&ann, &tea, None).await), ("NOT_ALLOWED".into(), json!(["input", "successorId"])));
        assert_eq!(refusal(&leave(&ann, &tea, Some(&cid)).await), ("INVALID".into(), json!(["input", "successorId"])));
        let hand_over = json!({ "conversationId": tea, "memberId": cid.id });
        let refused = does(&ann, "conversationTransfer", hand_over, "").await;
        assert_eq!(refusal(&refused), ("INVALID".into(), json!(["input", "memberId"])));
        does(&keeper, "userReactivate", json!({ "userId": bob.id }), "").await;
        assert_eq!(leave(&ann, &tea, None).await["errors"], json!([]), "who is back owns it still");
    }

    /// F: C-04, C-09
    async fn coming_in_at_the_limit_from_all_sides_never_goes_over_it(backend) {
        let world = Setup::new(backend).nodes(2).config(|config| config.policy.group_max_members = 10).start().await;
        let ann = world.person("ann").await;
        let tea = public(&ann, "FULL").await;
        let input = json!({ "conversationId": tea, "uses": 1_000 });
        let code = does(&ann, "conversationInvitationCreate", input, "code").await["code"].clone();
        let mut people = Vec::new();
        for number in 0..30 {
            people.push(world.person(&format!("p{number}")).await);
        }
        let attempts = people.iter().enumerate().map(|(number, person)| {
            let (ann, tea, code, person) = (ann.at(&world, number), tea.clone(), code.clone(), person.at(&world, number / 3));
            async move {
                match number % 3 {
                    0 => ann.add(&tea, &[&person]).await,
                    1 => does(&person, "conversationJoin", json!({ "conversationId": tea }), "").await,
                    _ => does(&person, "conversationJoin", json!({ "code": code }), "").await,
                }
            }
        });
        let outcomes = join_all(attempts).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome["errors"] == json!([])).count(), 9);
        for refused in outcomes.iter().filter(|outcome| outcome["errors"] != json!([])) {
            assert_eq!(refusal(refused).0, "LIMIT_REACHED");
        }
        let query = "query($c: ID!) { conversation(id: $c) { memberCount members(first: 100) { nodes { role } } } }";
        let found = ann.ask(query, json!({ "c": tea })).await["conversation"].clone();
        assert_eq!((&found["memberCount"], found["members"]["nodes"].as_array().map(Vec::len)), (&json!(10), Some(10)));
    }

    /// F: C-09
    async fn an_invitation_lets_as_many_in_as_it_says_and_as_long(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let keeper = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let [ann, bob, cid, dan, eve] = people(&world).await;
        let stranger = world.person_of("elsewhere", "stranger", "member").await;
        let tea = ann.group("Tea", &[&bob]).await;
        let all = "code invitation { id usesLeft expiresAt creator { name } createdAt }";
        let invite = |person: &Person, mut input: Value| {
            input["conversationId"] = json!(tea);
            let person = person.clone();
            async move { does(&person, "conversationInvitationCreate", input, all).await }
        };
        let join = |person: &Person, code: &Value| {
            let (person, input) = (person.at(&world, 1), json!({ "code": code }));
            async move { does(&person, "conversationJoin", input, "conversation { id memberCount }").await }
        };
        assert_eq!(refusal(&invite(&bob, json!({})).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&invite(&eve, json!({})).await).0, "NOT_FOUND");
        assert_eq!(refusal(&invite(&ann, json!({ "uses": 0 })).await), ("INVALID".into(), json!(["input", "uses"])));
        let too_late = (world.clock.now() + Duration::from_hours(24 * 8)).to_string();
        assert_eq!(refusal(&invite(&ann, json!({ "expiresAt": too_late })).await), ("INVALID".into(), json!(["input", "expiresAt"])));
        let two = invite(&ann, json!({ "uses": 2 })).await;
        assert_eq!((&two["invitation"]["usesLeft"], &two["invitation"]["creator"]["name"]), (&json!(2), &json!("ann")));

        let not_found = ("NOT_FOUND".to_owned(), json!(["input", "code"]));
        assert_eq!(refusal(&join(&stranger, &two["code"]).await), not_found, "it is of this workspace");
        assert_eq!(join(&bob, &two["code"]).await["errors"], json!([]), "who is in uses nothing up");
        assert_eq!(join(&cid, &two["code"]).await["conversation"]["id"], json!(tea));
        let list = "query($c: ID!) { conversation(id: $c) { invitations(first: 10) { nodes { id usesLeft } } } }";
        let listed = ann.ask(list, json!({ "c": tea })).await["conversation"]["invitations"]["nodes"].clone();
        assert_eq!(listed, json!([{ "id": two["invitation"]["id"], "usesLeft": 1 }]));
        assert_eq!(bob.ask(list, json!({ "c": tea })).await["conversation"]["invitations"], Value::Null);
        assert_eq!(join(&dan, &two["code"]).await["conversation"]["memberCount"], json!(4));
        assert_eq!(refusal(&join(&eve, &two["code"]).await), not_found, "it is used up");

        let late = invite(&ann, json!({ "expiresAt": (world.clock.now() + Duration::from_hours(1)).to_string() })).await;
        world.clock.advance(Duration::from_hours(1));
        assert_eq!(refusal(&join(&eve, &late["code"]).await), not_found, "it is too old");

        let taken = invite(&ann, json!({})).await;
        let revoke = |person: &Person, id: &Value| {
            let (person, input) = (person.clone(), json!({ "invitationId": id }));
            async move { does(&person, "conversationInvitationRevoke", input, "invitation { id }").await }
        };
        let id = &taken["invitation"]["id"];
        assert_eq!(refusal(&revoke(&bob, id).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&revoke(&eve, id).await), ("NOT_FOUND".into(), json!(["input", "invitationId"])));
        assert_eq!(revoke(&ann, id).await["invitation"]["id"], *id);
        assert_eq!(refusal(&revoke(&ann, id).await).0, "NOT_FOUND");
        assert_eq!(refusal(&join(&eve, &taken["code"]).await), not_found, "it was taken back");

        // One door is not the other.
        open(&keeper, "INVITED").await;
        let here = invite(&ann, json!({})).await;
        let there = does(&keeper, "invitationCreate", json!({}), "code invitation { id }").await;
        let signed_up = sign_up(&world, "newcomer", json!({ "invitationCode": here["code"] })).await;
        assert_eq!(refusal(&signed_up), ("NOT_FOUND".into(), json!(["input", "invitationCode"])));
        assert_eq!(refusal(&join(&eve, &there["code"]).await), not_found);
        assert_eq!(refusal(&revoke(&ann, &there["invitation"]["id"]).await).0, "NOT_FOUND");
        let of_workspace = does(&keeper, "invitationRevoke", json!({ "invitationId": here["invitation"]["id"] }), "").await;
        assert_eq!(refusal(&of_workspace).0, "NOT_FOUND");
        assert_eq!(sign_up(&world, "newcomer", json!({ "invitationCode": there["code"] })).await["errors"], json!([]));
        assert_eq!(join(&eve, &here["code"]).await["errors"], json!([]));

        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        let of_two = does(&ann, "conversationInvitationCreate", json!({ "conversationId": direct }), all).await;
        assert_eq!(refusal(&of_two), ("INVALID".into(), json!(["input", "conversationId"])));
        let record = keeper.ask("{ auditLog(last: 100) { nodes { action details { name value } } } }", json!({})).await;
        let of_tea = json!({ "name": "conversation", "value": tea });
        let lines = record["auditLog"]["nodes"].as_array().expect("nodes").iter();
        let lines = lines.filter(|line| line["details"].as_array().expect("details").contains(&of_tea));
        assert_eq!(lines.map(|line| text(&line["action"])).collect::<Vec<_>>(), [
            "INVITATION_CREATED", "INVITATION_CREATED", "INVITATION_CREATED", "INVITATION_REVOKED", "INVITATION_CREATED",
        ]);
    }

    /// F: C-05, L-03, R-05
    async fn who_was_sent_away_hears_that_and_nothing_more(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let [ann, bob, cid, ..] = people(&world).await;
        let (tea, other) = (ann.group("Tea", &[&bob, &cid]).await, ann.group("Other", &[&bob, &cid]).await);
        let cursor = bob.cursor().await;
        let mut events = bob.at(&world, 1).socket().await;
        events.follow("e", json!({})).await;
        let mut of_cid = cid.at(&world, 1).socket().await;
        of_cid.follow("e", json!({})).await;
        let mut signals = bob.at(&world, 1).socket().await;
        listen(&mut signals, &ann, &tea).await;
        does(&bob, "typingStart", json!({ "conversationId": tea }), "").await;
        typing(&cid, &tea, &["bob"]).await;
        ann.say(&tea, "for all").await;
        events.until_body("e", "for all").await;
        of_cid.until_body("e", "for all").await;

        remove(&ann, &tea, &bob).await;
        typing(&cid, &tea, &[]).await;
        ann.say(&tea, "without bob").await;
        does(&ann, "typingStart", json!({ "conversationId": tea }), "").await;
        does(&ann, "typingStart", json!({ "conversationId": other }), "").await;
        ann.say(&other, "a fence").await;
        let heard = events.until_body("e", "a fence").await;
        let kinds: Vec<String> = heard.iter().map(|event| text(&event["__typename"])).collect();
        assert_eq!(kinds, ["ConversationLeft", "MessageSent"], "{heard:?}");
        assert_eq!(heard[0]["conversationId"], json!(tea));
        let heard = of_cid.until_body("e", "a fence").await;
        let kinds: Vec<String> = heard.iter().map(|event| text(&event["__typename"])).collect();
        assert_eq!(kinds, ["ConversationMembersRemoved", "MessageSent", "MessageSent"]);
        assert_eq!((&heard[0]["users"], &heard[0]["conversation"]["id"]), (&json!([{ "id": bob.id }]), &json!(tea)));
        // What bob's listening tells him after that is of the other conversation: his own end of typing he may have heard.
        loop {
            let signal = signals.next("s").await["data"]["signals"].take();
            if signal["conversation"]["id"] == json!(other) {
                break;
            }
            assert_ne!((&signal["__typename"], &signal["user"]["name"]), (&json!("TypingStarted"), &json!("cid")));
        }

        let gone = "query($c: ID!) { conversation(id: $c) { id } }";
        assert_eq!(bob.ask(gone, json!({ "c": tea })).await["conversation"], Value::Null);
        assert_eq!(refusal(&bob.send(json!({ "conversationId": tea, "body": "hello?" })).await).0, "NOT_FOUND");
        let start = does(&bob, "typingStart", json!({ "conversationId": tea }), "").await;
        assert_eq!(refusal(&start).0, "NOT_FOUND");
        let missed = bob.socket().await.follow("e", json!({ "after": cursor })).await;
        let kinds: Vec<String> = missed.iter().map(|event| text(&event["__typename"])).collect();
        assert_eq!(kinds, ["ConversationLeft", "MessageSent", "CaughtUp"], "{missed:?}");
    }

    /// F: C-09, M-07, M-05, R-03, L-03
    async fn newcomers_of_a_group_that_begins_anew_for_each_see_nothing_older(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let [ann, bob, cid, ..] = people(&world).await;
        let tea = public(&ann, "FROM_JOIN").await;
        ann.add(&tea, &[&bob]).await;
        let beginning = cid.cursor().await;
        let old = text(&ann.say(&tea, "old words").await["id"]);
        let mut before = cid.at(&world, 1).socket().await;
        before.follow("e", json!({})).await;
        let mut of_bob = bob.at(&world, 1).socket().await;
        let query = "subscription { events { __typename ... on MessageSent { message { body replyTo { body } } }
            ... on MessageEdited { sequence message { body } } } }";
        of_bob.subscribe("e", query, json!({})).await;
        of_bob.until_caught_up("e").await;
        // The same selection, so that one answer is made for both where it can be.
        let mut of_cid = cid.at(&world, 1).socket().await;
        of_cid.subscribe("e", query, json!({})).await;
        of_cid.until_caught_up("e").await;

        assert_eq!(does(&cid.at(&world, 1), "conversationJoin", json!({ "conversationId": tea }), "").await["errors"], json!([]));
        let look = "query($c: ID!, $m: ID!) { message(id: $m) { body } nodes(ids: [$m]) { id }
            conversation(id: $c) { lastMessage { body } unreadCount messages(first: 10) { nodes { body } }
                around: messages(last: 10) { nodes { replyTo { body } } } } unreadCounts { total } }";
        let found = cid.ask(look, json!({ "c": tea, "m": old })).await;
        assert_eq!(found, json!({
            "message": null, "nodes": [null], "unreadCounts": { "total": 0 },
            "conversation": { "lastMessage": null, "unreadCount": 0, "messages": { "nodes": [] }, "around": { "nodes": [] } },
        }));
        let around = "query($c: ID!, $m: ID!) { conversation(id: $c) { messages(first: 3, around: $m) { nodes { body } } } }";
        assert_eq!(cid.fault(around, json!({ "c": tea, "m": old })).await, "BAD_REQUEST");
        for what in ["messagesMarkRead", "messagesMarkDelivered"] {
            assert_eq!(refusal(&does(&cid, what, json!({ "messageIds": [old] }), "").await).0, "NOT_FOUND");
        }
        let reply = json!({ "conversationId": tea, "body": "to what?", "replyToId": old });
        assert_eq!(refusal(&cid.send(reply).await), ("NOT_FOUND".into(), json!(["input", "replyToId"])));

        // Something older is edited, and something newer replies to it.
        does(&ann, "messageEdit", json!({ "messageId": old, "body": "old words, mended" }), "").await;
        ann.send(json!({ "conversationId": tea, "body": "new words", "replyToId": old })).await;
        ann.say(&tea, "a fence").await;
        let heard = of_bob.until_body("e", "a fence").await;
        assert_eq!(bodies(&heard), ["old words, mended", "new words", "a fence"]);
        assert_eq!(heard.iter().find_map(|event| event["message"]["replyTo"]["body"].as_str()), Some("old words, mended"));
        let heard = of_cid.until_body("e", "a fence").await;
        assert_eq!(bodies(&heard), ["new words", "a fence"]);
        assert!(heard.iter().all(|event| event["message"]["replyTo"].is_null()), "{heard:?}");
        // Who was away hears the same.
        let missed = cid.socket().await.follow("e", json!({ "after": beginning })).await;
        assert_eq!(bodies(&missed), ["new words", "a fence"]);
        assert_eq!(bodies(&before.until_body("e", "a fence").await), ["new words", "a fence"]);
        let found = cid.ask(look, json!({ "c": tea, "m": old })).await;
        assert_eq!(found["conversation"]["messages"]["nodes"], json!([{ "body": "new words" }, { "body": "a fence" }]));
        assert_eq!(found["conversation"]["around"]["nodes"], json!([{ "replyTo": null }, { "replyTo": null }]));
        assert_eq!((&found["conversation"]["unreadCount"], &found["unreadCounts"]["total"]), (&json!(2), &json!(2)));
        // For who was there all the time nothing is different.
        assert_eq!(bob.history(&tea).await, ["old words, mended", "new words", "a fence"]);
        assert_eq!(bob.ask(look, json!({ "c": tea, "m": old })).await["conversation"]["unreadCount"], json!(3));

        // What the group says to newcomers changes for those who come from then on.
        does(&ann, "conversationUpdate", json!({ "conversationId": tea, "history": "FULL" }), "").await;
        assert_eq!(cid.history(&tea).await.len(), 2);
        leave(&cid, &tea, None).await;
        does(&cid, "conversationJoin", json!({ "conversationId": tea }), "").await;
        assert_eq!(cid.history(&tea).await.len(), 3);
    }

    /// F: C-05, C-09, L-03
    async fn who_leaves_and_comes_again_hears_nothing_of_what_was_in_between(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let [ann, bob, ..] = people(&world).await;
        for history in ["FULL", "FROM_JOIN"] {
            let tea = public(&ann, history).await;
            ann.add(&tea, &[&bob]).await;
            let beginning = bob.cursor().await;
            let mut live = bob.at(&world, 1).socket().await;
            live.follow("e", json!({})).await;
            ann.say(&tea, "first").await;
            leave(&bob, &tea, None).await;
            let key = json!({ "conversationId": tea, "body": "between", "clientMessageId": format!("{history} 1") });
            ann.send(key).await;
            does(&bob, "conversationJoin", json!({ "conversationId": tea }), "").await;
            ann.say(&tea, "afterwards").await;
            let heard = live.until_body("e", "afterwards").await;
            assert_eq!(bodies(&heard), ["first", "afterwards"], "{history}");
            let kinds: Vec<String> = heard.iter().map(|event| text(&event["__typename"])).collect();
            assert_eq!(kinds, ["MessageSent", "ConversationLeft", "ConversationMembersAdded", "MessageSent"]);
            assert_eq!(heard[2]["sequence"], json!(2), "what was said by then is not new");
            // What comes before one's coming is fetched, if one may see it.
            let missed = bob.socket().await.follow("e", json!({ "after": beginning })).await;
            assert_eq!(bodies(&missed), ["afterwards"], "{history}");
            let expected: &[&str] = if history == "FULL" { &["first", "between", "afterwards"] } else { &["afterwards"] };
            assert_eq!(bob.history(&tea).await, expected, "{history}");
        }
    }

    /// F: M-02, C-05
    async fn a_key_says_nothing_to_who_was_sent_away(backend) {
        let world = World::new(backend).await;
        let [ann, bob, ..] = people(&world).await;
        let tea = ann.group("Tea", &[&bob]).await;
        let input = json!({ "conversationId": tea, "body": "mine", "clientMessageId": "one" });
        let first = bob.send(input.clone()).await["message"]["id"].clone();
        assert_eq!(bob.send(input.clone()).await["message"]["id"], first);
        remove(&ann, &tea, &bob).await;
        assert_eq!(refusal(&bob.send(input.clone()).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        ann.add(&tea, &[&bob]).await;
        assert_eq!(bob.send(input).await["message"]["id"], first);
    }
}

async fn people(world: &World) -> [Person; 5] {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cid", "dan", "eve"] {
        people.push(world.person(name).await);
    }
    people.try_into().unwrap_or_else(|_| panic!("five people"))
}

async fn public(owner: &Person, history: &str) -> String {
    let input = json!({ "type": "GROUP", "title": "Tea", "memberIds": [], "visibility": "PUBLIC", "history": history });
    text(&owner.create(input).await["conversation"]["id"])
}

async fn remove(person: &Person, conversation: &str, whom: &Person) -> Value {
    let input = json!({ "conversationId": conversation, "memberId": whom.id });
    does(person, "conversationMemberRemove", input, "conversation { memberCount }").await
}

async fn give(person: &Person, conversation: &str, whom: &Person, role: &str) -> Value {
    let input = json!({ "conversationId": conversation, "memberId": whom.id, "role": role });
    does(person, "conversationMemberUpdate", input, "member { role user { id } }").await
}

async fn leave(person: &Person, conversation: &str, successor: Option<&Person>) -> Value {
    let input = json!({ "conversationId": conversation, "successorId": successor.map(|person| &person.id) });
    does(person, "conversationLeave", input, "conversationId").await
}

async fn roles(person: &Person, conversation: &str) -> Vec<(String, String)> {
    let query = "query($c: ID!) { conversation(id: $c) { members(first: 100) { nodes { role user { name } } } } }";
    let found = person.ask(query, json!({ "c": conversation })).await;
    let nodes = found["conversation"]["members"]["nodes"].as_array().expect("nodes").clone();
    let mut roles: Vec<_> = nodes.iter().map(|node| (text(&node["user"]["name"]), text(&node["role"]))).collect();
    roles.sort();
    roles
}

fn pair((name, role): (&str, &str)) -> (String, String) {
    (name.to_owned(), role.to_owned())
}

/// Follows the signals, and hears them: somebody has typed until it was heard.
async fn listen(socket: &mut Socket, typist: &Person, conversation: &str) {
    let query = "subscription { signals { __typename ... on TypingStarted { conversation { id } user { name } }
        ... on TypingStopped { conversation { id } user { name } } } }";
    socket.subscribe("s", query, json!({})).await;
    crate::support::within("a signal", async {
        while socket.heard().is_none() {
            does(typist, "typingStart", json!({ "conversationId": conversation }), "").await;
        }
    })
    .await;
}

/// Waits until nobody but these, and the one who sees it, is seen typing.
async fn typing(person: &Person, conversation: &str, names: &[&str]) {
    let query = "query($c: ID!) { conversation(id: $c) { typing { name } } }";
    crate::support::within("who is typing", async {
        loop {
            let found = person.ask(query, json!({ "c": conversation })).await["conversation"]["typing"].take();
            let found: Vec<String> = found.as_array().expect("names").iter().map(|user| text(&user["name"])).collect();
            let found: Vec<&str> = found.iter().map(String::as_str).filter(|name| *name != "ann").collect();
            if found == names {
                return;
            }
        }
    })
    .await;
}
