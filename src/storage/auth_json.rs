//! Codex's login document, the content of `auth.json`. Members this program does not know are preserved, at
//! every level and in their order.

use crate::account::Account;
use crate::client::ClientRegistration;
use crate::clock::Moment;
use crate::lenient::lenient;
use crate::login::{Login, Token};
use crate::tokens::{BUFFER_SIZE, Secret, TokenResponse, valid_token, wipe};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value, json};

/// The members this program reads.
#[derive(Deserialize)]
pub struct AuthJson {
    #[serde(default)]
    auth_mode: Option<String>,
    #[serde(rename = "OPENAI_API_KEY", default, deserialize_with = "valid_token")]
    api_key: Option<Secret<String>>,
    #[serde(default)]
    tokens: Option<Tokens>,
    #[serde(default)]
    last_refresh: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(deserialize_with = "valid_token")]
    access_token: Secret<String>,
    #[serde(default)]
    refresh_token: Option<Secret<String>>,
    #[serde(default)]
    id_token: Option<Secret<String>>,
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    oauth_provenance: Option<ClientRegistration>,
}

/// What a document signs in with.
#[derive(Debug)]
pub enum Content {
    ChatGpt(Login),
    /// An API key, in the form of a login that has nothing else.
    ApiKey(Login),
    /// Neither tokens nor a key.
    Nothing,
}

impl AuthJson {
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        // serde would take a list for a struct, too.
        let is_object = bytes.trim_ascii_start().first().is_none_or(|&byte| byte == b'{');
        if is_object {
            serde_json::from_slice(bytes)
        } else {
            Err(serde_json::Error::custom("no object"))
        }
    }

    /// What Codex would use. Without `auth_mode` a key goes before tokens.
    ///
    /// # Errors
    /// The `auth_mode`, when it is one of a later Codex.
    pub fn content(self) -> Result<Content, String> {
        let key = self.api_key.filter(|key| !key.expose().is_empty()).map(Tokens::api_key);
        let last_refresh = self.last_refresh.map(Moment::Written);
        let tokens = self.tokens.filter(|tokens| !tokens.access_token.expose().is_empty());
        let login = tokens.map(|tokens| tokens.login(last_refresh));
        Ok(match (self.auth_mode.as_deref(), key, login) {
            (Some("apikey") | None, Some(key), _) => Content::ApiKey(key.login(None)),
            (Some("chatgpt") | None, _, Some(login)) => Content::ChatGpt(login),
            (Some("apikey" | "chatgpt") | None, ..) => Content::Nothing,
            (Some(mode), ..) => return Err(mode.to_owned()),
        })
    }
}

impl Tokens {
    fn api_key(key: Secret<String>) -> Self {
        Self {
            access_token: key,
            refresh_token: None,
            id_token: None,
            account_id: None,
            oauth_provenance: None,
        }
    }

    fn login(self, last_refresh: Option<Moment>) -> Login {
        Login {
            access_token: self.access_token.into(),
            // Codex needs the members to be there; what is empty is no token.
            refresh_token: self.refresh_token.filter(|token| is_token(token.expose())),
            id_token: self.id_token.filter(|token| !token.expose().is_empty()).map(Token::from),
            stored_account: Account { account_id: self.account_id, ..Account::default() },
            last_refresh,
            issued_at: None,
            expires_at: None,
            skew: 0,
            registration: self.oauth_provenance,
        }
    }
}

/// In place of a refresh token, where there is none to be given away: see `export`.
pub const ACCESS_ONLY: &str = "codex-credential-export-has-no-refresh-token";

fn is_token(token: &str) -> bool {
    !token.is_empty() && token != ACCESS_ONLY
}

/// The document after a renewal: the tokens of the answer, and all else as it was.
pub fn renewed(
    document: &[u8],
    response: &TokenResponse,
    now: &str,
) -> serde_json::Result<Vec<u8>> {
    let mut document: Map<String, Value> = serde_json::from_slice(document)?;
    let tokens = document.entry("tokens").or_insert_with(|| json!({}));
    if let Some(tokens) = tokens.as_object_mut() {
        put_tokens(tokens, response);
    }
    document.insert("last_refresh".into(), now.into());
    written(document)
}

