//! Bots, and what their tokens are good for.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        person::{refusal, text},
    },
};

stories! {
    /// F: A-05
    async fn a_bot_comes_in_with_a_token_until_it_is_revoked(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (owner, ann) = (world.person_with("mona", json!({ "roles": ["owner"] })).await, world.person("ann").await);
        assert_eq!(refusal(&does(&ann, "botCreate", json!({ "name": "robbie" }), "").await).0, "NOT_ALLOWED");
        let made = does(&owner, "botCreate", json!({ "name": "robbie" }), "bot { id name role }").await;
        assert_eq!((&made["bot"]["name"], &made["bot"]["role"]), (&json!("robbie"), &json!("BOT")));
        let bot = &made["bot"]["id"];
        let token = |changes: Value| {
            let mut input = json!({ "botId": bot, "name": "for tests", "scopes": ["READ", "WRITE"] });
            for (name, value) in changes.as_object().expect("an object") {
                input[name] = value.clone();
            }
            input
        };
        let past = world.clock.now().to_string();
        for (who, input, code) in [
            (&ann, token(json!({})), "NOT_ALLOWED"),
            (&owner, token(json!({ "botId": ann.id })), "NOT_FOUND"),
            (&owner, token(json!({ "scopes": [] })), "MISSING"),
            (&owner, token(json!({ "name": "" })), "MISSING"),
            (&owner, token(json!({ "expiresAt": past })), "INVALID"),
        ] {
            assert_eq!(refusal(&does(who, "botTokenCreate", input, "secret").await).0, code);
        }
        let first = does(&owner, "botTokenCreate", token(json!({})), "secret token { id scopes }").await;
        let (secret, id) = (text(&first["secret"]), &first["token"]["id"]);
        assert!(secret.starts_with("jfb_"), "{secret}");
        let robbie = Person::enter(&world, "robbie", &secret).await;
        assert_eq!(json!(robbie.id), *bot);
        let tea = ann.group("Tea", &[&robbie]).await;
        robbie.at(&world, 1).say(&tea, "beep").await;

        let query = "query($bot: ID!) { bots(first: 10) { nodes { name } } botTokens(botId: $bot, first: 10) { nodes { id name scopes expiresAt bot { name } creator { name } } } }";
        let listed = owner.ask(query, json!({ "bot": bot })).await;
        assert_eq!(listed["bots"]["nodes"], json!([{ "name": "robbie" }]));
        assert_eq!(listed["botTokens"]["nodes"], json!([{ "id": id, "name": "for tests", "scopes": ["READ", "WRITE"], "expiresAt": null, "bot": { "name": "robbie" }, "creator": { "name": "mona" } }]));
        assert!(!listed.to_string().contains(&secret));
        assert_eq!(ann.fault(query, json!({ "bot": bot })).await, "NOT_ALLOWED");

        let second = does(&owner, "botTokenCreate", token(json!({ "expiresAt": (world.clock.now() + Duration::from_hours(1)).to_string() })), "secret").await;
        let spare = Person::enter(&world, "robbie", &text(&second["secret"])).await;
        let (mut socket, mut kept) = (robbie.at(&world, 1).socket().await, spare.at(&world, 1).socket().await);
        let revoke = json!({ "tokenId": id });
        assert_eq!(refusal(&does(&ann, "botTokenRevoke", revoke.clone(), "").await).0, "NOT_ALLOWED");
        assert_eq!(does(&owner, "botTokenRevoke", revoke.clone(), "token { name }").await["token"]["name"], json!("for tests"));
        assert_eq!(refusal(&does(&owner, "botTokenRevoke", revoke, "").await).0, "NOT_FOUND");
        assert_eq!(socket.closed().await, (4403, "Forbidden: the token was revoked".to_owned()));
        for node in [0, 1] {
            assert_eq!(robbie.at(&world, node).fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        }
        spare.cursor().await;
        world.clock.advance(Duration::from_hours(1));
        assert_eq!(kept.closed().await, (4403, "Forbidden: the token has expired".to_owned()));
        assert_eq!(spare.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        let nonsense = Person { token: "jfb_nonsense".to_owned(), ..ann.clone() };
        assert_eq!(nonsense.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
    }

    /// F: A-05
    async fn a_token_is_good_for_its_scopes_and_nothing_else(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let made = does(&owner, "botCreate", json!({ "name": "robbie" }), "bot { id }").await;
        let with = async |scopes: Value| {
            let input = json!({ "botId": made["bot"]["id"], "name": "t", "scopes": scopes });
            let token = does(&owner, "botTokenCreate", input, "secret").await;
            let mut person = owner.clone();
            person.token = text(&token["secret"]);
            person
        };
        let start = "mutation($c: ID!) { typingStart(input: { conversationId: $c }) { errors { code } } }";
        let nowhere = json!({ "c": "conv_00000000000000000000000000000000" });
        let (reads, writes, runs) = (with(json!(["READ"])).await, with(json!(["WRITE"])).await, with(json!(["READ", "WRITE", "ADMIN"])).await);
        reads.cursor().await;
        assert_eq!(reads.fault(start, nowhere.clone()).await, "NOT_ALLOWED");
        assert_eq!(writes.fault("{ eventCursor }", json!({})).await, "NOT_ALLOWED");
        assert_eq!(writes.ask(start, nowhere.clone()).await["typingStart"]["errors"][0]["code"], json!("NOT_FOUND"));
        let mut socket = writes.socket().await;
        socket.subscribe("s", "subscription { events { cursor } }", json!({})).await;
        assert_eq!(socket.hear().await["payload"][0]["extensions"]["code"], json!("NOT_ALLOWED"));
        let mut socket = reads.socket().await;
        socket.follow("s", json!({})).await;
        socket.subscribe("m", start, nowhere).await;
        let heard = socket.hear().await;
        assert_eq!(heard["payload"][0]["extensions"]["code"], json!("NOT_ALLOWED"), "{heard}");

        let update = "mutation { workspaceUpdate(input: { name: \"Robbie's\" }) { errors { code } } }";
        let plain = with(json!(["READ", "WRITE"])).await;
        assert_eq!(plain.ask(update, json!({})).await["workspaceUpdate"]["errors"][0]["code"], json!("NOT_ALLOWED"));
        assert_eq!(runs.ask(update, json!({})).await["workspaceUpdate"]["errors"], json!([]));
        let found = runs.ask("{ viewer { user { role } isOperator } }", json!({})).await;
        assert_eq!(found["viewer"], json!({ "user": { "role": "BOT" }, "isOperator": false }));
    }
}
