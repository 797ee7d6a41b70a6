//! A login as this program's own storages keep it: one JSON object. Unknown members are preserved.

use crate::account::Account;
use crate::client::ClientRegistration;
use crate::clock;
use crate::login::{Login, Token, significant_skew};
use crate::tokens::{Fingerprint, Secret, TokenResponse, valid_token};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Serialize, Deserialize)]
pub struct StoredLogin {
    #[serde(deserialize_with = "valid_token")]
    access_token: Secret<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<Secret<String>>,
    /// Seconds since the epoch, like the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    last_refresh: i64,
    /// How far the server's clock is ahead of this machine's, in seconds.
    #[serde(default)]
    skew: i64,
    /// When the sign-in began, in seconds since the epoch.
    signed_in_at: i64,
    #[serde(default)]
    account: Account,
    registration: ClientRegistration,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl StoredLogin {
    /// Returns the login of a sign-in that began at `at`; `None` without an access token.
    pub fn signed_in(tokens: &TokenResponse, by: &ClientRegistration, at: i64) -> Option<Self> {
        let account = Login::from_response(tokens, by)?.account();
        let skew = significant_skew(tokens.skew);
        Some(Self {
            access_token: tokens.access_token.clone()?,
            refresh_token: tokens.refresh_token.clone(),
            id_token: tokens.id_token.clone(),
            issued_at: tokens.issued_at,
            expires_at: tokens.expires_at,
            last_refresh: clock::now(),
            skew,
            signed_in_at: at,
            account,
            registration: by.clone(),
            other: Map::new(),
        })
    }

    /// Returns the login with the tokens of a renewal. Members that the token response lacks keep their values.
    pub fn renewed(mut self, tokens: &TokenResponse) -> Self {
        if let Some(token) = &tokens.access_token {
            self.access_token = token.clone();
            (self.issued_at, self.expires_at) = (tokens.issued_at, tokens.expires_at);
        }
        self.refresh_token = tokens.refresh_token.clone().or(self.refresh_token);
        self.id_token = tokens.id_token.clone().or(self.id_token);
        self.last_refresh = clock::now();
        self.skew = tokens.skew.map_or(self.skew, |skew| significant_skew(Some(skew)));
        self
    }

    /// Returns what may lie outside the keyring: everything but the refresh token and the ID token.
    pub fn without_long_lived(self) -> Self {
        Self { refresh_token: None, id_token: None, other: Map::new(), ..self }
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    pub fn signed_in_at(&self) -> i64 {
        self.signed_in_at
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.refresh_token.as_ref().unwrap_or(&self.access_token).fingerprint()
    }

    pub fn login(self) -> Login {
        Login {
            access_token: self.access_token.into(),
            refresh_token: self.refresh_token,
            id_token: self.id_token.map(Token::from),
            stored_account: self.account,
            last_refresh: Some(self.last_refresh),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            skew: self.skew,
            registration: Some(self.registration),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn renewal_keeps_what_the_token_response_lacks_and_unknown_members() {
        let before = json!({
            "access_token": "a", "refresh_token": "r", "id_token": "i", "issued_at": 1, "expires_at": 2,
            "last_refresh": 1, "signed_in_at": 1, "account": {"email": "e"},
            "registration": {"issuer": "https://i", "client_id": "c"}, "future": [1, null],
        });
        let before: StoredLogin = serde_json::from_value(before).unwrap();
        let tokens = TokenResponse {
            access_token: Some("b".into()),
            expires_at: Some(9),
            ..TokenResponse::default()
        };
        let mut after = json!(before.renewed(&tokens));
        assert!(after["last_refresh"].take().as_i64() > Some(1));
        let expected = json!({
            "access_token": "b", "refresh_token": "r", "id_token": "i", "expires_at": 9,
            "last_refresh": null, "skew": 0, "signed_in_at": 1, "account": {"email": "e"},
            "registration": {"issuer": "https://i", "client_id": "c"}, "future": [1, null],
        });
        assert_eq!(after, expected);
    }
}
