//! `export --access-only`: writes the access token, without a refresh token, for a machine that cannot ask.

use crate::answer::formats::Format;
use crate::answer::request::Request;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::storage::auth_json::REFRESH_TOKEN_PLACEHOLDER;
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
/// `Storage` if the format cannot hold a value.
pub fn bundle(login: &Login, format: ExportFormat) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let format = match format {
        ExportFormat::Json => Format::Json,
        ExportFormat::Env => Format::Env,
        ExportFormat::AuthJson => {
            *bytes = serde_json::to_vec_pretty(&auth_json(login)).expect("JSON serializes");
            return Ok(bytes);
        }
    };
    Request { format, ..Request::default() }.write(&mut *bytes, login, None).map_err(|error| {
        Error::new(Kind::Storage, "cannot write the access token").caused_by(error)
    })?;
    Ok(bytes)
}

/// Codex reads the account from the ID token. Without one, the access token serves: a JWT with the same claims.
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
