//! `export --access-only`: the access token for a machine that cannot ask. It never contains a refresh token.

use crate::answer::formats::Format;
use crate::answer::request::Request;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::storage::auth_json::REFRESH_TOKEN_PLACEHOLDER;
use crate::tokens::{BUFFER_SIZE, to_json};
use serde_json::json;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// one JSON object
    #[default]
    Json,
    /// NAME=value lines
    Env,
    /// Codex's auth.json, with a marker in place of the refresh token
    AuthJson,
}

/// Returns the access token of `login` in this format.
///
/// # Errors
/// `Storage` when a value does not fit the format.
pub fn export(login: &Login, format: ExportFormat) -> Result<Zeroizing<Vec<u8>>> {
    let format = match format {
        ExportFormat::Json => Format::Json,
        ExportFormat::Env => Format::Env,
        ExportFormat::AuthJson => return Ok(to_json(&auth_json(login))),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(BUFFER_SIZE));
    Request { format, ..Request::default() }
        .write(&mut *bytes, login, None)
        .map_err(|error| Error::new(Kind::Storage, "cannot write the token").caused_by(error))?;
    Ok(bytes)
}

/// Codex reads the account from the ID token. The access token has the same claims and stands in for a missing ID token.
fn auth_json(login: &Login) -> serde_json::Value {
    let token = login.access_token.expose();
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": login.id_token.as_ref().map_or(token, |id_token| id_token.expose()),
            "access_token": token,
            "refresh_token": REFRESH_TOKEN_PLACEHOLDER,
            "account_id": login.account().account_id,
        },
        "last_refresh": clock::rfc3339(clock::now()),
    })
}
