//! `export --access-only`: the access token for a place that cannot ask; a refresh token is never in it.

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
    /// Codex's auth.json, with a marker for a refresh token
    AuthJson,
}

/// # Errors
/// `Storage` when a value does not fit the form.
pub fn bundle(login: &Login, bundle: ExportFormat) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let format = match bundle {
        ExportFormat::Json => Format::Json,
        ExportFormat::Env => Format::Env,
        ExportFormat::AuthJson => {
            *bytes = serde_json::to_vec_pretty(&auth_json(login)).expect("JSON serializes");
            return Ok(bytes);
        }
    };
    Request { format, ..Request::default() }
        .write(&mut *bytes, login, None)
        .map_err(|error| Error::new(Kind::Storage, "cannot write the bundle").caused_by(error))?;
    Ok(bytes)
}

/// Codex reads the account from an ID token, and takes the access token, a JWT with the same claims, for one.
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
