//! Sessions: how one stays signed in, and how one is out for good.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::{PASSWORD, account, bearer, does, refresh, sign_in},
        person::{refusal, text},
        socket::EVENTS,
        stream::Stream,
    },
};

stories! {
    /// F: A-02
    async fn a_refresh_token_is_good_once_and_ends_its_session_if_it_is_used_twice(backend) {
        let world = World::new(backend).await;
        account(&world, "ann").await;
        let first = sign_in(&world, "ann", PASSWORD).await;
        let ann = bearer(&world, &first).await;
        let second = refresh(&world, &first["credentials"]["refreshToken"]).await;
        let of = |payload: &Value| payload["credentials"]["session"]["id"].clone();
        assert_eq!(of(&first), of(&second), "it is the same session");
        bearer(&world, &second).await;
        let third = refresh(&world, &second["credentials"]["refreshToken"]).await;

        // Who made one up ends nothing.
        let made_up = text(&third["credentials"]["refreshToken"]);
        let made_up = format!("{}{}", &made_up[..60], "A".repeat(made_up.len() - 60));
        for nonsense in [made_up.as_str(), "jfr_", "nonsense", ""] {
            assert_eq!(refusal(&refresh(&world, &json!(nonsense)).await).0, "WRONG_CREDENTIALS");
        }
        let mut socket = ann.socket().await;
        let stolen = refresh(&world, &first["credentials"]["refreshToken"]).await;
        assert_eq!(refusal(&stolen).0, "WRONG_CREDENTIALS");
        assert_eq!(socket.closed().await, (4403, "Forbidden: the session has ended".to_owned()));
        assert_eq!(ann.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        let too_late = refresh(&world, &third["credentials"]["refreshToken"]).await;
        assert_eq!(refusal(&too_late).0, "WRONG_CREDENTIALS");
    }

    /// F: A-02
    async fn who_is_signed_out_is_out_at_once_on_every_node(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let ann = account(&world, "ann").await;
        world.clock.advance(Duration::from_millis(1));
        let lost = sign_in(&world, "ann", PASSWORD).await;
        world.clock.advance(Duration::from_millis(1));
        let kept = sign_in(&world, "ann", PASSWORD).await;
        let (lost, kept) = (bearer(&world, &lost).await.at(&world, 1), bearer(&world, &kept).await.at(&world, 1));
        let listed = ann.ask("{ session { id isCurrent } sessions(first: 10) { nodes { id device address isCurrent lastUsedAt } } }", json!({})).await;
        let nodes = listed["sessions"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.iter().map(|node| (&node["device"], &node["isCurrent"])).collect::<Vec<_>>(),
            [(&Value::Null, &json!(true)), (&json!("a test"), &json!(false)), (&json!("a test"), &json!(false))]);
        assert_eq!(nodes[0]["id"], listed["session"]["id"]);
        assert_eq!(nodes[1]["address"], json!("127.0.0.1"));

        let mut follower = kept.socket().await;
        follower.subscribe("s", "subscription { events(input: { kinds: [SESSION_STARTED, SESSION_ENDED] }) { __typename ... on SessionEnded { sessionId } ... on SessionStarted { sessionId } } }", json!({})).await;
        assert_eq!(follower.event("s").await["__typename"], json!("CaughtUp"));
        let (mut socket, mut stream) = (lost.socket().await, Stream::open(&lost, EVENTS, json!({})).await);
        assert_eq!(stream.next().await.expect("an event").1["data"]["events"]["__typename"], json!("CaughtUp"));
        lost.cursor().await;

        let strangers = world.person("eve").await;
        let id = json!({ "sessionId": nodes[1]["id"] });
        assert_eq!(refusal(&does(&strangers, "sessionRevoke", id.clone(), "sessionId").await).0, "NOT_FOUND");
        assert_eq!(refusal(&does(&strangers, "sessionRevoke", json!({}), "sessionId").await).0, "NOT_FOUND", "a token of others has none");
        assert_eq!(does(&ann, "sessionRevoke", id.clone(), "sessionId").await["errors"], json!([]));
        assert_eq!(refusal(&does(&ann, "sessionRevoke", id, "sessionId").await).0, "NOT_FOUND");

        // The clock stands still: nothing ends because of time.
        assert_eq!(socket.closed().await, (4403, "Forbidden: the session has ended".to_owned()));
        // It may still be told that the session ended; the last word is that it did.
        let (mut last, mut said) = (Value::Null, stream.next().await);
        while let Some((_, word)) = said.filter(|(event, _)| event == "next") {
            last = word;
            said = stream.next().await;
        }
        assert_eq!(last["errors"][0]["extensions"]["code"], json!("UNAUTHENTICATED"), "{last}");
        assert_eq!(lost.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        assert_eq!(lost.at(&world, 0).fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        assert_eq!(follower.event("s").await, json!({ "__typename": "SessionEnded", "sessionId": nodes[1]["id"] }));
        kept.cursor().await;

        let (mut here, mut there) = (ann.socket().await, kept.socket().await);
        let ended = does(&ann, "sessionRevokeAll", json!({ "keepCurrent": true }), "count").await;
        assert_eq!(ended["count"], json!(1));
        assert_eq!(there.closed().await.0, 4403);
        ann.cursor().await;
        let ended = does(&ann, "sessionRevokeAll", json!({}), "count").await;
        assert_eq!(ended["count"], json!(1));
        assert_eq!(here.closed().await.0, 4403);
        assert_eq!(ann.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
    }

    /// F: A-02
    async fn a_session_lasts_as_long_as_the_policy_says(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        account(&world, "ann").await;
        does(&owner, "workspacePolicyUpdate", json!({ "accessTokenMinutes": 2, "sessionDays": 2 }), "").await;
        let signed_in = sign_in(&world, "ann", PASSWORD).await;
        let at = |span: Duration| json!((world.clock.now() + span).to_string());
        assert_eq!(signed_in["credentials"]["accessTokenExpiresAt"], at(Duration::from_mins(2)));
        assert_eq!(signed_in["credentials"]["session"]["expiresAt"], at(Duration::from_hours(48)));
        let ann = bearer(&world, &signed_in).await;
        let mut socket = ann.socket().await;
        world.clock.advance(Duration::from_mins(2));
        assert_eq!(socket.closed().await, (4403, "Forbidden: the token has expired".to_owned()));
        assert_eq!(ann.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");

        world.clock.advance(Duration::from_hours(47));
        let again = refresh(&world, &signed_in["credentials"]["refreshToken"]).await;
        bearer(&world, &again).await;
        world.clock.advance(Duration::from_hours(47));
        let again = refresh(&world, &again["credentials"]["refreshToken"]).await;
        assert_eq!(again["errors"], json!([]), "whoever comes back in time stays");
        world.clock.advance(Duration::from_hours(48));
        let late = refresh(&world, &again["credentials"]["refreshToken"]).await;
        assert_eq!(refusal(&late).0, "WRONG_CREDENTIALS");
    }

    /// F: A-02
    async fn the_oldest_of_many_sessions_makes_room(backend) {
        let world = World::new(backend).await;
        let ann = account(&world, "ann").await;
        for _ in 0..49 {
            world.clock.advance(Duration::from_millis(1));
            assert_eq!(sign_in(&world, "ann", PASSWORD).await["errors"], json!([]));
        }
        ann.cursor().await;
        let mut socket = ann.socket().await;
        sign_in(&world, "ann", PASSWORD).await;
        assert_eq!(socket.closed().await.0, 4403);
        assert_eq!(ann.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
    }

    /// F
    async fn the_link_of_the_first_start_makes_a_session_like_any_other(backend) {
        let world = World::new(backend).await;
        let link = world.node(0).sign_in_link().expect("the first start has one").to_owned();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let answer = http.get(&link).send().await.expect("an answer");
        let to = answer.headers()["location"].to_str().expect("a place").to_owned();
        let token = to.split_once("#token=").expect("a token").1;
        let owner = Person::enter(&world, "owner", token).await;
        let found = owner.ask("{ session { device isCurrent } viewer { isOperator } }", json!({})).await;
        assert_eq!(found, json!({ "session": { "device": "sign-in link", "isCurrent": true }, "viewer": { "isOperator": true } }));
        assert_eq!(does(&owner, "sessionRevoke", json!({}), "sessionId").await["errors"], json!([]));
        assert_eq!(owner.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
    }

    /// F: A-06
    async fn whoever_is_in_a_workspace_that_is_suspended_is_out(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (operator, eve) = (world.operator().await, world.person_of("elsewhere", "eve", "owner").await.at(&world, 1));
        let found = eve.ask("{ workspace { id } }", json!({})).await;
        let (mut socket, mut other) = (eve.socket().await, operator.socket().await);
        let input = json!({ "workspaceId": found["workspace"]["id"], "status": "SUSPENDED" });
        does(&operator, "workspaceUpdate", input, "").await;
        assert_eq!(socket.closed().await, (4403, "Forbidden: the workspace is closed".to_owned()));
        assert_eq!(eve.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED", "though the clock stands still");
        other.follow("s", json!({})).await;
    }
}
