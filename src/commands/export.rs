//! `export --access-only`: Codex's auth.json for a machine that cannot ask. It never contains a refresh token.

use crate::clock;
use crate::login::Login;
use crate::storage::auth_json::REFRESH_TOKEN_PLACEHOLDER;
use crate::tokens::to_json;
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
