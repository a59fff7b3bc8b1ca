//! What plugins are asked before it is done, beside sending: edits, deletions, who comes in, and conversations that are made. And
//! that two plugins cannot keep each other busy.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::{GUEST, configure, guest, owner, run_with, switch},
        person::{refusal, text},
        within,
    },
};

const OTHER: &str = "test.other";

/// A hub on which the guest is on in the workspace `default`, who owns that, and somebody whom the guest does not like.
async fn hosting(setup: Setup) -> (World, Person, Person) {
    let world = setup.plugin(guest(|_| {})).start().await;
    let owner = owner(&world).await;
    switch(&owner, GUEST, None, true).await;
    let eve = world.person("eve").await;
    configure(&owner, json!({ "shuns": "eve" })).await;
    (world, owner, eve)
}

/// A number that the guest has counted.
async fn counted(person: &Person, key: &str) -> String {
    let input = json!({ "plugin": GUEST, "command": "read", "arguments": { "key": key } });
    text(&run_with(person, input).await["reply"]["text"])
}

/// Does something, and answers why not: the code of the hub, that of the plugin, and its words.
async fn why_not(person: &Person, mutation: &str, input: Value) -> Option<[String; 3]> {
    let of = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!(
        "mutation($input: {of}!) {{ {mutation}(input: $input) {{ errors {{ code pluginCode message plugin }} }} }}"
    );
    let done = person.ask(&query, json!({ "input": input })).await[mutation].take();
    let error = done["errors"].get(0)?;
    if !error["plugin"].is_null() {
        assert_eq!(error["plugin"], json!(GUEST));
    }
    Some(["code", "pluginCode", "message"].map(|part| error[part].as_str().unwrap_or_default().to_owned()))
}

/// That the guest refused it, with this code.
fn refused_by(found: Option<[String; 3]>, code: &str) -> String {
    let [hub, plugin, words] = found.expect("it is refused");
    assert_eq!((hub.as_str(), plugin.as_str()), ("REFUSED_BY_PLUGIN", code));
    words
}

fn code_of(found: Option<[String; 3]>) -> String {
    found.map(|[code, ..]| code).unwrap_or_default()
}

async fn members(person: &Person, conversation: &str) -> u64 {
    let found =
        person.ask("query($c: ID!) { conversation(id: $c) { memberCount } }", json!({ "c": conversation })).await;
    found["conversation"]["memberCount"].as_u64().expect("a number")
}

