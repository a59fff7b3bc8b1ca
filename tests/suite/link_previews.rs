//! Previews of links, as clients see them: they come a moment after the message, and follow what it says.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, Socket, World,
        account::does,
        guest::owner,
        person::{refusal, text},
        web::{LINK_PREVIEWS, Web, may_look_at_links, of_link_previews},
        within,
    },
};

const PREVIEWS: &str = "linkPreviews { url title description siteName kind authorName imageUrl }";

/// Two nodes that reach invented servers, two people in a group, of whom one is at the second node, and whoever may grant.
struct Room {
    world: World,
    web: Web,
    operator: Person,
    ann: Person,
    bob: Person,
    tea: String,
}

async fn room(setup: Setup) -> Room {
    let web = Web::start().await;
    let world = setup.nodes(2).outside(web.outside()).start().await;
    let operator = world.operator().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let tea = ann.group("Tea", &[&bob]).await;
    let bob = bob.at(&world, 1);
    Room { world, web, operator, ann, bob, tea }
}

impl Room {
    async fn grant(&self, may_ask: bool) {
        may_look_at_links(&self.world, may_ask).await;
    }

    /// Waits until the plugin has been told of everything so far.
    async fn all_is_told(&self) {
        within("the plugin to have heard of all", async {
            while of_link_previews(&self.operator.ask("{ plugins { id lag } }", json!({})).await)["lag"] != json!(0) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn say(&self, body: &str) -> String {
        text(&self.ann.say(&self.tea, body).await["id"])
    }

    async fn edit(&self, message: &str, body: &str) {
        let input = json!({ "messageId": message, "body": body });
        assert_eq!(does(&self.ann, "messageEdit", input, "").await["errors"], json!([]));
    }

    /// Somebody who is told when what is attached to a message changes, with what is shown then.
    async fn watched_by(&self, person: &Person) -> Socket {
        let mut socket = person.socket().await;
        let query = format!(
            "subscription {{ events(input: {{ kinds: [ANNOTATION_CHANGED] }}) {{ __typename
                ... on AnnotationChanged {{ plugin message {{ id {PREVIEWS} }} }} }} }}"
        );
        socket.subscribe("s", &query, json!({})).await;
        socket.until_caught_up("s").await;
        socket
    }
}

async fn seen(person: &Person, message: &str) -> Value {
    let query = format!("query($id: ID!) {{ message(id: $id) {{ {PREVIEWS} }} }}");
    person.ask(&query, json!({ "id": message })).await["message"]["linkPreviews"].take()
}

/// The titles of what somebody is told of a message next.
async fn told(socket: &mut Socket, message: &str) -> Vec<String> {
    let event = socket.event("s").await;
    assert_eq!((&event["plugin"], &event["message"]["id"]), (&json!(LINK_PREVIEWS), &json!(message)), "{event}");
    let previews = event["message"]["linkPreviews"].as_array().cloned().unwrap_or_default();
    previews.iter().map(|preview| text(&preview["title"])).collect()
}

