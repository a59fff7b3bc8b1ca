//! Who is let in, and as whom.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get};
use jackfield::config::IssuerConfig;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    stories,
    support::{Backend, Person, Setup, World, backends, process::Process, within, world::SECRET},
};

const ME: &str = "{ viewer { user { name role } workspace { slug } isOperator } }";

/// What the hub answers to the bearer of a token.
async fn as_whom(world: &World, token: &str) -> Result<Value, u16> {
    let response = reqwest::Client::new()
        .post(format!("{}/graphql", world.url(0)))
        .header("content-type", "application/json")
        .bearer_auth(token)
        .body(json!({ "query": ME }).to_string())
        .send()
        .await
        .expect("an answer");
    match response.status().as_u16() {
        200 => {
            let text = response.text().await.expect("a body");
            Ok(serde_json::from_str::<Value>(&text).expect("JSON")["data"]["viewer"].take())
        }
        status => {
            assert_eq!(
                response.headers().get("www-authenticate").map(axum::http::HeaderValue::as_bytes),
                (status == 401).then_some(&b"Bearer"[..])
            );
            let answer: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
            let code = if status == 401 { "UNAUTHENTICATED" } else { "UNAVAILABLE" };
            assert_eq!(answer["errors"][0]["extensions"]["code"], json!(code), "{answer}");
            Err(status)
        }
    }
}

struct Keys {
    algorithm: Algorithm,
    signs: EncodingKey,
    public_pem: &'static str,
}

fn keys() -> [Keys; 3] {
    let pem = |algorithm, private: &str, public_pem| {
        let signs = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(private.as_bytes()),
            Algorithm::ES256 => EncodingKey::from_ec_pem(private.as_bytes()),
            _ => EncodingKey::from_ed_pem(private.as_bytes()),
        };
        Keys { algorithm, signs: signs.expect("a key"), public_pem }
    };
    [
        pem(Algorithm::RS256, include_str!("keys/rsa.pem"), include_str!("keys/rsa.pub.pem")),
        pem(Algorithm::ES256, include_str!("keys/ec.pem"), include_str!("keys/ec.pub.pem")),
        pem(Algorithm::EdDSA, include_str!("keys/ed.pem"), include_str!("keys/ed.pub.pem")),
    ]
}

fn issuer(name: &str, algorithms: Vec<Algorithm>) -> IssuerConfig {
    IssuerConfig {
        issuer: name.to_owned(),
        audience: "jackfield".to_owned(),
        algorithms,
        workspaces: vec!["default".to_owned()],
        secret: None,
        public_key: None,
        jwks_url: None,
    }
}

fn signed(world: &World, issuer: &str, key: &Keys, kid: Option<&str>) -> String {
    signed_at(world.clock.now().0 / 1_000, issuer, key, kid)
}

fn signed_at(now: i64, issuer: &str, key: &Keys, kid: Option<&str>) -> String {
    let claims = json!({ "iss": issuer, "aud": ["jackfield", "other"], "sub": "ann", "exp": now + 3_600 });
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(key.algorithm) };
    jsonwebtoken::encode(&header, &claims, &key.signs).expect("a token")
}

fn published(key: &Keys, kid: &str) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(&key.signs, key.algorithm).expect("a public key");
    jwk.common.key_id = Some(kid.to_owned());
    jwk
}

