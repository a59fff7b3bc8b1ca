//! Who has something to hide, and those whom it is hidden from.

use jackfield::store::Place;
use serde_json::{Value, json};
use uuid::Uuid;

use super::table::Rightful;
use crate::support::{
    Person, Setup, World,
    account::{PASSWORD, bearer, does, sign_up},
    guest::{FIELDS, GUEST, fields, guest, switch},
    packages::{install, upload},
    person::text,
    wat::Guest,
    web::{Web, may_look_at_links},
    within,
};

/// The kinds of people whom a conversation is not for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Without a token.
    Anonymous,
    /// Of the same workspace, but not in the conversation.
    Stranger,
    /// Of the same workspace; was in the conversation, and was sent away.
    Former,
    /// The owner of the same workspace, not in the conversation either.
    Admin,
    /// Of the same workspace, and blocked by Annabel.
    Blocked,
    /// The owner of another workspace.
    Elsewhere,
}

pub struct Outsider {
    pub who: Asker,
    pub person: Person,
    /// Somebody with whom they talk.
    pub mate: Person,
    /// The conversation of the two.
    pub own: String,
    /// What they must never read.
    pub secrets: Vec<String>,
}

/// Annabel and Bartholomew have a conversation in the workspace «harbour».
pub struct Cast {
    pub world: World,
    pub ann: Person,
    pub bob: Person,
    pub operator: Person,
    /// Signed in with a password.
    pub dora: Person,
    /// A bot of theirs.
    pub bot: Person,
    /// The values of the table's variables.
    pub things: Value,
    pub outsiders: Vec<Outsider>,
}

/// A plugin that stops where it is asked, and of which all is set that can be.
const WATCH: &str = "test.watch";

/// What is set of it, and nothing else has.
const PRIORITY: i32 = 471_108_151;

const MODERATION: &str = "jackfield.moderation";
const RETENTION: &str = "jackfield.retention";

const WORDS: [&str; 3] = ["the heron flies at dusk", "which heron?", "the grey heron"];

