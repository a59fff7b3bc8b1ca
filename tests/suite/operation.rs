//! Running the hub: starting, looking after it, stopping.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{Setup, World, person::text},
};

stories! {
    /// F: L-04
    async fn health_readiness_and_counters_are_told(backend) {
        let world = Setup::new(backend).config(|config| config.metrics.listen = "public".to_owned()).start().await;
        let ann = world.person("ann").await;
        let (status, body) = ann.get("/health").await;
        assert_eq!((status.as_u16(), body.as_str()), (200, r#"{"status":"ok"}"#));
        let (status, body) = ann.get("/ready").await;
        let ready: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status.as_u16(), ready), (200, json!({ "database": "ok", "bus": "ok", "draining": false })));
        let (status, body) = ann.get("/metrics").await;
        assert_eq!(status.as_u16(), 200);
        for name in ["jackfield_http_requests_total", "jackfield_http_request_seconds", "jackfield_graphql_operations_total"] {
            assert!(body.contains(name), "{name} is not among\n{body}");
        }
    }

    /// F: L-10
    async fn counters_have_an_address_of_their_own(backend) {
        let world = Setup::new(backend).config(|config| config.metrics.listen = "127.0.0.1:0".to_owned()).start().await;
        let ann = world.person("ann").await;
        assert_eq!(ann.get("/metrics").await.0.as_u16(), 404);
        let address = world.node(0).metrics_address().expect("an address of their own");
        let response = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        let elsewhere = reqwest::get(format!("http://{address}/graphql")).await.expect("an answer");
        assert_eq!(elsewhere.status().as_u16(), 404, "and nothing else is there");
    }

    /// F: L-06
    async fn the_first_start_prints_a_link_that_signs_in_once_and_no_other_start_does(backend) {
        let mut world = World::new(backend).await;
        let link = world.node(0).sign_in_link().expect("a link at the first start").to_owned();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let look = client.head(&link).send().await.expect("an answer");
        assert_eq!((look.status().as_u16(), &look.headers()["allow"]), (405, &"GET".parse().expect("a header")), "looking does not use it up");
        let follow = || async { client.get(&link).send().await.expect("an answer") };
        let response = follow().await;
        assert_eq!(response.status().as_u16(), 303);
        let location = response.headers()["location"].to_str().expect("text").to_owned();
        let token = location.strip_prefix("/graphiql#token=").expect("the page, signed in");
        let owner = crate::support::Person::enter(&world, "owner", token).await;
        let me = owner.ask("{ viewer { user { role } isOperator workspace { slug } } }", json!({})).await;
        assert_eq!(me["viewer"], json!({ "user": { "role": "OWNER" }, "isOperator": true, "workspace": { "slug": "default" } }));
        assert_eq!(follow().await.status().as_u16(), 410, "once");
        let forged = format!("{link}x");
        assert_eq!(client.get(forged).send().await.expect("an answer").status().as_u16(), 410);

        world.restart(0).await;
        assert!(world.node(0).sign_in_link().is_none());
    }

    /// F: L-06, L-10
    async fn a_data_folder_is_used_by_one_process(backend) {
        let world = World::new(backend).await;
        let mut config = jackfield::config::Config { data: world.data_folder().join("node-0"), ..Default::default() };
        config.listen = ([127, 0, 0, 1], 0).into();
        config.metrics.listen = "off".to_owned();
        let second = jackfield::hub::Hub::start(config.clone(), world.clock.clone(), world.outside.clone()).await;
        let complaint = second.err().expect("a refusal").to_string();
        assert!(complaint.contains("another hub uses the data folder"), "{complaint}");
        config.data = world.data_folder().join("other");
        assert!(jackfield::hub::Hub::start(config, world.clock.clone(), world.outside.clone()).await.is_ok());
    }

    /// F: L-06
    async fn what_was_stored_is_there_after_a_restart(backend) {
        let mut world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let cursor = ann.cursor().await;
        ann.say(&tea, "stays").await;
        world.restart(0).await;
        let ann = ann.at(&world, 0);
        assert_eq!(ann.history(&tea).await, ["stays"]);
        let mut socket = ann.socket().await;
        let missed = socket.follow("e", json!({ "after": cursor })).await;
        assert_eq!(text(&missed[0]["message"]["body"]), "stays", "{missed:?}");
    }

    async fn the_graphiql_page_is_served_by_the_hub_itself(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let (status, page) = ann.get("/graphiql").await;
        assert_eq!(status.as_u16(), 200);
        let mut sources = 0;
        for part in page.split(['"', '\'']).filter(|part| part.starts_with('/') || part.contains("://")) {
            assert!(part.starts_with("/graphiql/"), "{part} is from elsewhere");
            assert_eq!(ann.get(part).await.0.as_u16(), 200, "{part}");
            sources += 1;
        }
        assert!(sources >= 3, "{page}");
        assert_eq!(ann.get("/graphiql/nothing.js").await.0.as_u16(), 404);
    }
}