/// An issuer's server, whose answer the story holds.
async fn serve(answer: Arc<Mutex<Option<String>>>) -> (String, Arc<Mutex<usize>>) {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let router = Router::new().route(
        "/keys",
        get(move || {
            *count.lock().expect("no panic holds this lock") += 1;
            let answer = answer.lock().expect("no panic holds this lock").clone();
            async move { answer.ok_or(axum::http::StatusCode::SERVICE_UNAVAILABLE) }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

/// The same, but it answers only while it is not held; and how often it was asked.
async fn serve_when_let(answer: String) -> (String, Arc<watch::Sender<usize>>, Arc<watch::Sender<bool>>) {
    let (asked, held) = (Arc::new(watch::Sender::new(0)), Arc::new(watch::Sender::new(false)));
    let (count, let_go) = (asked.clone(), held.clone());
    let router = Router::new().route(
        "/keys",
        get(move || {
            count.send_modify(|count| *count += 1);
            let (mut held, answer) = (let_go.subscribe(), answer.clone());
            async move {
                let _ = held.wait_for(|held| !held).await;
                answer
            }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked, held)
}

stories! {
    /// F: A-01
    async fn a_person_is_known_from_the_first_sight_of_a_token(backend) {
        let world = World::new(backend).await;
        let token = world.token("ann", json!({ "name": "Ann", "roles": ["editor", "moderator", "member"] }));
        let expected = json!({ "user": { "name": "Ann", "role": "MODERATOR" }, "workspace": { "slug": "default" }, "isOperator": false });
        assert_eq!(as_whom(&world, &token).await, Ok(expected));
        let ann = Person::enter(&world, "ann", &token).await;

        let renamed = world.token("ann", json!({ "name": "Ann B", "roles": [] }));
        let expected = json!({ "user": { "name": "Ann B", "role": "MEMBER" }, "workspace": { "slug": "default" }, "isOperator": false });
        assert_eq!(as_whom(&world, &renamed).await, Ok(expected));
        assert_eq!(Person::enter(&world, "ann", &renamed).await.id, ann.id, "it is the same person");

        let unnamed = world.token("bob", json!({ "name": null }));
        assert_eq!(as_whom(&world, &unnamed).await.expect("let in")["user"]["name"], json!("bob"));
    }

    /// F: A-01
    async fn a_token_that_is_not_good_is_refused(backend) {
        let world = World::new(backend).await;
        let now = world.clock.now().0 / 1_000;
        let good = world.token("ann", json!({}));
        assert!(as_whom(&world, &good).await.is_ok());
        let (head, signature) = good.rsplit_once('.').expect("three parts");
        let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
        let unsigned = {
            use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as base64};
            let claims = head.split_once('.').expect("two parts").1;
            format!("{}.{claims}.", base64.encode(r#"{"alg":"none","typ":"JWT"}"#))
        };
        for (what, token) in [
            ("nothing", String::new()),
            ("nonsense", "nonsense".to_owned()),
            ("too long", "x".repeat(9_000)),
            ("forged", forged),
            ("unsigned", unsigned),
            ("expired", world.token("ann", json!({ "exp": now - 31 }))),
            ("not yet valid", world.token("ann", json!({ "nbf": now + 31 }))),
            ("without an end", world.token("ann", json!({ "exp": null }))),
            ("an end that is no number", world.token("ann", json!({ "exp": "never" }))),
            ("of an unknown issuer", world.token("ann", json!({ "iss": "https://evil.example" }))),
            ("of the hub, signed by another", world.token("ann", json!({ "iss": "jackfield" }))),
            ("for somebody else", world.token("ann", json!({ "aud": "other" }))),
            ("for nobody", world.token("ann", json!({ "aud": null }))),
            ("without a subject", world.token("ann", json!({ "sub": null }))),
            ("with an empty subject", world.token("ann", json!({ "sub": "" }))),
            ("for a workspace that is not there", world.token("ann", json!({ "workspace": "nowhere" }))),
            ("for a workspace that there cannot be", world.token("ann", json!({ "workspace": "a\u{0}b" }))),
            ("with a subject that there cannot be", world.token("a\u{0}b", json!({}))),
            ("with a subject that nobody sees", world.token("\u{200b}", json!({}))),
            ("with too long a subject", world.token(&"é".repeat(256), json!({}))),
            ("for no workspace", world.token("ann", json!({ "workspace": null }))),
        ] {
            assert_eq!(as_whom(&world, &token).await, Err(401), "{what}");
        }
        assert!(as_whom(&world, &world.token("ann", json!({ "exp": now - 29 }))).await.is_ok(), "clocks may differ a little");
        assert!(as_whom(&world, &world.token(&"é".repeat(255), json!({ "name": "a\u{0}b" }))).await.is_ok());
    }

    /// F: A-01
    async fn a_socket_is_open_for_as_long_as_its_token_is_let_in(backend) {
        let world = World::new(backend).await;
        let now = world.clock.now().0 / 1_000;
        let late = world.token("ann", json!({ "exp": now - 10 }));
        let mut socket = Person::enter(&world, "ann", &late).await.socket().await;
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(socket.hear().await, json!({ "type": "pong" }));
        world.clock.advance(Duration::from_secs(20));
        assert_eq!(socket.closed().await.0, 4403);
        assert_eq!(as_whom(&world, &late).await, Err(401));
    }

    /// F: A-01
    async fn an_older_token_brings_no_older_role_back(backend) {
        let world = World::new(backend).await;
        let now = world.clock.now().0 / 1_000;
        let made = |ago: i64, role: &str| world.token("ann", json!({ "iat": now - ago, "roles": [role], "name": role }));
        let role = async |token: &str| as_whom(&world, token).await.expect("let in")["user"].clone();
        let (owner, member, admin) = (json!({ "name": "owner", "role": "OWNER" }), json!({ "name": "member", "role": "MEMBER" }), json!({ "name": "admin", "role": "ADMIN" }));
        let old = made(600, "owner");
        assert_eq!(role(&old).await, owner);
        assert_eq!(role(&made(300, "member")).await, member);
        world.clock.advance(Duration::from_secs(2));
        assert_eq!(role(&old).await, member, "it is good, but what it says is past");
        assert_eq!(role(&made(0, "admin")).await, admin, "a newer one is heard");
        world.clock.advance(Duration::from_secs(2));
        assert_eq!(role(&made(300, "member")).await, admin);
        assert_eq!(role(&made(-3_600, "member")).await, member, "a clock that is ahead");
        assert_eq!(role(&world.token("ann", json!({ "iat": now + 4, "roles": ["admin"], "name": "admin" }))).await, admin, "does not make the next ones void");
    }

    /// F: A-01
    async fn the_program_trusts_keys_that_are_published(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = keys();
        let list = |keys: &[&Keys]| Some(serde_json::to_string(&JwkSet { keys: keys.iter().map(|key| published(key, &format!("{:?}", key.algorithm))).collect() }).expect("JSON"));
        let answer = Arc::new(Mutex::new(list(&[&keys[0], &keys[1], &keys[2]])));
        let (url, _) = serve(answer.clone()).await;
        let issuers = format!("[{{ issuer = 'published', audience = 'jackfield', algorithms = ['RS256', 'ES256', 'EdDSA'], workspaces = ['default'], jwks_url = '{url}' }}]");
        let flags = match backend {
            Backend::Embedded => Vec::new(),
            Backend::Cluster => vec!["--database".to_owned(), backends::postgres(&backends::fresh_database().await)],
        };
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let hub = Process::start(folder.path(), &flags, &[("JACKFIELD_IDENTITY__ISSUERS", issuers)]).await;
        let now = jackfield::clock::Clock::system().now().0 / 1_000;
        for key in &keys {
            let token = signed_at(now, "published", key, Some(&format!("{:?}", key.algorithm)));
            let ann = Person::at_url(&hub.url, "ann", &token).await;
            assert_eq!(ann.ask(ME, json!({})).await["viewer"]["user"]["role"], json!("MEMBER"));
        }
        assert!(hub.terminate().await);
    }

    /// F: A-01
    async fn nobody_waits_for_a_key_that_somebody_else_asks_for(backend) {
        let [rsa, ec, _] = keys();
        let (url, asked, held) = serve_when_let(serde_json::to_string(&JwkSet { keys: vec![published(&rsa, "one")] }).expect("JSON")).await;
        let world = Setup::new(backend).config(move |config| {
            let algorithms = vec![Algorithm::RS256, Algorithm::ES256];
            config.identity.issuers.push(IssuerConfig { jwks_url: Some(url.clone()), ..issuer("published", algorithms) });
        }).start().await;
        let (good, forged) = (signed(&world, "published", &rsa, Some("one")), signed(&world, "published", &ec, Some("two")));
        assert!(as_whom(&world, &good).await.is_ok());

        held.send_replace(true);
        world.clock.advance(Duration::from_secs(11));
        let world = Arc::new(world);
        let forger = tokio::spawn({
            let (world, forged) = (world.clone(), forged.clone());
            async move { as_whom(&world, &forged).await }
        });
        let mut count = asked.subscribe();
        within("a question to the issuer", count.wait_for(|count| *count == 2)).await.expect("it is asked");
        assert!(as_whom(&world, &good).await.is_ok(), "the issuer is still being asked for the other one");
        assert!(!forger.is_finished());
        world.clock.advance(Duration::from_mins(11));
        assert!(as_whom(&world, &signed(&world, "published", &rsa, Some("one"))).await.is_ok(), "also with keys that are not quite fresh");
        held.send_replace(false);
        assert_eq!(within("an answer to the forger", forger).await.expect("an answer"), Err(401));
    }

    /// F: A-01, A-06
    async fn nobody_but_the_hub_itself_makes_an_operator(backend) {
        let world = World::new(backend).await;
        let claimed = world.token("ann", json!({ "operator": true, "roles": ["operator", "owner"] }));
        let ann = as_whom(&world, &claimed).await.expect("let in");
        assert_eq!((&ann["user"]["role"], &ann["isOperator"]), (&json!("OWNER"), &json!(false)));
        let operator = as_whom(&world, &world.own_token("root", "owner", true).await).await.expect("let in");
        assert_eq!(operator["isOperator"], json!(true));

        let create = "mutation { workspaceCreate(input: { slug: \"acme\", name: \"Acme\" }) { workspace { slug } errors { code } } }";
        let ann = Person::enter(&world, "ann", &claimed).await;
        assert_eq!(ann.ask(create, json!({})).await["workspaceCreate"]["errors"][0]["code"], json!("NOT_ALLOWED"));
        let operator = world.operator().await;
        assert_eq!(operator.ask(create, json!({})).await["workspaceCreate"]["workspace"]["slug"], json!("acme"));
        assert_eq!(operator.ask(create, json!({})).await["workspaceCreate"]["errors"][0]["code"], json!("TAKEN"));
        let bad = "mutation { workspaceCreate(input: { slug: \"Acme Inc\", name: \"\" }) { errors { code path } } }";
        let refused = operator.ask(bad, json!({})).await["workspaceCreate"]["errors"].clone();
        assert_eq!(refused, json!([{ "code": "INVALID", "path": ["input", "slug"] }]));
    }

    /// F: A-01
    async fn each_way_of_signing_is_verified_with_its_own_key(backend) {
        let world = Setup::new(backend).config(|config| {
            for key in keys() {
                let mut issuer = issuer(&format!("{:?}", key.algorithm), vec![key.algorithm]);
                issuer.public_key = Some(key.public_pem.to_owned());
                config.identity.issuers.push(issuer);
            }
        }).start().await;
        let keys = keys();
        for key in &keys {
            for claimed in &keys {
                let let_in = as_whom(&world, &signed(&world, &format!("{:?}", claimed.algorithm), key, None)).await;
                assert_eq!(let_in.is_ok(), key.algorithm == claimed.algorithm, "{:?} as {:?}", key.algorithm, claimed.algorithm);
            }
            // The public key is known to everybody: taken for a shared secret, it would let everybody sign.
            let now = world.clock.now().0 / 1_000;
            let claims = json!({ "iss": format!("{:?}", key.algorithm), "aud": "jackfield", "sub": "ann", "exp": now + 60 });
            let confused = EncodingKey::from_secret(key.public_pem.as_bytes());
            let confused = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &confused).expect("a token");
            assert_eq!(as_whom(&world, &confused).await, Err(401));
        }
    }

    /// F: A-01, A-06
    async fn an_issuer_speaks_only_for_its_workspaces_and_audience(backend) {
        let world = Setup::new(backend).config(|config| {
            config.identity.issuers.push(IssuerConfig { secret: Some(SECRET.to_owned()), ..issuer("narrow", vec![Algorithm::HS256]) });
        }).start().await;
        world.person_of("acme", "zoe", "owner").await;
        let narrow = |claims: Value| {
            let mut all = json!({ "iss": "narrow" });
            for (name, value) in claims.as_object().expect("an object") {
                all[name] = value.clone();
            }
            world.token("ann", all)
        };
        assert_eq!(as_whom(&world, &narrow(json!({ "workspace": "acme" }))).await, Err(401));
        assert!(as_whom(&world, &narrow(json!({ "workspace": "default" }))).await.is_ok());
        let only = as_whom(&world, &narrow(json!({ "workspace": null }))).await.expect("it can mean only one");
        assert_eq!(only["workspace"]["slug"], json!("default"));
        let (here, there) = (world.person("ann").await, Person::enter(&world, "ann", &narrow(json!({}))).await);
        assert_ne!(here.id, there.id, "the same name from two issuers is two people");
    }

    /// F: A-01
    async fn published_keys_are_kept_and_fetched_anew_when_they_change(backend) {
        let [rsa, ec, ed] = keys();
        let list = |keys: Vec<Jwk>| Some(serde_json::to_string(&JwkSet { keys }).expect("JSON"));
        let answer = Arc::new(Mutex::new(list(vec![published(&rsa, "one")])));
        let (url, asked) = serve(answer.clone()).await;
        let world = Setup::new(backend).config(move |config| {
            let algorithms = vec![Algorithm::RS256, Algorithm::ES256];
            config.identity.issuers.push(IssuerConfig { jwks_url: Some(url.clone()), ..issuer("published", algorithms) });
        }).start().await;
        let times = || *asked.lock().expect("no panic holds this lock");
        let token = |key: &Keys, kid: &str| signed(&world, "published", key, Some(kid));
        let again = || world.clock.advance(Duration::from_secs(2));

        assert!(as_whom(&world, &token(&rsa, "one")).await.is_ok());
        again();
        assert!(as_whom(&world, &token(&rsa, "one")).await.is_ok());
        assert_eq!(times(), 1, "it was kept");
        assert_eq!(as_whom(&world, &token(&ec, "two")).await, Err(401), "nobody has published that one");
        assert_eq!(times(), 1, "and nobody is asked again at once");

        *answer.lock().expect("no panic holds this lock") = list(vec![published(&rsa, "one"), published(&ec, "two"), published(&ed, "three")]);
        world.clock.advance(Duration::from_secs(11));
        assert!(as_whom(&world, &token(&ec, "two")).await.is_ok(), "the keys have changed");
        assert_eq!(times(), 2);
        assert_eq!(as_whom(&world, &token(&ed, "three")).await, Err(401), "published, but not in a way that is trusted");

        *answer.lock().expect("no panic holds this lock") = None;
        world.clock.advance(Duration::from_mins(11));
        assert!(as_whom(&world, &token(&rsa, "one")).await.is_ok(), "the issuer is away; its keys are believed for a day");
        world.clock.advance(Duration::from_hours(25));
        assert_eq!(as_whom(&world, &signed(&world, "published", &rsa, Some("one"))).await, Err(401));
    }

    /// F: A-01
    async fn where_an_issuer_never_answered_its_people_are_told_to_come_back(backend) {
        let (url, _) = serve(Arc::new(Mutex::new(None))).await;
        let world = Setup::new(backend).config(move |config| {
            config.identity.issuers.push(IssuerConfig { jwks_url: Some(url.clone()), ..issuer("published", vec![Algorithm::RS256]) });
        }).start().await;
        let [rsa, ..] = keys();
        assert_eq!(as_whom(&world, &signed(&world, "published", &rsa, Some("one"))).await, Err(503));
    }
}