impl Cast {
    pub async fn on(setup: Setup) -> Self {
        let web = Web::start().await;
        let setup = setup.plugin(guest(|_| {})).plugin(fields(|_| {})).one_store().outside(web.outside());
        let world = setup.start().await;
        let ann = world.person_of("harbour", "Annabel", "member").await;
        let bob = world.person_of("harbour", "Bartholomew", "member").await;
        let former = world.person_of("harbour", "Former", "member").await;
        let spare = spare_groups(&ann, &bob).await;
        let room = ann.group("A heron's nest", &[&bob]).await;
        let input = json!({
            "conversationId": room, "question": "Is it a heron?", "options": ["a heron", "none"], "closesAt": "2027-12-01T00:00:00Z",
        });
        let asked =
            "mutation($input: PollCreateInput!) { pollCreate(input: $input) { message { id } errors { code } } }";
        let polled = ann.ask(asked, json!({ "input": input })).await["pollCreate"]["message"]["id"].clone();
        let vote = "mutation($input: PollVoteInput!) { pollVote(input: $input) { errors { code } } }";
        let voted = ann.ask(vote, json!({ "input": { "messageId": polled, "optionIds": [0] } })).await;
        assert_eq!(voted["pollVote"]["errors"], json!([]));
        let linked = link(&world, &web, &ann, &room).await;
        let made = ann
            .create(json!({
                "type": "GROUP", "title": "Quay at midnight", "description": "About a certain bird",
                "avatarUrl": "https://pictures.example/quay.png", "context": { "type": "shipment", "id": "crate-4711" },
                "memberIds": [bob.id, former.id],
            }))
            .await;
        let conversation = text(&made["conversation"]["id"]);
        // Each replies to the one before, so that what a message replies to has something that it replies to.
        let mut messages: Vec<String> = Vec::new();
        for (person, body) in [&ann, &bob, &ann].into_iter().zip(WORDS) {
            let reply_to = messages.last();
            let input = json!({
                "conversationId": conversation, "replyToId": reply_to, "type": "LOCATION", "body": "a bird",
                "location": { "latitude": 1.5, "longitude": 2.5, "label": "Heron Pier" }, "metadata": { "bird": "heron" },
            });
            let message = text(&person.send(input).await["message"]["id"]);
            // What it said first is the one thing that somebody is told of it who asks for what it said before.
            let edit = "mutation($m: ID!, $b: String!) { messageEdit(input: { messageId: $m, body: $b }) { errors { code } } }";
            assert_eq!(person.ask(edit, json!({ "m": message, "b": body })).await["messageEdit"]["errors"], json!([]));
            messages.push(message);
        }
        let settings = json!({
            "conversationId": conversation, "mutedUntil": "9999-01-01T00:00:00Z", "isPinned": true, "sound": "a foghorn",
        });
        does(&ann, "conversationSettingsUpdate", settings, "").await;
        // Bartholomew has read what Annabel said; Annabel has read nothing, and so there is something that is new to her.
        let read = "mutation($c: ID!) { conversationMarkRead(input: { conversationId: $c }) { errors { code } } }";
        assert_eq!(bob.ask(read, json!({ "c": conversation })).await["conversationMarkRead"]["errors"], json!([]));
        type_in(&bob, &conversation, "typingStart").await;
        does(&former, "conversationMarkRead", json!({ "conversationId": conversation }), "").await;
        type_in(&former, &conversation, "typingStart").await;
        let input = json!({ "conversationId": conversation, "uses": 5 });
        let invited = does(&ann, "conversationInvitationCreate", input, "code invitation { id }").await;
        let sent_away = json!({ "conversationId": conversation, "memberId": former.id });
        assert_eq!(does(&ann, "conversationMemberRemove", sent_away, "").await["errors"], json!([]));

        let found = ann
            .ask(
                "query($id: ID!) { viewer { workspace { id slug } } eventCursor
                    conversations(first: 1) { pageInfo { startCursor } }
                    publicConversations(first: 1) { pageInfo { startCursor } }
                    conversation(id: $id) { members(first: 1) { pageInfo { startCursor } }
                        invitations(first: 1) { pageInfo { startCursor } }
                        messages(first: 1) { pageInfo { startCursor } } } }",
                json!({ "id": conversation }),
            )
            .await;
        let workspace = text(&found["viewer"]["workspace"]["id"]);
        let mut things = json!({
            "conversation": conversation,
            "message": messages[2],
            "polled": polled,
            "linked": linked,
            "pollRoom": room,
            "user": bob.id,
            "workspace": workspace,
            "slug": "harbour",
            "own": conversation,
            "listCursor": found["conversations"]["pageInfo"]["startCursor"],
            "memberCursor": found["conversation"]["members"]["pageInfo"]["startCursor"],
            "messageCursor": found["conversation"]["messages"]["pageInfo"]["startCursor"],
            "publicCursor": found["publicConversations"]["pageInfo"]["startCursor"],
            "conversationInvitation": invited["invitation"]["id"],
            "conversationCode": invited["code"],
            "leadCursor": found["conversation"]["invitations"]["pageInfo"]["startCursor"],
            "handedOver": spare[0],
            "left": spare[1],
            "deleted": spare[2],
        });

        let of_conversation: Vec<String> = ["Quay at midnight", "certain bird", "crate-4711", "heron", &conversation]
            .into_iter()
            .map(str::to_owned)
            .chain(messages)
            .collect();
        // The beginning of a cursor says which workspace it is of.
        let cursor = text(&found["eventCursor"])[..20].to_owned();
        let of_workspace = [&ann.id, &bob.id, &workspace, "Annabel", "Bart", "harbour", &cursor].map(str::to_owned);
        let all: Vec<String> = of_conversation.iter().cloned().chain(of_workspace).collect();