/// The document after a sign-in: new tokens, and nothing of the earlier login but the members that belong to
/// no login we know.
pub fn signed_in(
    document: Option<&[u8]>,
    response: &TokenResponse,
    registration: &ClientRegistration,
    now: &str,
) -> serde_json::Result<Vec<u8>> {
    let mut document: Map<String, Value> = match document {
        Some(bytes) => serde_json::from_slice(bytes)?,
        None => Map::new(),
    };
    let mut tokens = Map::new();
    put_tokens(&mut tokens, response);
    let known = [&response.id_token, &response.access_token].into_iter().flatten();
    let account = Account::from_tokens(known.map(|token| token.expose().as_str()));
    // Codex reads no login without these: an id token that is a JWT, and a refresh token, if only an empty one.
    let access_token = tokens.get("access_token").cloned().unwrap_or_default();
    tokens.entry("id_token").or_insert(access_token);
    tokens.entry("refresh_token").or_insert("".into());
    tokens.insert("account_id".into(), account.account_id.into());
    tokens.insert("oauth_provenance".into(), json!(registration));
    document.insert("auth_mode".into(), "chatgpt".into());
    document.entry("OPENAI_API_KEY").or_insert(Value::Null);
    put(&mut document, "tokens", tokens.into());
    document.insert("last_refresh".into(), now.into());
    written(document)
}

/// Leaves no copy of it but the one that is given back.
fn written(document: Map<String, Value>) -> serde_json::Result<Vec<u8>> {
    let mut document = Value::from(document);
    let mut bytes = Vec::with_capacity(BUFFER_SIZE);
    let written = serde_json::to_writer_pretty(&mut bytes, &document);
    wipe(&mut document);
    written.map(|()| bytes)
}

/// What was there before is overwritten.
fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    if let Some(mut old) = members.insert(name.into(), value) {
        wipe(&mut old);
    }
}

fn put_tokens(tokens: &mut Map<String, Value>, response: &TokenResponse) {
    let members = [
        ("id_token", &response.id_token),
        ("access_token", &response.access_token),
        ("refresh_token", &response.refresh_token),
    ];
    for (name, token) in members {
        if let Some(token) = token {
            put(tokens, name, token.expose().as_str().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_keeps_every_member_it_does_not_know_and_each_token_that_was_not_sent() {
        let before = br#"{"zeta":1,"tokens":{"id_token":"i","access_token":"a","refresh_token":"r",
            "account_id":"acc","login_owner_id":"o"},"agent_identity":{"deep":[1,null]},"last_refresh":"x"}"#;
        let response = TokenResponse { access_token: Some("b".into()), ..TokenResponse::default() };
        let after = renewed(before, &response, "now").unwrap();
        let after: Value = serde_json::from_slice(&after).unwrap();
        let expected = json!({"zeta":1,"tokens":{"id_token":"i","access_token":"b","refresh_token":"r",
            "account_id":"acc","login_owner_id":"o"},"agent_identity":{"deep":[1,null]},"last_refresh":"now"});
        assert_eq!(after, expected);
        assert_eq!(after.as_object().unwrap().keys().next().unwrap(), "zeta", "order is kept");
    }

    #[test]
    fn a_sign_in_takes_over_no_token_of_the_earlier_login() {
        let before = br#"{"future":true,"tokens":{"access_token":"a","refresh_token":"r","login_owner_id":"o"}}"#;
        let response = TokenResponse { access_token: Some("b".into()), ..TokenResponse::default() };
        let registration = ClientRegistration { issuer: "https://i".into(), client_id: "c".into() };
        let after = signed_in(Some(before), &response, &registration, "now").unwrap();
        let after: Value = serde_json::from_slice(&after).unwrap();
        assert_eq!(after["future"], true);
        let tokens = after["tokens"].as_object().unwrap();
        let names: Vec<_> = tokens.keys().map(String::as_str).collect();
        let expected =
            ["access_token", "id_token", "refresh_token", "account_id", "oauth_provenance"];
        assert_eq!(names, expected);
        assert_eq!(tokens["id_token"], "b", "Codex needs one");
        assert_eq!(tokens["refresh_token"], "", "Codex needs the member");
    }

    #[test]
    fn what_codex_would_use_is_what_counts() {
        let content = |mode: &str, key: bool, tokens: bool| {
            let mut document = json!({});
            if !mode.is_empty() {
                document["auth_mode"] = mode.into();
            }
            if key {
                document["OPENAI_API_KEY"] = "sk-made-up".into();
            }
            if tokens {
                document["tokens"] = json!({"access_token": "a"});
            }
            let content = AuthJson::parse(document.to_string().as_bytes()).unwrap().content();
            match content {
                Ok(Content::ChatGpt(_)) => "tokens",
                Ok(Content::ApiKey(_)) => "key",
                Ok(Content::Nothing) => "nothing",
                Err(_) => "unknown",
            }
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
