//! People: what they say of themselves, how they are found, what they may do, and when they may not come in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::{PASSWORD, account, does, sign_in},
        person::refusal,
    },
};

stories! {
    /// F: U-01
    async fn a_profile_is_its_users_own(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let mut socket = bob.socket().await;
        socket.subscribe("s", "subscription { events(input: { kinds: [USER_UPDATED] }) { __typename ... on UserUpdated { user { name avatarUrl statusText } } } }", json!({})).await;
        socket.event("s").await;
        let update = |input: Value| does(&ann, "userUpdate", input, "user { name avatarUrl statusText }");
        let picture = "https://pictures.example/ann.png";
        for (input, code, field) in [
            (json!({ "name": "" }), "MISSING", "name"),
            (json!({ "avatarUrl": "javascript:alert(1)" }), "INVALID", "avatarUrl"),
            (json!({ "statusText": "x".repeat(141) }), "TOO_LONG", "statusText"),
            (json!({ "preferences": { "x": "y".repeat(16_384) } }), "TOO_LONG", "preferences"),
        ] {
            assert_eq!(refusal(&update(input).await), (code.to_owned(), json!(["input", field])));
        }
        update(json!({ "preferences": { "theme": "dark" } })).await;
        let updated = update(json!({ "name": "Ann B", "avatarUrl": picture, "statusText": "at sea" })).await;
        let expected = json!({ "name": "Ann B", "avatarUrl": picture, "statusText": "at sea" });
        assert_eq!(updated["user"], expected);
        assert_eq!(socket.event("s").await["user"], expected, "what is kept for oneself is told to nobody");
        let updated = update(json!({ "statusText": null })).await;
        assert_eq!(updated["user"], json!({ "name": "Ann B", "avatarUrl": picture, "statusText": null }));

        let found = ann.ask("{ viewer { preferences } }", json!({})).await;
        assert_eq!(found["viewer"]["preferences"], json!({ "theme": "dark" }));
        let found = bob.ask("query($id: ID!) { user(id: $id) { name status } viewer { preferences } }", json!({ "id": ann.id })).await;
        assert_eq!(found, json!({ "user": { "name": "Ann B", "status": "ACTIVE" }, "viewer": { "preferences": {} } }));
        let again = world.person_with("ann", json!({ "name": "Somebody else" })).await;
        let found = again.ask("{ viewer { user { id name } } }", json!({})).await;
        assert_eq!(found["viewer"]["user"], json!({ "id": ann.id, "name": "Ann B" }), "a token does not undo the name that was chosen");
    }

    /// F: U-02
    async fn people_are_found_by_the_beginnings_of_their_names(backend) {
        let world = World::new(backend).await;
        let mut ann = world.person("ann").await;
        for name in ["Zoë O'Brien", "Zoltan Brandt", "zoe zoega", "Brianna Zo", "李小龍"] {
            world.clock.advance(Duration::from_millis(1));
            world.person(name).await;
        }
        world.person_of("elsewhere", "Zoe Elsewhere", "owner").await;
        let search = async |words: &str| names(&ann, &json!(words)).await;
        assert_eq!(search("zoe").await, ["Zoë O'Brien", "zoe zoega"]);
        assert_eq!(search("ZO br").await, ["Brianna Zo", "Zoë O'Brien", "Zoltan Brandt"]);
        assert_eq!(search("brien").await, ["Zoë O'Brien"]);
        assert_eq!(search("李小").await, ["李小龍"]);
        assert_eq!(search("nobody").await, [""; 0]);
        assert_eq!(search(" - ").await, [""; 0]);
        assert_eq!(search("%").await, [""; 0]);
        let everybody = names(&ann, &Value::Null).await;
        assert_eq!(everybody.len(), 7, "the owner of the first start among them: {everybody:?}");

        let mut pages = Vec::new();
        let mut after = Value::Null;
        loop {
            let query = "query($after: String) { users(search: \"zo\", first: 1, after: $after) { nodes { name } pageInfo { hasNextPage endCursor hasPreviousPage } } }";
            let found = ann.ask(query, json!({ "after": after })).await["users"].take();
            pages.push(found["nodes"][0]["name"].clone());
            after = found["pageInfo"]["endCursor"].clone();
            if found["pageInfo"]["hasNextPage"] == json!(false) {
                break;
            }
        }
        assert_eq!(pages, [json!("Brianna Zo"), json!("Zoë O'Brien"), json!("zoe zoega"), json!("Zoltan Brandt")]);
        let found = ann.ask("query($b: String) { users(search: \"zo\", last: 2, before: $b) { nodes { name } } }", json!({ "b": after })).await;
        assert_eq!(found["users"]["nodes"], json!([{ "name": "Zoë O'Brien" }, { "name": "zoe zoega" }]));

        does(&ann, "userUpdate", json!({ "name": "Quentin" }), "").await;
        "Quentin".clone_into(&mut ann.name);
        assert_eq!(names(&ann, &json!("ann")).await, [""; 0], "nobody is found by the name they had");
        assert_eq!(names(&ann, &json!("quen")).await, ["Quentin"]);
    }

    /// F: A-04
    async fn roles_are_given_by_those_who_may_and_no_token_takes_them(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let operator = world.operator().await;
        let (owner, ann) = (world.person_with("mona", json!({ "roles": ["owner"] })).await, world.person("ann").await);
        let admin = world.person_with("ada", json!({ "roles": ["admin"] })).await;
        let give = async |who: &Person, whom: &Person, role: &str| {
            does(who, "userRoleUpdate", json!({ "userId": whom.id, "role": role }), "user { role }").await
        };
        assert_eq!(refusal(&give(&ann, &ann, "ADMIN").await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&give(&admin, &ann, "OWNER").await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&give(&admin, &owner, "MEMBER").await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&give(&owner, &ann, "BOT").await).0, "INVALID");

        // What was opened before goes on as who they are now, on the other node as well.
        let mut socket = ann.at(&world, 1).socket().await;
        socket.subscribe("s", "subscription { events(input: { kinds: [USER_UPDATED] }) { __typename ... on UserUpdated { user { role } } } }", json!({})).await;
        socket.event("s").await;
        assert_eq!(give(&admin, &ann, "MODERATOR").await["user"]["role"], json!("MODERATOR"));
        assert_eq!(socket.event("s").await["user"]["role"], json!("MODERATOR"));
        assert_eq!(give(&admin, &ann, "ADMIN").await["user"]["role"], json!("ADMIN"));
        assert_eq!(socket.event("s").await["user"]["role"], json!("ADMIN"));
        socket.subscribe("q", "{ auditLog(last: 1) { nodes { action } } }", json!({})).await;
        assert_eq!(socket.next("q").await["data"]["auditLog"]["nodes"], json!([{ "action": "USER_ROLE_UPDATED" }]));
        let again = world.person_with("ann", json!({ "roles": ["member"] })).await;
        let found = again.ask("{ viewer { user { role } } }", json!({})).await;
        assert_eq!(found["viewer"]["user"]["role"], json!("ADMIN"), "the hub's own word stands");
        assert_eq!(give(&owner, &ann, "MEMBER").await["errors"], json!([]));
        assert_eq!(socket.event("s").await["user"]["role"], json!("MEMBER"));
        socket.subscribe("r", "{ auditLog(last: 1) { nodes { action } } }", json!({})).await;
        assert_eq!(socket.next("r").await["errors"][0]["extensions"]["code"], json!("NOT_ALLOWED"));

        assert_eq!(give(&owner, &operator, "MEMBER").await["errors"], json!([]));
        assert_eq!(refusal(&give(&owner, &owner, "MEMBER").await).0, "NOT_ALLOWED", "a workspace keeps an owner");
        assert_eq!(refusal(&does(&owner, "userDeactivate", json!({ "userId": owner.id }), "").await).0, "NOT_ALLOWED");
        assert_eq!(give(&owner, &ann, "OWNER").await["errors"], json!([]));
        assert_eq!(give(&owner, &owner, "MEMBER").await["errors"], json!([]));
    }

    /// F: U-05
    async fn who_is_deactivated_is_out_and_reads_as_such(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let (ann, eve) = (account(&world, "ann").await, world.person("eve").await);
        world.clock.advance(Duration::from_millis(1));
        let tea = ann.group("Tea", &[&owner, &eve]).await;
        ann.say(&tea, "goodbye").await;
        let (mut of_ann, mut of_eve) = (ann.at(&world, 1).socket().await, eve.at(&world, 1).socket().await);
        assert_eq!(refusal(&does(&eve, "userDeactivate", json!({ "userId": ann.id }), "").await).0, "NOT_ALLOWED");
        for person in [&ann, &eve] {
            let done = does(&owner, "userDeactivate", json!({ "userId": person.id }), "user { name status }").await;
            world.clock.advance(Duration::from_millis(1));
            assert_eq!(done["user"], json!({ "name": person.name, "status": "DEACTIVATED" }));
        }
        let why = "Forbidden: the user is deactivated".to_owned();
        assert_eq!((of_ann.closed().await, of_eve.closed().await), ((4403, why.clone()), (4403, why)));
        for person in [&ann, &eve] {
            for node in [0, 1] {
                assert_eq!(person.at(&world, node).fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
            }
        }
        assert_eq!(refusal(&sign_in(&world, "ann", PASSWORD).await).0, "WRONG_CREDENTIALS");
        let fresh = Person { token: world.token("eve", json!({ "roles": ["owner"] })), ..eve.clone() };
        assert_eq!(fresh.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED", "no token brings anybody back");
        let found = owner.ask("query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { body sender { name status } } } } }", json!({ "id": tea })).await;
        let said = &found["conversation"]["messages"]["nodes"][0];
        assert_eq!(*said, json!({ "body": "goodbye", "sender": { "name": "ann", "status": "DEACTIVATED" } }));
        assert_eq!(names(&owner, &json!("ann")).await, [""; 0]);
        let mine = owner.group("Mine", &[]).await;
        let pair = json!({ "type": "DIRECT", "memberIds": [eve.id] });
        let group = json!({ "type": "GROUP", "title": "Too late", "memberIds": [eve.id] });
        for refused in [owner.create(pair.clone()).await, owner.create(group).await, owner.add(&mine, &[&ann]).await] {
            assert_eq!(refusal(&refused), ("INVALID".into(), json!(["input", "memberIds"])), "nobody brings them in");
        }

        for person in [&ann, &eve] {
            let done = does(&owner, "userReactivate", json!({ "userId": person.id }), "user { status }").await;
            world.clock.advance(Duration::from_millis(1));
            assert_eq!(done["user"], json!({ "status": "ACTIVE" }));
        }
        assert_eq!(ann.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED", "her session is gone");
        assert_eq!(sign_in(&world, "ann", PASSWORD).await["errors"], json!([]));
        eve.cursor().await;
        assert_eq!(owner.create(pair).await["errors"], json!([]));
        assert_eq!(names(&owner, &json!("ann")).await, ["ann"]);
        let found = owner.ask("{ auditLog(last: 4) { nodes { action } } }", json!({})).await;
        let did = |action: &str| json!({ "action": action });
        assert_eq!(found["auditLog"]["nodes"], json!([did("USER_DEACTIVATED"), did("USER_DEACTIVATED"), did("USER_REACTIVATED"), did("USER_REACTIVATED")]));
    }
}

async fn names(person: &Person, search: &Value) -> Vec<String> {
    let query = "query($search: String) { users(search: $search, first: 100) { nodes { name } } }";
    let found = person.ask(query, json!({ "search": search })).await;
    let nodes = found["users"]["nodes"].as_array().expect("nodes").clone();
    nodes.iter().map(|node| node["name"].as_str().expect("a name").to_owned()).collect()
}