        let mut outsiders = vec![Outsider {
            who: Asker::Anonymous,
            person: Person::nobody(&world),
            mate: Person::nobody(&world),
            own: conversation,
            secrets: all.clone(),
        }];
        for (who, workspace, role, secrets) in [
            (Asker::Stranger, "harbour", "member", &of_conversation),
            (Asker::Former, "harbour", "member", &of_conversation),
            (Asker::Admin, "harbour", "owner", &of_conversation),
            (Asker::Blocked, "harbour", "member", &of_conversation),
            (Asker::Elsewhere, "lighthouse", "owner", &all),
        ] {
            let person = world.person_of(workspace, &format!("{who:?}"), role).await;
            let mate = world.person_of(workspace, &format!("Mate of {who:?}"), "member").await;
            let own = person.group(&format!("{who:?} and mate"), &[&mate]).await;
            mate.say(&own, "something new").await;
            if who == Asker::Blocked {
                does(&ann, "userBlock", json!({ "userId": person.id }), "").await;
            }
            outsiders.push(Outsider { who, person, mate, own, secrets: secrets.clone() });
        }
        for owner in outsiders.iter().filter(|outsider| matches!(outsider.who, Asker::Admin | Asker::Elsewhere)) {
            set_policy(&owner.person, "bodyMaxCharacters: 9999").await;
            // What plugins add to the API is there in both workspaces.
            for plugin in [FIELDS, MODERATION, RETENTION] {
                switch(&owner.person, plugin, None, true).await;
            }
            // Names are the same for whoever looks.
            let plain = json!({ "pluginId": FIELDS, "configuration": { "lie": "plain" } });
            assert_eq!(does(&owner.person, "pluginConfigure", plain, "").await["errors"], json!([]));
            if owner.who == Asker::Admin {
                let found = owner.person.ask("{ auditLog(first: 1) { pageInfo { startCursor } } }", json!({})).await;
                things["auditCursor"] = found["auditLog"]["pageInfo"]["startCursor"].clone();
            }
        }
        let owner = outsiders.iter().find(|outsider| outsider.who == Asker::Admin).expect("an owner").person.clone();
        let (dora, bot) = people_of_the_hub(&world, &owner, &mut things).await;
        for outsider in
            outsiders.iter_mut().filter(|outsider| matches!(outsider.who, Asker::Anonymous | Asker::Elsewhere))
        {
            outsider.secrets.extend([dora.id.clone(), bot.id.clone(), "Theodora".to_owned(), "Beacon".to_owned()]);
        }
        for person in [&ann, &bob, &dora, &bot].into_iter().chain(outsiders.iter().map(|outsider| &outsider.person)) {
            if !person.token.is_empty() {
                let profile = json!({ "avatarUrl": "https://pictures.example/one.png", "statusText": "about" });
                does(person, "userUpdate", profile, "").await;
            }
        }
        ask_for_support(&world, &bob, &owner, &mut things).await;
        let operator = world.operator().await;
        moderate(&world, &bob, &owner, &mut things).await;
        watch_over(&world, &bob, &owner, &operator, &mut things).await;
        for outsider in outsiders.iter_mut().filter(|outsider| outsider.who != Asker::Admin) {
            outsider.secrets.extend(["Lost lantern", "a broken mast"].map(str::to_owned));
            outsider.secrets.extend(["request", "watched", "letter", "case"].map(|name| text(&things[name])));
            outsider.secrets.push(PRIORITY.to_string());
        }
        keep(&world, &bob, &owner, &mut things).await;
        let input = json!({
            "issuer": "https://some.example", "audience": "jackfield", "algorithms": ["RS256"], "workspaces": ["*"],
            "jwksUrl": "https://some.example/keys",
        });
        let made = does(&operator, "issuerCreate", input, "issuer { id }").await;
        things["issuer"] = made["issuer"]["id"].clone();
        let found = operator.ask("{ issuers(first: 1) { pageInfo { startCursor } } }", json!({})).await;
        things["issuerCursor"] = found["issuers"]["pageInfo"]["startCursor"].clone();
        // Jobs that have a future and a past, and one that was given up.
        world.db_execute("UPDATE jobs SET finished_at = 1, last_error = 'a stormy day'").await;
        world.db_execute("UPDATE jobs SET state = 'dead' WHERE kind = 'job_sweep'").await;
        let jobs =
            operator.ask("{ jobs(ofHub: true, first: 50) { edges { cursor node { id state } } } }", json!({})).await;
        let dead =
            jobs["jobs"]["edges"].as_array().expect("edges").iter().find(|edge| edge["node"]["state"] == json!("DEAD"));
        let dead = dead.expect("a job that was given up");
        things["job"] = dead["node"]["id"].clone();
        things["jobCursor"] = dead["cursor"].clone();
        Cast { world, ann, bob, operator, dora, bot, things, outsiders }
    }

    pub fn conversation(&self) -> String {
        text(&self.things["conversation"])
    }

    pub fn signed_in(&self) -> impl Iterator<Item = &Outsider> {
        self.outsiders.iter().filter(|outsider| outsider.who != Asker::Anonymous)
    }

    pub fn rightful(&self, whose: Rightful) -> &Person {
        match whose {
            Rightful::Member => &self.ann,
            Rightful::Owner => {
                let owner = self.outsiders.iter().find(|outsider| outsider.who == Asker::Admin);
                &owner.expect("the workspace has an owner").person
            }
            Rightful::SignedIn => &self.dora,
            Rightful::Operator => &self.operator,
        }
    }

    /// The variables for somebody with a conversation of their own.
    pub fn things_for(&self, outsider: &Outsider) -> Value {
        let mut things = self.things.clone();
        things["own"] = json!(outsider.own);
        // They have nothing to show for it.
        things["login"] = json!(format!("no-login-of-{:?}", outsider.who));
        for (name, value) in [
            ("refreshToken", "jfr_not-theirs"),
            ("resetCode", "jfp_not-theirs"),
            ("invitationCode", "jfi_not-theirs"),
            ("conversationCode", "jfi_not-theirs"),
        ] {
            things[name] = json!(value);
        }
        // Who may take something away has one of their own to do it with.
        if outsider.who == Asker::Admin {
            for (name, spare) in [
                ("botToken", "spareToken"),
                ("invitation", "spareInvitation"),
                ("retried", "spareRetried"),
                ("discarded", "spareDiscarded"),
                ("case", "spareCase"),
                ("legalHold", "spareHold"),
            ] {
                things[name] = self.things[spare].clone();
            }
        }
        things
    }

    /// All that there is to see in the conversation.
    pub async fn state(&self) -> Value {
        let query =
            "query($id: ID!) { conversation(id: $id) { title description avatarUrl visibility history status closedAt
            memberCount lastSequence lastActivityAt invitations(first: 100) { nodes { id usesLeft } }
            members(first: 100) { nodes { role user { id name role } } } typing { id }
            unreadCount messages(last: 100) { nodes { id sequence body editedAt deletedAt status sender { id } } } } }";
        self.ann.ask(query, json!({ "id": self.conversation() })).await
    }
}

