//! Making conversations, finding them again, and who takes part.

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    stories,
    support::{
        Setup, World,
        person::{refusal, text},
    },
};

stories! {
    /// F: C-02
    async fn a_pair_has_one_direct_conversation_for_each_context(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let direct = |other: &str| json!({ "type": "DIRECT", "memberIds": [other] });
        let first = ann.create(direct(&bob.id)).await["conversation"].clone();
        assert_eq!(first["memberCount"], json!(2));
        assert_eq!(bob.create(direct(&ann.id)).await["conversation"]["id"], first["id"], "whoever begins");
        assert_ne!(ann.create(direct(&eve.id)).await["conversation"]["id"], first["id"]);

        let about = |id: &str| json!({ "type": "DIRECT", "memberIds": [bob.id], "context": { "type": "booking", "id": id } });
        let booking = ann.create(about("42")).await["conversation"].clone();
        assert_eq!(booking["context"], json!({ "type": "booking", "id": "42" }));
        assert_ne!(booking["id"], first["id"]);
        assert_eq!(ann.create(about("42")).await["conversation"]["id"], booking["id"]);
        assert_ne!(ann.create(about("43")).await["conversation"]["id"], booking["id"]);
    }

    /// F: C-02
    async fn fifty_clients_that_make_the_same_direct_conversation_make_one(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let attempts = (0..50).map(|number| {
            let (from, to) = if number % 2 == 0 { (&ann, &bob) } else { (&bob, &ann) };
            let (from, to) = (from.at(&world, number / 2), to.id.clone());
            async move { from.create(json!({ "type": "DIRECT", "memberIds": [to] })).await }
        });
        let made = join_all(attempts).await;
        let id = &made[0]["conversation"]["id"];
        assert!(text(id).starts_with("conv_"));
        for each in &made {
            assert_eq!((&each["conversation"]["id"], &each["errors"]), (id, &json!([])));
        }
        let listed = ann.ask("{ conversations(first: 10) { nodes { id } } }", json!({})).await;
        assert_eq!(listed["conversations"]["nodes"], json!([{ "id": id }]));
    }

    /// F: C-04
    async fn a_group_has_a_title_an_owner_and_members_who_exist(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group(" Tea ", &[&bob, &bob, &ann]).await;
        let query = "query($c: ID!) { conversation(id: $c) { title memberCount viewerRole creator { name }
            members(first: 10) { nodes { role user { name } joinedAt } pageInfo { hasNextPage } } } }";
        let found = ann.ask(query, json!({ "c": tea })).await["conversation"].clone();
        assert_eq!((&found["title"], &found["memberCount"]), (&json!("Tea"), &json!(2)));
        assert_eq!((&found["viewerRole"], &found["creator"]["name"]), (&json!("OWNER"), &json!("ann")));
        let mut members: Vec<_> = found["members"]["nodes"]
            .as_array()
            .expect("members")
            .iter()
            .map(|member| (text(&member["user"]["name"]), text(&member["role"])))
            .collect();
        members.sort();
        assert_eq!(members, [("ann".into(), "OWNER".into()), ("bob".into(), "MEMBER".into())]);

        let refused = |input: serde_json::Value| {
            let ann = ann.clone();
            async move { refusal(&ann.create(input).await) }
        };
        let input = |field| json!(["input", field]);
        let nobody = "usr_00000000000000000000000000000000";
        for (wrong, code, field) in [
            (json!({ "type": "GROUP", "memberIds": [] }), "MISSING", "title"),
            (json!({ "type": "GROUP", "title": " ", "memberIds": [] }), "MISSING", "title"),
            (json!({ "type": "GROUP", "title": "a".repeat(121), "memberIds": [] }), "TOO_LONG", "title"),
            (json!({ "type": "GROUP", "title": "a\nb", "memberIds": [] }), "INVALID", "title"),
            (json!({ "type": "GROUP", "title": "a", "memberIds": [nobody] }), "NOT_FOUND", "memberIds"),
            (json!({ "type": "GROUP", "title": "a", "memberIds": ["x"] }), "NOT_FOUND", "memberIds"),
            (json!({ "type": "GROUP", "title": "a", "description": "d".repeat(1_001), "memberIds": [] }), "TOO_LONG", "description"),
            (json!({ "type": "DIRECT", "memberIds": [] }), "INVALID", "memberIds"),
            (json!({ "type": "DIRECT", "memberIds": [ann.id] }), "INVALID", "memberIds"),
            (json!({ "type": "DIRECT", "title": "x", "memberIds": [bob.id] }), "INVALID", "title"),
            (json!({ "type": "DIRECT", "memberIds": [nobody] }), "NOT_FOUND", "memberIds"),
        ] {
            assert_eq!(refused(wrong.clone()).await, (code.to_owned(), input(field)), "{wrong}");
        }
        let context = json!({ "type": "GROUP", "title": "a", "memberIds": [], "context": { "type": "", "id": "1" } });
        assert_eq!(refused(context).await, ("MISSING".into(), json!(["input", "context", "type"])));
        let listed = ann.ask("{ conversations(first: 10) { nodes { id } } }", json!({})).await;
        assert_eq!(listed["conversations"]["nodes"], json!([{ "id": tea }]), "nothing was half made");
    }

    /// F: C-04
    async fn a_group_takes_as_many_as_the_policy_says_and_not_one_more(backend) {
        let world = Setup::new(backend).config(|config| config.policy.group_max_members = 3).start().await;
        let (ann, bob, cid, dan) = (
            world.person("ann").await, world.person("bob").await, world.person("cid").await, world.person("dan").await,
        );
        let input = |members: Vec<&str>| json!({ "type": "GROUP", "title": "Tea", "memberIds": members });
        let full = ann.create(input(vec![&bob.id, &cid.id, &dan.id])).await;
        assert_eq!(refusal(&full), ("LIMIT_REACHED".into(), json!(["input", "memberIds"])));
        assert_eq!(text(&full["errors"][0]["message"]), "a group has at most 3 members, this would make 4");

        let tea = ann.group("Tea", &[&bob]).await;
        assert_eq!(refusal(&ann.add(&tea, &[&cid, &dan]).await).0, "LIMIT_REACHED");
        assert_eq!(ann.add(&tea, &[&cid]).await["conversation"]["memberCount"], json!(3));
        assert_eq!(refusal(&ann.add(&tea, &[&dan]).await).0, "LIMIT_REACHED");
        assert_eq!(ann.add(&tea, &[&bob]).await["conversation"]["memberCount"], json!(3), "who is there is not added again");
    }

    /// F: C-04
    async fn adding_at_the_limit_from_all_sides_never_goes_over_it(backend) {
        let world = Setup::new(backend).nodes(2).config(|config| config.policy.group_max_members = 10).start().await;
        let ann = world.person("ann").await;
        let mut people = Vec::new();
        for number in 0..30 {
            people.push(world.person(&format!("p{number}")).await);
        }
        let tea = ann.group("Tea", &[]).await;
        let attempts = people.iter().enumerate().map(|(number, person)| {
            let (ann, tea) = (ann.at(&world, number), tea.clone());
            async move { ann.add(&tea, &[person]).await }
        });
        let outcomes = join_all(attempts).await;
        let added = outcomes.iter().filter(|outcome| outcome["errors"] == json!([])).count();
        assert_eq!(added, 9);
        for refused in outcomes.iter().filter(|outcome| outcome["errors"] != json!([])) {
            assert_eq!(refusal(refused).0, "LIMIT_REACHED");
        }
        let query = "query($c: ID!) { conversation(id: $c) { memberCount members(first: 100) { nodes { role } } } }";
        let found = ann.ask(query, json!({ "c": tea })).await["conversation"].clone();
        assert_eq!(found["memberCount"], json!(10));
        assert_eq!(found["members"]["nodes"].as_array().expect("members").len(), 10);
    }

    /// F: C-04, A-04
    async fn only_those_who_run_a_group_add_people_to_it(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        assert_eq!(refusal(&bob.add(&tea, &[&eve]).await), ("NOT_ALLOWED".into(), json!(null)));
        assert_eq!(refusal(&eve.add(&tea, &[&eve]).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        assert_eq!(refusal(&ann.add(&tea, &[]).await), ("MISSING".into(), json!(["input", "memberIds"])));
        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        assert_eq!(refusal(&ann.add(&direct, &[&eve]).await), ("INVALID".into(), json!(["input", "conversationId"])));
        assert_eq!(ann.add(&tea, &[&eve]).await["errors"], json!([]));
        assert_eq!(eve.say(&tea, "hello").await["sequence"], json!(1));
    }

    async fn ones_conversations_are_listed_the_last_active_first(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let mut ids = Vec::new();
        for number in 0..5 {
            // Half an hour apart, so that the order is told within an hour and across hours.
            world.clock.advance(std::time::Duration::from_mins(30));
            ids.push(ann.group(&number.to_string(), &[&bob]).await);
        }
        world.clock.advance(std::time::Duration::from_mins(90));
        ann.say(&ids[1], "this one is alive").await;
        world.clock.advance(std::time::Duration::from_mins(1));
        ann.say(&ids[3], "and this one").await;

        let page = |arguments: &str| {
            let query = format!("{{ conversations({arguments}) {{ nodes {{ title }}
                pageInfo {{ hasPreviousPage hasNextPage startCursor endCursor }} }} }}");
            let bob = bob.clone();
            async move {
                let found = bob.ask(&query, json!({})).await["conversations"].clone();
                let titles: String = found["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["title"])).collect();
                let info = found["pageInfo"].clone();
                (titles, info["hasPreviousPage"] == json!(true), info["hasNextPage"] == json!(true), info)
            }
        };
        let (titles, before, after, info) = page("first: 3").await;
        assert_eq!((titles.as_str(), before, after), ("314", false, true));
        let rest = format!("first: 3, after: {}", info["endCursor"]);
        let (titles, before, after, info) = page(&rest).await;
        assert_eq!((titles.as_str(), before, after), ("20", true, false));
        let back = format!("last: 2, before: {}", info["startCursor"]);
        let (titles, before, after, _) = page(&back).await;
        assert_eq!((titles.as_str(), before, after), ("14", true, true));
        assert_eq!(page("last: 2").await.0, "20");
        let cursor_of_another_list = "first: 1, after: \"cwAAAAAAAAAB\"";
        let fault = bob.fault(&format!("{{ conversations({cursor_of_another_list}) {{ nodes {{ id }} }} }}"), json!({})).await;
        assert_eq!(fault, "BAD_REQUEST");
    }
}
