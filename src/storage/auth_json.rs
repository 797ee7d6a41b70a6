//! The content of Codex's `auth.json`. Unknown members are preserved, at every level and in their order.

use crate::account::Account;
use crate::clock::{self, parse_rfc3339};
use crate::login::{Login, Token};
use crate::tokens::{BUFFER_SIZE, Secret, TokenResponse, valid_token, wipe};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
pub struct AuthJson {
    auth_mode: Option<String>,
    #[serde(rename = "OPENAI_API_KEY", default, deserialize_with = "valid_token")]
    api_key: Option<Secret<String>>,
    #[serde(default, deserialize_with = "valid_token")]
    personal_access_token: Option<Secret<String>>,
    tokens: Option<Tokens>,
    last_refresh: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(deserialize_with = "valid_token")]
    access_token: Secret<String>,
    refresh_token: Option<Secret<String>>,
    id_token: Option<Secret<String>>,
    account_id: Option<String>,
    /// A client registration. A malformed one, which another program wrote, counts as none.
    #[serde(default)]
    oauth_provenance: Value,
}

/// What Codex would use of an `auth.json`.
#[derive(Debug)]
pub enum Content {
    ChatGpt(Login),
    /// A personal access token, as the access token of a login without other tokens.
    PersonalAccessToken(Login),
    /// An API key, as the access token of a login without other tokens.
    ApiKey(Login),
    /// None of these.
    Nothing,
}

/// What an `auth.json` holds.
#[derive(Debug)]
pub struct Contents {
    pub used: Content,
    /// Names what else is in the file, and is not used.
    pub unused: Option<String>,
    /// The ChatGPT login that is not used.
    pub unused_login: Option<Login>,
}

impl AuthJson {
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        // serde would also read a struct from an array.
        let is_object = bytes.trim_ascii_start().first().is_none_or(|&byte| byte == b'{');
        if is_object {
            serde_json::from_slice(bytes)
        } else {
            Err(serde_json::Error::custom("not an object"))
        }
    }

    /// Returns what Codex would use, and what else there is. Without an `auth_mode`, Codex prefers a personal access token to
    /// an API key, and an API key to tokens.
    ///
    /// # Errors
    /// The `auth_mode`, when it is unknown.
    pub fn contents(self) -> Result<Contents, String> {
        let is_set = |token: &Secret<String>| !token.expose().is_empty();
        let token = self.personal_access_token.filter(is_set);
        let key = self.api_key.filter(is_set);
        let last_refresh = self.last_refresh.as_deref().and_then(parse_rfc3339);
        let tokens = self.tokens.filter(|tokens| is_set(&tokens.access_token));
        let login = tokens.map(|tokens| tokens.login(last_refresh));
        let alone = |access_token| Tokens { access_token, ..Tokens::default() }.login(None);
        let mode = match (self.auth_mode.as_deref(), &token, &key) {
            (Some(mode), ..) => mode,
            (None, Some(_), _) => "personalAccessToken",
            (None, None, Some(_)) => "apikey",
            (None, None, None) => "chatgpt",
        };
        let (used, others) = match mode {
            "personalAccessToken" => {
                (token.map(|token| Content::PersonalAccessToken(alone(token))), (None, key, login))
            }
            "apikey" => (key.map(|key| Content::ApiKey(alone(key))), (token, None, login)),
            "chatgpt" => (login.map(Content::ChatGpt), (token, key, None)),
            mode => return Err(mode.to_owned()),
        };
        let (token, key, login) = others;
        let unused = [
            token.map(|_| "a personal access token".to_owned()),
            key.map(|_| "an API key".to_owned()),
            login.as_ref().map(|login| format!("a ChatGPT login of {}", login.username())),
        ];
        let unused: Vec<_> = unused.into_iter().flatten().collect();
        let unused = (!unused.is_empty()).then(|| unused.join(" and "));
        Ok(Contents { used: used.unwrap_or(Content::Nothing), unused, unused_login: login })
    }
}

impl Tokens {
    fn login(self, last_refresh: Option<i64>) -> Login {
        Login {
            access_token: self.access_token.into(),
            // Codex writes empty strings for missing tokens.
            refresh_token: self.refresh_token.filter(|token| is_token(token.expose())),
            id_token: self.id_token.filter(|token| !token.expose().is_empty()).map(Token::from),
            id_token_is_old: false,
            stored_account: Account { account_id: self.account_id, ..Account::default() },
            last_refresh,
            issued_at: None,
            expires_at: None,
            skew: 0,
            signed_in_at: 0,
            registration: serde_json::from_value(self.oauth_provenance).ok(),
        }
    }
}

/// What `export` writes instead of a refresh token, because Codex reads no login without one.
pub const REFRESH_TOKEN_PLACEHOLDER: &str = "codex-credential-export-has-no-refresh-token";

fn is_token(token: &str) -> bool {
    !token.is_empty() && token != REFRESH_TOKEN_PLACEHOLDER
}

/// Returns `document` with the tokens of `response`, and everything else unchanged.
pub fn after_renewal(document: &[u8], response: &TokenResponse) -> serde_json::Result<Vec<u8>> {
    let mut document: Map<String, Value> = serde_json::from_slice(document)?;
    let tokens = document.entry("tokens").or_insert_with(|| json!({}));
    let new = [
        ("id_token", &response.id_token),
        ("access_token", &response.access_token),
        ("refresh_token", &response.refresh_token),
    ];
    for (name, token) in new {
        if let (Some(tokens), Some(token)) = (tokens.as_object_mut(), token) {
            replace_member(tokens, name, token.expose().as_str().into());
        }
    }
    document.insert("last_refresh".into(), clock::timestamp().to_string().into());
    serialize(document)
}