/// Groups of the two that end: one is handed over, one is left, one is deleted. And one that everybody finds.
async fn spare_groups(ann: &Person, bob: &Person) -> [String; 3] {
    let public = json!({
        "type": "GROUP", "title": "Promenade", "memberIds": [], "visibility": "PUBLIC", "description": "For everybody",
        "avatarUrl": "https://pictures.example/promenade.png",
    });
    assert_eq!(ann.create(public).await["errors"], json!([]));
    [ann.group("One", &[bob]).await, ann.group("Two", &[bob]).await, ann.group("Three", &[bob]).await]
}

/// Bartholomew asks for support, and somebody who gives it has taken it.
async fn ask_for_support(world: &World, bob: &Person, owner: &Person, things: &mut Value) {
    let agent = world.person_of("harbour", "Mia", "moderator").await;
    let made = bob.create(json!({ "type": "SUPPORT", "title": "Lost lantern", "memberIds": [] })).await;
    things["request"] = made["conversation"]["id"].clone();
    things["agent"] = json!(agent.id);
    let input = json!({ "conversationId": things["request"], "assigneeId": agent.id });
    does(owner, "conversationAssign", input, "").await;
    let found = owner.ask("{ supportConversations(first: 1) { pageInfo { startCursor } } }", json!({})).await;
    things["requestCursor"] = found["supportConversations"]["pageInfo"]["startCursor"].clone();
}

/// What Bartholomew says is on hold, and it was looked for what is old.
async fn keep(world: &World, bob: &Person, owner: &Person, things: &mut Value) {
    for name in ["legalHold", "spareHold"] {
        let input = json!({ "userId": bob.id, "reason": "a case of herons" });
        things[name] = does(owner, "legalHoldSet", input, "legalHold { id }").await["legalHold"]["id"].clone();
    }
    let found = owner.ask("{ legalHolds(first: 1) { pageInfo { startCursor } } }", json!({})).await;
    things["holdCursor"] = found["legalHolds"]["pageInfo"]["startCursor"].clone();
    // A run of a schedule comes when time passes, and has stories of its own.
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let report = json!({ "started_at": 1, "finished_at": 2, "conversations": 3, "hidden": 4, "purged": 5, "held": 6 });
    let bytes = |text: &str| match world.db_place() {
        Place::Sqlite(_) => format!("x'{}'", hex(text)),
        Place::Postgres(_) => format!("'\\x{}'::bytea", hex(text)),
    };
    world
        .db_execute(&format!(
            "INSERT INTO plugin_data (workspace_id, plugin_id, key, value)
                SELECT workspace_id, '{RETENTION}', {}, {} FROM legal_holds WHERE reason = 'a case of herons' LIMIT 1",
            bytes("report/9999999999999998"),
            bytes(&report.to_string())
        ))
        .await;
    things["reportCursor"] = json!("9999999999999997");
}

