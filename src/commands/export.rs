//! `export`: Codex's auth.json for a machine that cannot ask. It has a refresh token only with `--full`.

use crate::audit::{self, Action};
use crate::clock::{self, Deadline};
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::recover::recover;
use crate::storage::auth_json::{REFRESH_TOKEN_PLACEHOLDER, after_sign_in};
use crate::storage::records::InvalidToken;
use crate::tokens::to_json;
use crate::ui;
use serde_json::json;
use zeroize::Zeroizing;

/// Codex reads the account from the ID token. The access token has the same claims and stands in for a missing ID token.
pub fn export(login: &Login) -> Zeroizing<Vec<u8>> {
    let token = login.access_token.expose();
    to_json(&json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": login.id_token.as_ref().map_or(token, |id_token| id_token.expose()),
            "access_token": token,
            "refresh_token": REFRESH_TOKEN_PLACEHOLDER,
            "account_id": login.account().account_id,
        },
        "last_refresh": clock::rfc3339(clock::now()),
    }))
}

/// Asks whether to export the refresh token, and says what that means.
///
/// # Errors
/// `Denied` if the user does not confirm it.
pub fn confirm(profile: &Profile, deadline: &Deadline) -> Result<()> {
    let storage = profile.storage.describe()?;
    ui::say(&format!(
        "the export will hold the refresh token: whoever has it is signed in as you. Of two copies of a login, the first that \
         renews ends the other; {storage} keeps one"
    ));
    if ui::confirm("export the refresh token?", deadline) {
        return Ok(());
    }
    Err(Error::new(Kind::Denied, "nothing was exported"))
}

/// Returns the stored login with its refresh token, after what a killed renewal left is committed: a refresh token that was
/// used is never exported.
///
/// # Errors
/// `LoginRequired` if no login is stored or it cannot be renewed, `Busy` if it is being renewed until the deadline.
pub fn export_full(profile: &Profile, deadline: &Deadline) -> Result<Zeroizing<Vec<u8>>> {
    let nobody = || Error::new(Kind::LoginRequired, "nobody is signed in").sign_in_again();
    let login_dir = profile.storage.login_dir()?.ok_or_else(nobody)?;
    let Some(_renewing) = login_dir.acquire(deadline)? else {
        return Err(Error::new(Kind::Busy, "a renewal is under way; nothing was exported")
            .hint("try again, or wait longer with --wait"));
    };
    recover(profile, &login_dir, deadline)?;
    let login = profile.storage.load()?.filter(|login| profile.matches_account(login));
    let login = login.ok_or_else(nobody)?;
    let is_renewable =
        login.refresh_token.is_some() && InvalidToken::of(profile, &login)?.is_none();
    if !is_renewable {
        let message = "the login cannot be renewed, and a full export would be of no use";
        return Err(Error::new(Kind::LoginRequired, message).sign_in_again());
    }
    let document = after_sign_in(None, &login).map_err(|error| {
        Error::new(Kind::Storage, "cannot write the login as JSON").caused_by(error)
    })?;
    audit::note(profile, Action::Export, Some(&login), None);
    Ok(Zeroizing::new(document))
}