/// Returns `document` with `login`. Of the earlier content only unknown top-level members stay.
pub fn after_sign_in(document: Option<&[u8]>, login: &Login) -> serde_json::Result<Vec<u8>> {
    let mut document: Map<String, Value> = match document {
        Some(bytes) => serde_json::from_slice(bytes)?,
        None => Map::new(),
    };
    let access_token = login.access_token.expose().as_str();
    // Codex reads no login without an id token that is a JWT and a refresh token, which may be empty.
    let tokens = json!({
        "id_token": login.id_token.as_ref().map_or(access_token, |token| token.expose()),
        "access_token": access_token,
        "refresh_token": login.refresh_token.as_ref().map_or("", |token| token.expose()),
        "account_id": login.account().account_id,
        "oauth_provenance": login.registration,
    });
    document.insert("auth_mode".into(), "chatgpt".into());
    document.entry("OPENAI_API_KEY").or_insert(Value::Null);
    replace_member(&mut document, "tokens", tokens);
    document.insert("last_refresh".into(), clock::timestamp().to_string().into());
    serialize(document)
}

/// Serializes `document`, and overwrites it in memory.
fn serialize(document: Map<String, Value>) -> serde_json::Result<Vec<u8>> {
    let mut document = Value::from(document);
    let mut bytes = Vec::with_capacity(BUFFER_SIZE);
    let serialized = serde_json::to_writer_pretty(&mut bytes, &document);
    wipe(&mut document);
    serialized.map(|()| bytes)
}

/// Sets a member, and overwrites its old value in memory.
fn replace_member(members: &mut Map<String, Value>, name: &str, value: Value) {
    if let Some(mut old) = members.insert(name.into(), value) {
        wipe(&mut old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientRegistration;

    #[test]
    fn sign_in_keeps_no_token_of_the_earlier_login() {
        let before = br#"{"future":true,"tokens":{"access_token":"a","refresh_token":"r","login_owner_id":"o"}}"#;
        let response = TokenResponse { access_token: Some("b".into()), ..TokenResponse::default() };
        let registration = ClientRegistration { issuer: "https://i".into(), client_id: "c".into() };
        let login = Login::from_response(&response, &registration).unwrap();
        let after = after_sign_in(Some(before), &login).unwrap();
        let after: Value = serde_json::from_slice(&after).unwrap();
        assert_eq!(after["future"], true);
        let tokens = after["tokens"].as_object().unwrap();
        let names: Vec<_> = tokens.keys().map(String::as_str).collect();
        let expected =
            ["id_token", "access_token", "refresh_token", "account_id", "oauth_provenance"];
        assert_eq!(names, expected);
        assert_eq!(tokens["id_token"], "b", "Codex requires an id token");
        assert_eq!(tokens["refresh_token"], "", "Codex requires the member");
    }

    fn used(document: &Value) -> &'static str {
        let contents = AuthJson::parse(document.to_string().as_bytes()).unwrap().contents();
        match contents.map(|contents| contents.used) {
            Ok(Content::ChatGpt(_)) => "tokens",
            Ok(Content::PersonalAccessToken(_)) => "personal access token",
            Ok(Content::ApiKey(_)) => "key",
            Ok(Content::Nothing) => "nothing",
            Err(_) => "unknown",
        }
    }

    /// As Codex 0.171.0 does.
    #[test]
    fn personal_access_token_is_preferred_without_an_auth_mode() {
        let mut document = json!({
            "personal_access_token": "at-made-up", "OPENAI_API_KEY": "sk-made-up",
            "tokens": {"access_token": "a"},
        });
        assert_eq!(used(&document), "personal access token");
        for (mode, expected) in [
            ("personalAccessToken", "personal access token"),
            ("apikey", "key"),
            ("chatgpt", "tokens"),
            ("agentIdentity", "unknown"),
            ("chatgptAuthTokens", "unknown"),
        ] {
            document["auth_mode"] = mode.into();
            assert_eq!(used(&document), expected, "{mode}");
        }
        assert_eq!(used(&json!({"auth_mode": "personalAccessToken"})), "nothing");
    }

    #[test]
    fn auth_mode_decides_between_api_key_and_tokens() {
        let content = |mode: &str, key: bool, tokens: bool| {
            let document = json!({
                "auth_mode": Some(mode).filter(|mode| !mode.is_empty()),
                "OPENAI_API_KEY": key.then_some("sk-made-up"),
                "tokens": tokens.then(|| json!({"access_token": "a"})),
            });
            used(&document)
        };
        assert_eq!(content("chatgpt", true, true), "tokens");
        assert_eq!(content("apikey", true, true), "key");
        assert_eq!(content("", true, true), "key");
        assert_eq!(content("", false, true), "tokens");
        assert_eq!(content("", true, false), "key");
        assert_eq!(content("apikey", false, true), "nothing");
        assert_eq!(content("chatgpt", true, false), "nothing");
        assert_eq!(content("", false, false), "nothing");
        assert_eq!(content("future", true, true), "unknown");
    }
}