/// A plugin looks at what is said: some of what Bartholomew says is changed, and some waits for a moderator.
async fn moderate(world: &World, bob: &Person, owner: &Person, things: &mut Value) {
    let cora = world.person_of("harbour", "Cora", "member").await;
    let group = bob.group("Four", &[&cora]).await;
    let plugin = json!(MODERATION);
    let rules = json!({ "rules": [
        { "kind": "words", "action": "hold", "words": ["gale"], "strikes": 0 }, { "kind": "words", "action": "mask", "words": ["squall"] },
    ] });
    for (what, input) in [
        ("pluginEnable", json!({ "pluginId": GUEST })),
        ("pluginEnable", json!({ "pluginId": plugin, "conversationId": group })),
        ("pluginConfigure", json!({ "pluginId": plugin, "configuration": rules })),
    ] {
        assert_eq!(does(owner, what, input, "").await["errors"], json!([]));
    }
    (things["plugin"], things["guest"], things["watched"]) = (plugin, json!(GUEST), json!(group));
    let said = async |body: &str| {
        let input = json!({ "conversationId": group, "body": body });
        does(bob, "messageSend", input, "message { id } held { id }").await
    };
    for name in ["held", "approved", "rejected"] {
        things[name] = said("a gale").await["held"]["id"].clone();
    }
    things["masked"] = said("a squall").await["message"]["id"].clone();
    let found = owner.ask("{ heldMessages(first: 1) { pageInfo { startCursor } } }", json!({})).await;
    things["heldCursor"] = found["heldMessages"]["pageInfo"]["startCursor"].clone();
    let found = owner.ask("{ moderationCases(first: 3) { cases { id } endCursor } }", json!({})).await;
    let [decided, case, spare] = [0, 1, 2].map(|at| found["moderationCases"]["cases"][at]["id"].clone());
    (things["case"], things["spareCase"]) = (case, spare);
    things["caseCursor"] = found["moderationCases"]["endCursor"].clone();
    let input = json!({ "id": decided, "resolution": "UPHELD", "note": "as a warning" });
    assert_eq!(does(owner, "moderationCaseResolve", input, "").await["errors"], json!([]));
    let found = owner.ask("{ pluginVerdicts(first: 1) { pageInfo { startCursor } } }", json!({})).await;
    things["verdictCursor"] = found["pluginVerdicts"]["pageInfo"]["startCursor"].clone();
    said("hello @Cora").await;
    // The plugin is told after the message was sent.
    things["mentionCursor"] = within("a mention", async {
        loop {
            let found = cora.ask("{ mentions(first: 1) { pageInfo { startCursor } } }", json!({})).await;
            let cursor = found["mentions"]["pageInfo"]["startCursor"].clone();
            if !cursor.is_null() {
                return cursor;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A message with a link, once it is known what that leads to.
async fn link(world: &World, web: &Web, person: &Person, room: &str) -> Value {
    may_look_at_links(world, true).await;
    web.page(
        "heron.example/",
        "<title>Herons at night</title><meta name=description content='They sleep.'><meta name=author content='A heron'>
        <meta property=og:type content=article><meta property=og:site_name content='Herons'>
        <meta property=og:image content=heron.png>",
    );
    let message = person.say(room, "http://heron.example").await["id"].take();
    let query = "query($id: ID!) { message(id: $id) { linkPreviews { url } } }";
    within("a preview", async {
        while person.ask(query, json!({ "id": message })).await["message"]["linkPreviews"] == Value::Null {
            tokio::task::yield_now().await;
        }
    })
    .await;
    message
}

/// One plugin more, of which there were two versions and a third one waits; it has failed, and the guest has failed at events.
async fn watch_over(world: &World, bob: &Person, owner: &Person, operator: &Person, things: &mut Value) {
    let package = |version: &str, more: &[&str]| {
        Guest::new()
            .id(WATCH)
            .with("/version", json!(version))
            .with("/capabilities", json!([&["kv", "secrets"][..], more].concat()))
            .with("/secrets", json!([{ "name": "key", "description": "What it signs with." }]))
            .with("/configuration", json!({ "type": "object" }))
            .import("log", "write")
            .data(1_024, "man overboard")
            .before_create("(call $log_write (i32.const 2) (i32.const 1024) (i32.const 13)) unreachable")
            .build()
    };
    install(operator, package("1.0.0", &[]), &["KV", "SECRETS"]).await;
    install(operator, package("1.1.0", &[]), &[]).await;
    install(operator, package("2.0.0", &["users.read"]), &[]).await;
    things["upload"] = json!(upload(operator, package("3.0.0", &["users.read", "notices"])).await);
    things["watch"] = json!(WATCH);
    let settings = |scope: &str, priority: i32| {
        json!({
            "pluginId": WATCH, "scope": scope, "priority": priority,
            "failurePolicies": [{ "hook": "BEFORE_CREATE", "policy": "OPEN" }],
            "limits": {
                "memoryBytes": 16_000_000, "beforeCpuMs": 5, "beforeWallMs": 50, "afterMs": 1_000, "scheduleMs": 1_000,
                "valueBytes": 1_000, "storageBytes": 1_000, "logBytes": 1_000, "outputBytes": 2_000, "hostCalls": 100,
                "effects": 10,
            },
        })
    };
    let of_hub = does(operator, "pluginSettingsUpdate", settings("HUB", 7), "").await;
    assert_eq!(of_hub["errors"], json!([]));
    let group = &things["watched"];
    let mut of_workspace = settings("WORKSPACE", PRIORITY);
    of_workspace["conversationIds"] = json!([group]);
    for (what, input) in [
        ("pluginSettingsUpdate", of_workspace),
        ("pluginSecretSet", json!({ "pluginId": WATCH, "name": "key", "value": "open sesame" })),
        ("pluginEnable", json!({ "pluginId": WATCH, "conversationId": group })),
    ] {
        assert_eq!(does(owner, what, input, "").await["errors"], json!([]), "{what}");
    }
    // Each of these it fails at.
    let group = text(group);
    for number in 1..=5 {
        bob.say(&group, &format!("letter {number}")).await;
    }
    // That something is laid aside takes longer than some of what else is to be seen.
    world
        .db_execute(&format!(
            "INSERT INTO plugin_dead_letters (id, workspace_id, plugin_id, position, problem, attempts, created_at)
                SELECT id, workspace_id, '{GUEST}', 1, 'a broken mast', 1, 1 FROM messages WHERE body LIKE 'letter _'"
        ))
        .await;
    let query = "{ plugins { id deadLetters(first: 10) { nodes { id } pageInfo { startCursor } } } }";
    let found = owner.ask(query, json!({})).await;
    let plugins = found["plugins"].as_array().expect("plugins");
    let letters = &plugins.iter().find(|plugin| plugin["id"] == json!(GUEST)).expect("the guest")["deadLetters"];
    for (at, name) in ["letter", "retried", "spareRetried", "discarded", "spareDiscarded"].into_iter().enumerate() {
        things[name] = letters["nodes"][at]["id"].clone();
    }
    things["letterCursor"] = letters["pageInfo"]["startCursor"].clone();
}

/// Somebody who signs in here, and a bot; with all that lets them in.
async fn people_of_the_hub(world: &World, owner: &Person, things: &mut Value) -> (Person, Person) {
    does(owner, "workspaceUpdate", json!({ "signUp": "INVITED" }), "").await;
    for name in ["invitation", "spareInvitation"] {
        let made = does(owner, "invitationCreate", json!({ "uses": 5 }), "code invitation { id }").await;
        things["invitationCode"] = made["code"].clone();
        things[name] = made["invitation"]["id"].clone();
    }
    let input = json!({ "workspace": "harbour", "name": "Theodora", "device": "a spyglass", "invitationCode": things["invitationCode"] });
    let made = sign_up(world, "theodora-the-keeper", input).await;
    let dora = bearer(world, &made).await;
    let input = json!({ "workspace": "harbour", "login": "theodora-the-keeper", "password": PASSWORD });
    for name in ["session", "refreshed"] {
        let made = does(&dora, "sessionCreate", input.clone(), "credentials { refreshToken session { id } }").await;
        things["refreshToken"] = made["credentials"]["refreshToken"].clone();
        things[name] = made["credentials"]["session"]["id"].clone();
    }
    things["login"] = json!("theodora-the-keeper");
    things["password"] = json!(PASSWORD);
    things["account"] = json!(dora.id);
    let code = does(owner, "passwordResetRequest", json!({ "userId": dora.id }), "code").await;
    things["resetCode"] = code["code"].clone();

    let made = does(owner, "botCreate", json!({ "name": "Beacon" }), "bot { id }").await;
    things["bot"] = made["bot"]["id"].clone();
    let mut bot = owner.clone();
    let expires_at = (world.clock.now() + std::time::Duration::from_hours(24)).to_string();
    for name in ["botToken", "spareToken", "usedToken"] {
        let input =
            json!({ "botId": things["bot"], "name": name, "scopes": ["READ", "WRITE"], "expiresAt": expires_at });
        let made = does(owner, "botTokenCreate", input, "secret token { id }").await;
        things[name] = made["token"]["id"].clone();
        bot = Person::enter(world, "Beacon", &text(&made["secret"])).await;
    }
    let found = dora.ask("{ sessions(first: 1) { pageInfo { startCursor } } }", json!({})).await;
    things["sessionCursor"] = found["sessions"]["pageInfo"]["startCursor"].clone();
    let query = "query($bot: ID!) { invitations(first: 1) { pageInfo { startCursor } } bots(first: 1) { pageInfo { startCursor } }
        botTokens(botId: $bot, first: 1) { pageInfo { startCursor } } }";
    let found = owner.ask(query, json!({ "bot": things["bot"] })).await;
    for (name, list) in [("invitationCursor", "invitations"), ("botCursor", "bots"), ("tokenCursor", "botTokens")] {
        things[name] = found[list]["pageInfo"]["startCursor"].clone();
    }
    (dora, bot)
}

/// The same things, but none of them has ever been there.
pub fn invented(things: &Value) -> Value {
    let mut invented = things.clone();
    for (name, prefix) in [
        ("conversation", "conv_"),
        ("request", "conv_"),
        ("agent", "usr_"),
        ("message", "msg_"),
        ("masked", "msg_"),
        ("held", "held_"),
        ("approved", "held_"),
        ("rejected", "held_"),
        ("user", "usr_"),
        ("account", "usr_"),
        ("bot", "usr_"),
        ("botToken", "btk_"),
        ("session", "ses_"),
        ("invitation", "inv_"),
        ("conversationInvitation", "inv_"),
        ("handedOver", "conv_"),
        ("left", "conv_"),
        ("deleted", "conv_"),
        ("workspace", "wsp_"),
        ("retried", "dlt_"),
        ("discarded", "dlt_"),
        ("upload", "upl_"),
        ("issuer", "iss_"),
        ("legalHold", "lgh_"),
        ("job", "job_"),
        ("case", "case_"),
        ("polled", "msg_"),
        ("linked", "msg_"),
        ("pollRoom", "conv_"),
        ("slug", "slug-"),
    ] {
        let id = Uuid::now_v7().simple().to_string();
        // A slug is at most 40 characters.
        invented[name] = json!(format!("{prefix}{id}"));
    }
    invented
}

pub async fn set_policy(owner: &Person, changes: &str) {
    let query = format!("mutation {{ workspacePolicyUpdate(input: {{ {changes} }}) {{ errors {{ code message }} }} }}");
    let done = owner.ask(&query, json!({})).await;
    assert_eq!(done["workspacePolicyUpdate"]["errors"], json!([]));
}

pub async fn type_in(person: &Person, conversation: &str, what: &str) {
    let query = format!("mutation($c: ID!) {{ {what}(input: {{ conversationId: $c }}) {{ errors {{ code }} }} }}");
    let done = person.ask(&query, json!({ "c": conversation })).await;
    assert_eq!(done[what]["errors"], json!([]));
}
