//! Accounts and their passwords, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    errors::{UserError, refusals},
    scalars::{DateTime, id},
    scope::Scoped,
    sessions::Credentials,
    users::User,
};
use crate::actions;

/// Who wants an account.
#[derive(InputObject)]
pub struct AccountSignUpInput {
    /// The name of the workspace in addresses.
    workspace: String,
    /// The name to sign in with: letters without marks, digits and `. _ - + @`, at most 64 characters.
    login: String,
    /// The password, at least as long as the workspace's `passwordMinCharacters` say.
    password: String,
    /// The name to show, at most 80 characters.
    name: String,
    /// The code of an invitation; needed where the workspace takes nobody without.
    invitation_code: Option<String>,
    /// What to call this device in the list of one's sessions, at most 80 characters.
    device: Option<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct AccountSignUpPayload {
    /// What to come in with.
    credentials: Option<Credentials>,
    /// Why there is no account.
    errors: Vec<UserError>,
}

/// Another password for oneself.
#[derive(InputObject)]
pub struct PasswordChangeInput {
    /// The password until now.
    old_password: String,
    /// The password from now on.
    new_password: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PasswordChangePayload {
    /// Whose password it is.
    user: Option<User>,
    /// Why it stays as it is.
    errors: Vec<UserError>,
}

/// Who needs a new password.
#[derive(InputObject)]
pub struct PasswordResetRequestInput {
    /// Somebody who signs in here, not by the token of another issuer.
    user_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PasswordResetRequestPayload {
    /// Who sets a new password with the code.
    user: Option<User>,
    /// The code for `passwordReset`. It is shown once: hand it over in person, or by a way that you trust.
    code: Option<String>,
    /// When the code is good no more.
    expires_at: Option<DateTime>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// A new password for who lost the old one.
#[derive(InputObject)]
pub struct PasswordResetInput {
    /// The code that an admin handed over; good once.
    code: String,
    /// The password from now on.
    new_password: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PasswordResetPayload {
    /// The login that goes with the password.
    login: Option<String>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Makes an account in a workspace that takes people, and signs it in.
    async fn account_sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who wants an account.")] input: AccountSignUpInput,
    ) -> Result<Option<AccountSignUpPayload>> {
        let AccountSignUpInput { workspace, login, password, name, invitation_code, device } = input;
        let address = ctx.address();
        let sign_up = actions::accounts::SignUp { workspace, login, password, name, invitation_code, device, address };
        let (signed_in, errors) = refusals(actions::accounts::sign_up(ctx.core(), sign_up).await)?;
        Ok(Some(AccountSignUpPayload { credentials: signed_in.map(Credentials), errors }))
    }

    /// Changes the viewer's own password. The viewer's other sessions end.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The passwords.")] input: PasswordChangeInput,
    ) -> Result<Option<PasswordChangePayload>> {
        let viewer = ctx.viewer()?;
        let PasswordChangeInput { old_password, new_password } = input;
        let changed = actions::accounts::change_password(ctx.core(), &viewer, old_password, new_password).await;
        let (user, errors) = refusals(changed)?;
        Ok(Some(PasswordChangePayload { user: user.map(User), errors }))
    }

    /// Makes a code by which somebody sets a new password. For those who manage the users.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who needs it.")] input: PasswordResetRequestInput,
    ) -> Result<Option<PasswordResetRequestPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::users::manages(&viewer)?;
            let user = id(&input.user_id, "user", "user_id")?;
            actions::accounts::request_reset(ctx.core(), &viewer, user).await
        };
        let (made, errors) = refusals(outcome.await)?;
        let (user, code, expires_at) = match made {
            Some((user, code, expires_at)) => (Some(User(user)), Some(code), Some(DateTime(expires_at))),
            None => (None, None, None),
        };
        Ok(Some(PasswordResetRequestPayload { user, code, expires_at, errors }))
    }

    /// Sets a new password with a code. All sessions of the account end.
    async fn password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code and the password.")] input: PasswordResetInput,
    ) -> Result<Option<PasswordResetPayload>> {
        let PasswordResetInput { code, new_password } = input;
        let reset = actions::accounts::reset_password(ctx.core(), &code, new_password, ctx.address()).await;
        let (login, errors) = refusals(reset)?;
        Ok(Some(PasswordResetPayload { login, errors }))
    }
}
