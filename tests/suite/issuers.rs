//! Whom an operator trusts to vouch for people, while the hub runs.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{Person, Setup, account::does, person::refusal, within},
};

const SECRET: &str = "a secret of more than thirty-two characters";

stories! {
    /// F
    async fn an_issuer_is_trusted_on_every_node_until_it_is_not(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (operator, owner) = (world.operator().await, world.person_with("mona", json!({ "roles": ["owner"] })).await);
        let input = |changes: Value| {
            let mut input = json!({ "issuer": "https://more.example", "audience": "jackfield", "algorithms": ["HS256"], "workspaces": ["default"], "secret": SECRET });
            for (name, value) in changes.as_object().expect("an object") {
                input[name] = value.clone();
            }
            input
        };
        for (who, changes, code) in [
            (&owner, json!({}), "NOT_ALLOWED"),
            (&operator, json!({ "issuer": "https://id.example" }), "TAKEN"),
            (&operator, json!({ "issuer": "jackfield" }), "INVALID"),
            (&operator, json!({ "issuer": "jackfield/bots" }), "INVALID"),
            (&operator, json!({ "secret": "short" }), "INVALID"),
            (&operator, json!({ "algorithms": ["RS256"] }), "INVALID"),
        ] {
            assert_eq!(refusal(&does(who, "issuerCreate", input(changes), "").await).0, code);
        }
        let made = does(&operator, "issuerCreate", input(json!({})), "issuer { id issuer algorithms workspaces jwksUrl }").await;
        let id = &made["issuer"]["id"];
        assert_eq!(made["issuer"], json!({ "id": id, "issuer": "https://more.example", "algorithms": ["HS256"], "workspaces": ["default"], "jwksUrl": null }));
        assert_eq!(refusal(&does(&operator, "issuerCreate", input(json!({})), "").await).0, "TAKEN");
        let listed = operator.ask("{ issuers(first: 10) { nodes { id audience } } auditLog(last: 1) { nodes { action details { value } } } }", json!({})).await;
        assert_eq!(listed["issuers"]["nodes"], json!([{ "id": id, "audience": "jackfield" }]));
        assert_eq!(listed["auditLog"]["nodes"], json!([{ "action": "ISSUER_CREATED", "details": [{ "value": "https://more.example" }] }]));
        assert!(!listed.to_string().contains(SECRET), "the secret is shown to nobody");

        let claims = json!({ "iss": "https://more.example", "aud": "jackfield", "sub": "zoe", "workspace": "default", "exp": world.clock.now().0 / 1_000 + 3_600 });
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256), &claims, &key).expect("a token");
        let zoe = Person { token, ..owner.clone() };
        zoe.cursor().await;
        let there = zoe.at(&world, 1);
        within("trust on the other node", async { while there.answer("{ eventCursor }", json!({})).await.get("data").is_none() {} }).await;
        let mut socket = there.socket().await;
        assert_eq!(refusal(&does(&owner, "issuerDelete", json!({ "issuerId": id }), "").await).0, "NOT_ALLOWED");
        assert_eq!(does(&operator, "issuerDelete", json!({ "issuerId": id }), "deletedIssuerId").await["deletedIssuerId"], *id);
        assert_eq!(refusal(&does(&operator, "issuerDelete", json!({ "issuerId": id }), "").await).0, "NOT_FOUND");
        assert_eq!(zoe.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        assert_eq!(socket.closed().await, (4403, "Forbidden: the token's issuer is not trusted here any more".to_owned()));
        assert_eq!(there.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        owner.cursor().await;
    }
}
