//! People who sign in here, with a login and a password.

use serde_json::{Value, json};

use super::{Person, World, person::text};

pub const PASSWORD: &str = "correct horse battery";

const CREDENTIALS: &str = "credentials { accessToken accessTokenExpiresAt refreshToken
    session { id device createdAt expiresAt isCurrent } } errors { code message path retryAt }";

/// Asks for an account, in the workspace `default` unless `input` says otherwise.
pub async fn sign_up(world: &World, login: &str, input: Value) -> Value {
    let mut all = json!({ "workspace": "default", "login": login, "password": PASSWORD, "name": login });
    for (name, value) in input.as_object().expect("an object") {
        all[name] = value.clone();
    }
    let query = format!("mutation($input: AccountSignUpInput!) {{ accountSignUp(input: $input) {{ {CREDENTIALS} }} }}");
    Person::nobody(world).ask(&query, json!({ "input": all })).await["accountSignUp"].take()
}

/// Tries to sign in, in the workspace `default`.
pub async fn sign_in(world: &World, login: &str, password: &str) -> Value {
    let input = json!({ "workspace": "default", "login": login, "password": password, "device": "a test" });
    let query = format!("mutation($input: SessionCreateInput!) {{ sessionCreate(input: $input) {{ {CREDENTIALS} }} }}");
    Person::nobody(world).ask(&query, json!({ "input": input })).await["sessionCreate"].take()
}

/// Gives a refresh token for new ones.
pub async fn refresh(world: &World, token: &Value) -> Value {
    let query =
        format!("mutation($input: SessionRefreshInput!) {{ sessionRefresh(input: $input) {{ {CREDENTIALS} }} }}");
    let input = json!({ "refreshToken": token });
    Person::nobody(world).ask(&query, json!({ "input": input })).await["sessionRefresh"].take()
}

/// Somebody who came in with what a payload gave.
pub async fn bearer(world: &World, payload: &Value) -> Person {
    assert_eq!(payload["errors"], json!([]), "{payload}");
    Person::enter(world, "somebody", &text(&payload["credentials"]["accessToken"])).await
}

/// Somebody with an account, in the workspace `default`, which takes everybody from then on.
pub async fn account(world: &World, login: &str) -> Person {
    let owner = world.person_with("keeper of the door", json!({ "roles": ["owner"] })).await;
    open(&owner, "OPEN").await;
    let made = sign_up(world, login, json!({})).await;
    Person { name: login.to_owned(), ..bearer(world, &made).await }
}

/// Says whom a workspace takes.
pub async fn open(owner: &Person, sign_up: &str) {
    let query = "mutation($input: WorkspaceUpdateInput!) { workspaceUpdate(input: $input) { errors { code } } }";
    let done = owner.ask(query, json!({ "input": { "signUp": sign_up } })).await;
    assert_eq!(done["workspaceUpdate"]["errors"], json!([]));
}

/// Does something that has an input, and answers its payload, of which these fields are asked for.
pub async fn does(person: &Person, mutation: &str, input: Value, fields: &str) -> Value {
    let of = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!(
        "mutation($input: {of}!) {{ {mutation}(input: $input) {{ {fields} errors {{ code path message }} }} }}"
    );
    person.ask(&query, json!({ "input": input })).await[mutation].take()
}
