//! Accounts: who may make one, how one signs in, and how passwords are changed and replaced.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::{PASSWORD, account, bearer, does, open, refresh, sign_in, sign_up},
        person::{refusal, text},
    },
};

stories! {
    /// F
    async fn a_workspace_takes_whom_it_says(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let closed = sign_up(&world, "ann", json!({})).await;
        assert_eq!(refusal(&closed), ("NOT_FOUND".to_owned(), json!(["input", "workspace"])));
        let nowhere = sign_up(&world, "ann", json!({ "workspace": "nowhere" })).await;
        assert_eq!(closed["errors"], nowhere["errors"], "one that is closed and one that is not there are the same");

        open(&owner, "INVITED").await;
        assert_eq!(refusal(&sign_up(&world, "ann", json!({})).await), ("MISSING".to_owned(), json!(["input", "invitationCode"])));
        let invited = invite(&owner, json!({ "role": "MODERATOR" })).await;
        let code = &invited["code"];
        let wrong = sign_up(&world, "ann", json!({ "invitationCode": "jfi_nonsense" })).await;
        assert_eq!(refusal(&wrong), ("NOT_FOUND".to_owned(), json!(["input", "invitationCode"])));
        let ann = bearer(&world, &sign_up(&world, "Ann", json!({ "invitationCode": code })).await).await;
        let found = ann.ask("{ viewer { user { name role } isOperator } }", json!({})).await;
        assert_eq!(found["viewer"], json!({ "user": { "name": "Ann", "role": "MODERATOR" }, "isOperator": false }));
        let used = sign_up(&world, "bob", json!({ "invitationCode": code })).await;
        assert_eq!(refusal(&used).0, "NOT_FOUND", "it was for one");

        open(&owner, "OPEN").await;
        bearer(&world, &sign_up(&world, "bob", json!({})).await).await;
        for (login, input, expected) in [
            ("ann", json!({}), ("TAKEN", "login")),
            ("owner", json!({}), ("TAKEN", "login")),
            ("a b", json!({}), ("INVALID", "login")),
            ("cleo", json!({ "password": "short" }), ("TOO_SHORT", "password")),
            ("cleo", json!({ "name": " " }), ("MISSING", "name")),
        ] {
            let refused = sign_up(&world, login, input).await;
            assert_eq!(refusal(&refused), (expected.0.to_owned(), json!(["input", expected.1])), "{refused}");
        }
        does(&owner, "workspacePolicyUpdate", json!({ "passwordMinCharacters": 30 }), "").await;
        assert_eq!(refusal(&sign_up(&world, "cleo", json!({})).await).0, "TOO_SHORT", "the policy bites");
    }

    /// F: A-06
    async fn invitations_are_bounded_listed_and_taken_back(backend) {
        let world = World::new(backend).await;
        let (owner, admin) = (world.person_with("mona", json!({ "roles": ["owner"] })).await, world.person_with("ada", json!({ "roles": ["admin"] })).await);
        let ann = world.person("ann").await;
        let refused = |payload: Value| refusal(&payload).0;
        assert_eq!(refused(invite(&ann, json!({})).await), "NOT_ALLOWED");
        assert_eq!(ann.fault("{ invitations(first: 1) { nodes { id } } }", json!({})).await, "NOT_ALLOWED");
        assert_eq!(refused(invite(&admin, json!({ "role": "OWNER" })).await), "NOT_ALLOWED");
        assert_eq!(refused(invite(&admin, json!({ "role": "BOT" })).await), "INVALID");
        assert_eq!(refused(invite(&admin, json!({ "uses": 0 })).await), "INVALID");
        let late = (world.clock.now() + Duration::from_hours(24 * 7 + 1)).to_string();
        assert_eq!(refused(invite(&admin, json!({ "expiresAt": late })).await), "INVALID");
        does(&owner, "workspacePolicyUpdate", json!({ "invitationDays": 14 }), "").await;
        assert_eq!(invite(&admin, json!({ "expiresAt": late })).await["errors"], json!([]), "the policy bites");

        open(&owner, "INVITED").await;
        world.clock.advance(Duration::from_millis(1));
        let two = invite(&owner, json!({ "role": "OWNER", "uses": 2 })).await;
        world.clock.advance(Duration::from_millis(1));
        let gone = invite(&admin, json!({})).await;
        bearer(&world, &sign_up(&world, "olga", json!({ "invitationCode": two["code"] })).await).await;
        let listed = admin.ask("{ invitations(last: 2) { nodes { role usesLeft creator { name } } } }", json!({})).await;
        let of = |role: &str, left: u32, creator: &str| json!({ "role": role, "usesLeft": left, "creator": { "name": creator } });
        assert_eq!(listed["invitations"]["nodes"], json!([of("OWNER", 1, "mona"), of("MEMBER", 1, "ada")]));
        let id = json!({ "invitationId": gone["invitation"]["id"] });
        assert_eq!(refused(does(&ann, "invitationRevoke", id.clone(), "").await), "NOT_ALLOWED");
        assert_eq!(does(&admin, "invitationRevoke", id.clone(), "").await["errors"], json!([]));
        assert_eq!(refused(does(&admin, "invitationRevoke", id, "").await), "NOT_FOUND");
        assert_eq!(refused(sign_up(&world, "pia", json!({ "invitationCode": gone["code"] })).await), "NOT_FOUND");
        world.clock.advance(Duration::from_hours(24 * 14 + 1));
        assert_eq!(refused(sign_up(&world, "pia", json!({ "invitationCode": two["code"] })).await), "NOT_FOUND", "it is too old");
    }

    /// F: A-02, L-10
    async fn failures_are_counted_on_every_node_and_tell_nothing(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        account(&world, "ann").await;
        does(&owner, "workspacePolicyUpdate", json!({ "signInAttempts": 3 }), "").await;
        let answer = |login: &'static str, password: &'static str| {
            let world = &world;
            async move { sign_in(world, login, password).await["errors"].take() }
        };
        for _ in 0..3 {
            let (known, unknown) = (answer("ann", "wrong").await, answer("nobody", "wrong").await);
            assert_eq!(known[0]["code"], json!("WRONG_CREDENTIALS"));
            assert_eq!(known, unknown);
        }
        let (known, unknown) = (answer("ANN", PASSWORD).await, answer("nobody", PASSWORD).await);
        assert_eq!(known[0]["code"], json!("TOO_MANY_ATTEMPTS"), "not even with the right one");
        assert_eq!(known[0]["retryAt"], json!((world.clock.now() + Duration::from_mins(15)).to_string()));
        assert_eq!(known, unknown);

        world.clock.advance(Duration::from_mins(15));
        assert_eq!(answer("ann", "wrong").await[0]["code"], json!("WRONG_CREDENTIALS"));
        assert_eq!(answer("ann", PASSWORD).await, json!([]), "and who gets in has failed no more");
        for _ in 0..2 {
            assert_eq!(answer("ann", "wrong").await[0]["code"], json!("WRONG_CREDENTIALS"));
        }
        assert_eq!(answer("ann", PASSWORD).await, json!([]));
    }

    /// F: L-10
    async fn failures_from_one_address_are_bounded_whatever_accounts_they_are_for(backend) {
        let world = World::new(backend).await;
        account(&world, "ann").await;
        // No login here is one that there could be: nothing is looked for, and nothing is counted but the address.
        for _ in 0..100 {
            assert_eq!(refusal(&sign_in(&world, "not a login", &"x".repeat(600)).await).0, "WRONG_CREDENTIALS");
        }
        assert_eq!(refusal(&sign_in(&world, "ann", PASSWORD).await).0, "TOO_MANY_ATTEMPTS");
        assert_eq!(refusal(&sign_up(&world, "bob", json!({})).await).0, "TOO_MANY_ATTEMPTS");
        world.clock.advance(Duration::from_mins(15));
        assert_eq!(sign_in(&world, "ann", PASSWORD).await["errors"], json!([]));
    }

    /// F: A-02
    async fn a_password_is_changed_by_showing_the_old_one(backend) {
        let world = World::new(backend).await;
        let ann = account(&world, "ann").await;
        let elsewhere = bearer(&world, &sign_in(&world, "ann", PASSWORD).await).await;
        let change = |old: &str, new: &str| json!({ "oldPassword": old, "newPassword": new });
        assert_eq!(refusal(&does(&ann, "passwordChange", change("wrong", "another good one"), "").await).0, "WRONG_CREDENTIALS");
        assert_eq!(refusal(&does(&ann, "passwordChange", change(PASSWORD, "short"), "").await).0, "TOO_SHORT");
        let external = world.person("eve").await;
        assert_eq!(refusal(&does(&external, "passwordChange", change("x", "another good one"), "").await).0, "NOT_FOUND");
        let changed = does(&ann, "passwordChange", change(PASSWORD, "another good one"), "user { id }").await;
        assert_eq!(changed, json!({ "user": { "id": ann.id }, "errors": [] }));
        assert_eq!(elsewhere.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        ann.cursor().await;
        assert_eq!(refusal(&sign_in(&world, "ann", PASSWORD).await).0, "WRONG_CREDENTIALS");
        assert_eq!(sign_in(&world, "ann", "another good one").await["errors"], json!([]));
    }

    /// F: A-06, G-03
    async fn a_lost_password_is_replaced_by_a_code_that_an_admin_hands_over(backend) {
        let world = World::new(backend).await;
        let ann = account(&world, "ann").await;
        let (admin, eve) = (world.person_with("ada", json!({ "roles": ["admin"] })).await, world.person("eve").await);
        let owner = world.operator().await;
        let request = |who: &Person| json!({ "userId": who.id });
        assert_eq!(refusal(&does(&eve, "passwordResetRequest", request(&ann), "code").await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&does(&admin, "passwordResetRequest", request(&owner), "code").await).0, "NOT_ALLOWED", "an owner is above an admin");
        assert_eq!(refusal(&does(&admin, "passwordResetRequest", request(&eve), "code").await).0, "INVALID", "eve has no password here");
        let first = does(&admin, "passwordResetRequest", request(&ann), "user { id } code expiresAt").await;
        assert_eq!(first["expiresAt"], json!((world.clock.now() + Duration::from_hours(1)).to_string()));
        let code = does(&admin, "passwordResetRequest", request(&ann), "code").await["code"].take();

        let nobody = Person::nobody(&world);
        let reset = |code: &Value, password: &str| json!({ "code": code, "newPassword": password });
        assert_eq!(refusal(&does(&nobody, "passwordReset", reset(&first["code"], "another good one"), "login").await).0, "WRONG_CREDENTIALS", "a newer one takes its place");
        assert_eq!(refusal(&does(&nobody, "passwordReset", reset(&code, "short"), "login").await).0, "TOO_SHORT");
        let done = does(&nobody, "passwordReset", reset(&code, "another good one"), "login").await;
        assert_eq!(done, json!({ "login": "ann", "errors": [] }));
        assert_eq!(refusal(&does(&nobody, "passwordReset", reset(&code, "another good one"), "login").await).0, "WRONG_CREDENTIALS", "it is good once");
        assert_eq!(ann.fault("{ eventCursor }", json!({})).await, "UNAUTHENTICATED");
        assert_eq!(sign_in(&world, "ann", "another good one").await["errors"], json!([]));

        // Who was known to the hub without a password has one from now on, and is the same person.
        let code = does(&owner, "passwordResetRequest", request(&owner), "code").await["code"].take();
        does(&nobody, "passwordReset", reset(&code, "an owner's password"), "login").await;
        let again = bearer(&world, &sign_in(&world, "owner", "an owner's password").await).await;
        assert_eq!(again.id, owner.id);
        assert_eq!(again.ask("{ viewer { isOperator } }", json!({})).await["viewer"]["isOperator"], json!(true));
        let late = does(&again, "passwordResetRequest", request(&ann), "code").await["code"].take();
        world.clock.advance(Duration::from_hours(1));
        assert_eq!(refusal(&does(&nobody, "passwordReset", reset(&late, "another good one"), "login").await).0, "WRONG_CREDENTIALS");
        let found = admin.ask("{ auditLog(last: 20) { nodes { action target details { value } } } }", json!({})).await;
        let requested: Vec<&Value> = found["auditLog"]["nodes"].as_array().expect("nodes").iter().filter(|node| node["action"] == json!("PASSWORD_RESET_REQUESTED")).collect();
        assert_eq!(requested.len(), 4);
        assert_eq!(requested[0]["target"], json!(ann.id));
        assert!(!found.to_string().contains(text(&code).as_str()), "no code is in the record");
    }

    /// F, C-09
    async fn nothing_that_lets_anybody_in_lies_in_the_store(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        open(&owner, "OPEN").await;
        let signed_up = sign_up(&world, "theodora", json!({})).await;
        let signed_in = sign_in(&world, "theodora", PASSWORD).await;
        let refreshed = refresh(&world, &signed_in["credentials"]["refreshToken"]).await;
        let dora = bearer(&world, &refreshed).await;
        let invited = does(&owner, "invitationCreate", json!({}), "code").await;
        let tea = owner.group("Tea", &[]).await;
        let to_tea = does(&owner, "conversationInvitationCreate", json!({ "conversationId": tea }), "code").await;
        let reset = does(&owner, "passwordResetRequest", json!({ "userId": dora.id }), "code").await;
        let bot = does(&owner, "botCreate", json!({ "name": "Robbie" }), "bot { id }").await;
        let input = json!({ "botId": bot["bot"]["id"], "name": "One", "scopes": ["READ"] });
        let token = does(&owner, "botTokenCreate", input, "secret").await;

        assert!(world.db_holds("theodora").await, "what is stored can be found");
        for secret in [
            &json!(PASSWORD), &invited["code"], &to_tea["code"], &reset["code"], &token["secret"],
            &signed_up["credentials"]["refreshToken"], &signed_up["credentials"]["accessToken"],
            &signed_in["credentials"]["refreshToken"], &refreshed["credentials"]["refreshToken"],
        ] {
            assert!(!world.db_holds(&text(secret)).await, "{secret} lies in the store");
        }
    }
}

async fn invite(person: &Person, input: Value) -> Value {
    does(person, "invitationCreate", input, "code invitation { id role usesLeft expiresAt }").await
}