stories! {
    /// F: P-20, P-09
    async fn what_a_link_leads_to_is_shown_and_watched(backend) {
        let room = room(Setup::new(backend)).await;
        room.web.page("green.example/tea?id=1", "<title>Plain</title><meta property='og:title' content='Green &amp; fine'>
            <meta property='og:description' content='Leaves.'><meta property='og:site_name' content='The tea shop'>
            <meta property='og:type' content='article'><meta name='author' content='Cid'>
            <meta property='og:image' content='/green.png'>");
        room.web.page("black.example/", "<title>Black</title>");
        room.grant(true).await;
        let mut socket = room.watched_by(&room.bob).await;
        let message = room.say("http://green.example/tea?id=1#leaves, or `http://black.example`?").await;
        let whole = json!([{
            "url": "http://green.example/tea?id=1#leaves", "title": "Green & fine", "description": "Leaves.",
            "siteName": "The tea shop", "kind": "article", "authorName": "Cid", "imageUrl": "http://green.example/green.png",
        }]);
        assert_eq!(told(&mut socket, &message).await, ["Green & fine"]);
        assert_eq!((seen(&room.bob, &message).await, seen(&room.ann, &message).await), (whole.clone(), whole));
        assert_eq!(room.web.asked(), ["green.example/tea?id=1"]);

        // What was asked for once is known to all who say it, and what a message says no more is shown no more.
        room.edit(&message, "http://black.example and http://green.example/tea?id=1").await;
        assert_eq!(told(&mut socket, &message).await, ["Green & fine"]);
        assert_eq!(told(&mut socket, &message).await, ["Black", "Green & fine"]);
        room.edit(&message, "<http://black.example>").await;
        assert_eq!(told(&mut socket, &message).await, Vec::<String>::new());
        assert_eq!(seen(&room.bob, &message).await, Value::Null);
        let again = room.say("[tea](http://black.example)").await;
        assert_eq!(told(&mut socket, &again).await, ["Black"]);
        assert_eq!(room.web.asked(), ["green.example/tea?id=1", "black.example/"]);

        // Who takes no part sees nothing of it, in this workspace and in others, where nothing is known of it either.
        let eve = room.world.person("eve").await;
        let odo = room.world.person_of("elsewhere", "odo", "owner").await;
        for stranger in [&eve, &odo] {
            let query = format!("query($id: ID!) {{ message(id: $id) {{ {PREVIEWS} }} }}");
            assert_eq!(stranger.ask(&query, json!({ "id": again })).await["message"], Value::Null);
        }
        let far = odo.group("Far", &[]).await;
        let mut elsewhere = room.watched_by(&odo).await;
        let there = text(&odo.say(&far, "http://black.example").await["id"]);
        assert_eq!(told(&mut elsewhere, &there).await, ["Black"]);
        assert_eq!(room.web.asked().len(), 3, "one workspace does not learn what another one looked at");
    }

    /// F: P-20, P-05
    async fn without_the_grant_nothing_is_asked_and_nothing_is_lost(backend) {
        let room = room(Setup::new(backend)).await;
        room.web.page("tea.example/", "<title>Tea</title>");
        let found = of_link_previews(&room.operator.ask("{ plugins { id isOn wantedCapabilities grantedCapabilities } }", json!({})).await);
        assert_eq!(found["isOn"], json!(true));
        let holds = |list: &Value| list.as_array().expect("a list").contains(&json!("FETCH_PUBLIC_URL"));
        assert_eq!((holds(&found["wantedCapabilities"]), holds(&found["grantedCapabilities"])), (true, false));
        let before = room.say("http://tea.example").await;
        room.all_is_told().await;
        assert_eq!((room.web.asked().len(), seen(&room.ann, &before).await), (0, Value::Null));

        room.grant(true).await;
        let mut socket = room.watched_by(&room.bob).await;
        let after = room.say("http://tea.example").await;
        assert_eq!(told(&mut socket, &after).await, ["Tea"]);
        room.grant(false).await;
        let known = room.say("http://tea.example").await;
        assert_eq!(told(&mut socket, &known).await, ["Tea"], "nobody need be asked");
        room.say("http://tea.example/again").await;
        room.all_is_told().await;
        assert_eq!(room.web.asked(), ["tea.example/"]);
        let health = room.operator.ask("{ plugins { id health { failures { kind } } } }", json!({})).await;
        assert_eq!(of_link_previews(&health)["health"]["failures"], json!([]));
    }

    /// F: P-20
    async fn hosts_that_a_workspace_denies_are_never_asked(backend) {
        let room = room(Setup::new(backend)).await;
        room.grant(true).await;
        let owner = owner(&room.world).await;
        let configure = async |deny: Value| {
            let input = json!({ "pluginId": LINK_PREVIEWS, "configuration": { "deny": deny } });
            does(&owner, "pluginConfigure", input, "").await
        };
        let invalid = ("INVALID".to_owned(), json!(["input", "configuration"]));
        assert_eq!(refusal(&configure(json!(["http://tea.example"])).await), invalid);
        assert_eq!(configure(json!(["denied.example"])).await["errors"], json!([]));
        room.web.page("www.denied.example/", "<title>Denied</title>");
        room.web.page("tea.example/", "<title>Tea</title>");
        let mut socket = room.watched_by(&room.bob).await;
        let message = room.say("http://denied.example http://www.denied.example http://tea.example").await;
        assert_eq!(told(&mut socket, &message).await, ["Tea"]);
        assert_eq!(room.web.asked(), ["tea.example/"]);
    }

    /// F: P-20, P-07
    async fn a_page_of_fifty_messages_with_links_is_one_call(backend) {
        let room = room(Setup::new(backend)).await;
        room.grant(true).await;
        let mut socket = room.watched_by(&room.bob).await;
        for number in 0..50 {
            room.web.page(&format!("tea.example/{}", number % 5), &format!("<title>Tea {}</title>", number % 5));
            room.say(&format!("http://tea.example/{}", number % 5)).await;
        }
        for _ in 0..50 {
            socket.event("s").await;
        }
        room.all_is_told().await;
        assert_eq!(room.web.asked().len(), 5);
        let calls = async || {
            let found = room.operator.ask("{ plugins { id health { calls } } }", json!({})).await;
            of_link_previews(&found)["health"]["calls"].as_u64().expect("a number")
        };
        let before = calls().await;
        let query = format!("query($id: ID!) {{ conversation(id: $id) {{ messages(last: 50) {{ nodes {{ {PREVIEWS} }} }} }} }}");
        let found = room.ann.ask(&query, json!({ "id": room.tea })).await;
        let nodes = found["conversation"]["messages"]["nodes"].as_array().expect("nodes").clone();
        assert_eq!(nodes.len(), 50);
        for (number, node) in nodes.iter().enumerate() {
            assert_eq!(node["linkPreviews"][0]["title"], json!(format!("Tea {}", number % 5)));
        }
        assert_eq!(calls().await, before + 1);
    }
}