stories! {
    /// F: P-02, P-03, A-03
    async fn what_a_plugin_wants_kept_is_kept_and_nobody_asks_it_who_may_not(backend) {
        let (world, owner, _) = hosting(Setup::new(backend)).await;
        let (ann, bob, cleo) = (world.person("ann").await, world.person("bob").await, world.person("cleo").await);
        let tea = cleo.group("Tea", &[&ann, &bob]).await;
        let kept = text(&ann.say(&tea, "!keep this").await["id"]);
        let plain = text(&ann.say(&tea, "let go").await["id"]);
        let mut socket = bob.socket().await;
        socket.follow("s", json!({ "after": bob.cursor().await })).await;
        let delete = async |person: &Person, message: &str| why_not(person, "messageDelete", json!({ "messageId": message, "forEveryone": true })).await;
        let edit = async |person: &Person| why_not(person, "messageEdit", json!({ "messageId": kept, "body": "gone" })).await;

        // Who may not is told so, and the plugin hears nothing of it.
        assert_eq!((code_of(delete(&bob, &kept).await), code_of(edit(&bob).await)), ("NOT_ALLOWED".into(), "NOT_ALLOWED".into()));
        assert_eq!((counted(&ann, "deletions").await, counted(&ann, "edits").await), ("0".into(), "0".into()));
        // Who may is told what the plugin says; what it noted is kept, and nobody else hears of it.
        assert!(refused_by(delete(&ann, &kept).await, "KEPT").contains("it stays"));
        assert!(refused_by(edit(&ann).await, "KEPT").contains("it stays"));
        assert_eq!((counted(&ann, "deletions").await, counted(&ann, "edits").await), ("1".into(), "1".into()));
        assert_eq!(bob.history(&tea).await, ["!keep this", "let go"]);
        assert_eq!(delete(&ann, &plain).await, None);
        assert_eq!(socket.event("s").await["__typename"], json!("MessageDeleted"), "the first that anybody hears");
        // Not when it is too late, either.
        let windows = json!({ "editWindowSeconds": 60, "deleteWindowSeconds": 60 });
        assert_eq!(does(&owner, "workspacePolicyUpdate", windows, "").await["errors"], json!([]));
        world.clock.advance(Duration::from_secs(61));
        assert_eq!((code_of(edit(&ann).await), code_of(delete(&ann, &kept).await)), ("TOO_LATE".into(), "TOO_LATE".into()));
        assert_eq!((counted(&ann, "deletions").await, counted(&ann, "edits").await), ("1".into(), "1".into()));
    }

    /// F: P-02, P-03, P-08, A-03
    async fn whom_a_plugin_does_not_let_in_stays_outside(backend) {
        let (world, _, eve) = hosting(Setup::new(backend)).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let group = async |title: &str, visibility: &str| {
            let input = json!({ "type": "GROUP", "title": title, "visibility": visibility, "memberIds": [] });
            text(&ann.create(input).await["conversation"]["id"])
        };
        let (garden, den) = (group("Garden", "PUBLIC").await, group("Den", "PRIVATE").await);
        let mut socket = ann.socket().await;
        socket.follow("s", json!({ "after": ann.cursor().await })).await;
        let join = async |person: &Person, place: &str| why_not(person, "conversationJoin", json!({ "conversationId": place })).await;

        // What they may not find does not exist for them, and no plugin says otherwise.
        assert_eq!((code_of(join(&eve, &den).await), code_of(join(&bob, &den).await)), ("NOT_FOUND".into(), "NOT_FOUND".into()));
        assert_eq!(counted(&ann, "joins").await, "0");
        assert!(refused_by(join(&eve, &garden).await, "SHUNNED").contains("no eve"));
        assert_eq!((counted(&ann, "joins").await, members(&ann, &garden).await), ("1".into(), 1));
        assert_eq!(join(&bob, &garden).await, None);
        let told = socket.event("s").await;
        assert_eq!(told["__typename"], json!("ConversationMembersAdded"), "the first that anybody hears");
        assert_eq!((join(&bob, &garden).await, counted(&ann, "joins").await), (None, "2".into()), "who is there already is not asked about");

        // By an invitation.
        let invite = json!({ "conversationId": den });
        let invited = does(&ann, "conversationInvitationCreate", invite, "code").await;
        let come = json!({ "code": invited["code"] });
        refused_by(why_not(&eve, "conversationJoin", come.clone()).await, "SHUNNED");
        assert_eq!(code_of(why_not(&eve, "conversationJoin", json!({ "code": "nonsense" })).await), "NOT_FOUND");
        assert_eq!((counted(&ann, "joins").await, members(&ann, &den).await), ("3".into(), 1));
    }

    /// F: P-02, P-03, P-08
    async fn of_several_of_whom_one_is_refused_nobody_comes_and_what_was_noted_is_kept(backend) {
        let (world, owner, eve) = hosting(Setup::new(backend)).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let (dan, fay) = (world.person("dan").await, world.person("fay").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let add = async |person: &Person, ids: &[&str]| {
            why_not(person, "conversationMemberAdd", json!({ "conversationId": tea, "memberIds": ids })).await
        };
        let all = [dan.id.as_str(), eve.id.as_str(), fay.id.as_str()];
        // Who may not add anybody asks no plugin about them, nor does who names somebody who cannot come.
        assert_eq!(code_of(add(&bob, &all).await), "NOT_ALLOWED");
        assert_eq!(code_of(add(&fay, &all).await), "NOT_FOUND");
        let stranger = world.person_of("elsewhere", "odo", "member").await;
        assert_eq!(code_of(add(&ann, &[&dan.id, &stranger.id]).await), "NOT_FOUND");
        assert_eq!(counted(&ann, "joins").await, "0");
        let mut socket = fay.socket().await;
        socket.follow("s", json!({ "after": fay.cursor().await })).await;

        // Eve came here before the others, and so is the first who is asked about.
        refused_by(add(&ann, &all).await, "SHUNNED");
        assert_eq!((counted(&ann, "joins").await, members(&ann, &tea).await), ("1".into(), 2));
        configure(&owner, json!({ "shuns": "fay" })).await;
        assert!(refused_by(add(&ann, &all).await, "SHUNNED").contains("no fay"));
        assert_eq!((counted(&ann, "joins").await, members(&ann, &tea).await), ("4".into(), 2), "three were counted by comparing, and nobody came");
        configure(&owner, json!({ "shuns": "nobody" })).await;
        assert_eq!(add(&ann, &all).await, None);
        assert_eq!((counted(&ann, "joins").await, members(&ann, &tea).await), ("7".into(), 5));
        assert_eq!(socket.event("s").await["__typename"], json!("ConversationMembersAdded"), "the first that she hears");
    }

    /// F: P-02, C-10
    async fn agents_are_asked_about_before_they_take_a_conversation(backend) {
        let (world, _, eve) = hosting(Setup::new(backend)).await;
        let ann = world.person("ann").await;
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let eve = world.person_with(&eve.name, json!({ "roles": ["moderator"] })).await;
        let help = text(&ann.create(json!({ "type": "SUPPORT", "memberIds": [] })).await["conversation"]["id"]);
        let tea = ann.group("Tea", &[]).await;
        let assign = async |place: &str, to: &Person| {
            why_not(&mo, "conversationAssign", json!({ "conversationId": place, "assigneeId": to.id })).await
        };
        // What is no conversation to be taken, and who gives no support, is no plugin's matter.
        assert_eq!((code_of(assign(&tea, &mo).await), code_of(assign(&help, &ann).await)), ("NOT_FOUND".into(), "INVALID".into()));
        assert_eq!(counted(&ann, "joins").await, "0");
        assert!(refused_by(assign(&help, &eve).await, "SHUNNED").contains("Admin"));
        assert_eq!((counted(&ann, "joins").await, members(&ann, &help).await), ("1".into(), 1));
        for _ in 0..2 {
            assert_eq!(assign(&help, &mo).await, None);
        }
        assert_eq!((counted(&ann, "joins").await, members(&ann, &help).await), ("2".into(), 2));
    }

    /// F: P-02, P-03
    async fn a_conversation_is_made_as_plugins_leave_it_or_not_at_all(backend) {
        let (world, owner, eve) = hosting(Setup::new(backend)).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let stranger = world.person_of("elsewhere", "odo", "member").await;
        let mut socket = bob.socket().await;
        socket.follow("s", json!({ "after": bob.cursor().await })).await;
        let make = |title: &str| json!({ "type": "GROUP", "title": title, "memberIds": [bob.id, eve.id] });
        assert!(refused_by(why_not(&ann, "conversationCreate", make("!no")).await, "NO_NAME").contains("it has no name"));
        assert_eq!(counted(&ann, "refused").await, "1");
        let with_stranger = json!({ "type": "GROUP", "title": "!no", "memberIds": [stranger.id] });
        assert_eq!(code_of(why_not(&ann, "conversationCreate", with_stranger).await), "NOT_FOUND");
        assert_eq!(counted(&ann, "refused").await, "1", "about who cannot come nobody is asked");

        let made = ann.create(make("!name")).await;
        assert_eq!(made["conversation"]["title"], json!("Of 3"), "{made}");
        let told = socket.event("s").await;
        assert_eq!(told["__typename"], json!("ConversationCreated"), "the first that he hears: {told}");
        let listed = bob.ask("{ conversations(first: 9) { nodes { title } } }", json!({})).await;
        assert_eq!(listed["conversations"]["nodes"], json!([{ "title": "Of 3" }]));
        // A plugin's words are as untrusted as anybody's; what it noted is kept, and whose change it was can be found out.
        assert_eq!(code_of(why_not(&ann, "conversationCreate", make("!long")).await), "TOO_LONG");
        assert_eq!(counted(&ann, "long").await, "1");
        let query = "query($u: ID) { pluginVerdicts(last: 9, filter: { userId: $u }) { nodes { plugin hook kind code conversation { id } } } }";
        let found = owner.ask(query, json!({ "u": ann.id })).await;
        let verdict = |kind: &str, code: Value| json!({
            "plugin": GUEST, "hook": "before-conversation-create", "kind": kind, "code": code, "conversation": null,
        });
        assert_eq!(found["pluginVerdicts"]["nodes"], json!([
            verdict("REJECTED", json!("NO_NAME")), verdict("PATCHED", json!(null)), verdict("PATCHED", json!(null)),
        ]));
    }

    /// F: P-02, P-08, M-03
    async fn who_sends_the_same_again_has_nothing_counted_twice(backend) {
        let (world, _, _) = hosting(Setup::new(backend).nodes(2)).await;
        let ann = world.person("ann").await;
        let there = ann.at(&world, 1);
        let tea = ann.group("Tea", &[]).await;
        let take = async |person: &Person, key: Value| {
            let input = json!({ "conversationId": tea, "body": "!take", "clientMessageId": key });
            person.send(input).await
        };
        within("the word of the plugin", async {
            while take(&there, Value::Null).await["message"]["body"] == json!("!take") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let before: i64 = counted(&ann, "taken").await.parse().expect("a number");
        let first = take(&ann, json!("key")).await;
        assert_eq!(first["message"]["body"], json!((before + 1).to_string()));
        assert_eq!(take(&ann, json!("key")).await, first);
        assert_eq!(take(&there, json!("key")).await, first);
        assert_eq!(counted(&ann, "taken").await, (before + 1).to_string(), "counted once");
        let other = json!({ "conversationId": tea, "body": "other words", "clientMessageId": "key" });
        assert_eq!(refusal(&ann.send(other).await).0, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(take(&ann, json!("another")).await["message"]["body"], json!((before + 2).to_string()));
    }

    /// F: P-03
    async fn two_plugins_that_answer_each_other_come_to_an_end(backend) {
        let other = guest(|manifest| manifest["id"] = json!(OTHER));
        let (world, owner, _) = hosting(Setup::new(backend).plugin(other)).await;
        switch(&owner, OTHER, None, true).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let all_heard = async || {
            let found = owner.ask("{ plugins { lag } }", json!({})).await;
            found["plugins"].as_array().expect("plugins").iter().all(|plugin| plugin["lag"] == json!(0))
        };
        ann.say(&tea, "!echo").await;
        within("the last answer", async { while ann.history(&tea).await.len() < 6 || !all_heard().await {} }).await;
        // Both hear of these behind all that the other one had said by then.
        for word in ["enough", "really"] {
            ann.say(&tea, word).await;
            within("the end of it", async { while !all_heard().await {} }).await;
        }
        let said = ann.history(&tea).await;
        let echoes = said.iter().filter(|said| *said == "!echo").count();
        // Each answers what it hears, three deep: two answers at each depth, fewer where one was in time to hear two at once.
        assert!((6..=7).contains(&echoes) && said.len() == echoes + 2, "{said:?}");
        ann.say(&tea, "at last").await;
        within("the end of it", async { while !all_heard().await {} }).await;
        assert_eq!(ann.history(&tea).await.len(), said.len() + 1);
    }
}
