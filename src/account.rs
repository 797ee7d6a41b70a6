//! Who a token is for: the claims of JSON Web Tokens (RFC 7519), by OpenAI's names and by OpenID Connect's.
//!
//! Signatures are not checked here: these tokens came from the issuer over TLS or from the user's own files,
//! and the server that takes them checks them. Those of ID tokens are checked before they are stored.

use crate::lenient::lenient;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};

/// What a token says of its own life, and of whose it is. Each claim is read by itself: an odd one hides no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Expiry, seconds since the epoch.
    pub exp: Option<i64>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<i64>,
    /// Issuer.
    pub iss: Option<String>,
    pub account: Account,
}

impl Claims {
    /// The claims of a JWT; `None` when the token is not one.
    pub fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        // A claim that is there twice is a mistake to serde; of a tree the last one counts.
        let payload = serde_json::from_slice(&json)
            .or_else(|_| Payload::of_tree(&serde_json::from_slice(&json)?));
        payload.ok().map(Payload::into)
    }
}

/// Section 2 of RFC 7519: seconds, with a fraction or without.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and nobody lives that long")]
fn numeric_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let seconds: Option<Number> = lenient(from)?;
    Ok(seconds.and_then(|seconds| {
        seconds.as_i64().or_else(|| seconds.as_f64().map(|seconds| seconds as i64))
    }))
}

/// Text that is shown on terminals and written into protocol lines: nothing that would break out of either.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = lenient(from)?;
    Ok(text.filter(|text| !text.is_empty() && !text.contains(char::is_control)))
}

/// The claims by the names that they have in a token.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    #[serde(deserialize_with = "numeric_date")]
    exp: Option<i64>,
    #[serde(deserialize_with = "numeric_date")]
    iat: Option<i64>,
    #[serde(deserialize_with = "text")]
    iss: Option<String>,
    #[serde(deserialize_with = "text")]
    email: Option<String>,
    #[serde(deserialize_with = "text")]
    preferred_username: Option<String>,
    #[serde(deserialize_with = "text")]
    sub: Option<String>,
    #[serde(rename = "https://api.openai.com/profile", deserialize_with = "lenient")]
    profile: Option<OpenAiProfile>,
    #[serde(rename = "https://api.openai.com/auth", deserialize_with = "lenient")]
    auth: Option<OpenAiAuth>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OpenAiProfile {
    #[serde(deserialize_with = "text")]
    email: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OpenAiAuth {
    #[serde(deserialize_with = "text")]
    chatgpt_user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    user_id: Option<String>,
    #[serde(deserialize_with = "text")]
    chatgpt_account_id: Option<String>,
    #[serde(deserialize_with = "text")]
    chatgpt_plan_type: Option<String>,
}

impl Payload {
    /// Members that may be odd are read as text alone: see [`lenient`].
    fn of_tree(tree: &Value) -> serde_json::Result<Self> {
        serde_json::from_str(&tree.to_string())
    }
}

impl From<Payload> for Claims {
    fn from(claims: Payload) -> Self {
        let auth = claims.auth.unwrap_or_default();
        let account = Account {
            email: claims.email.or(claims.profile.unwrap_or_default().email),
            name: claims.preferred_username,
            account_id: auth.chatgpt_account_id,
            user_id: auth.chatgpt_user_id.or(auth.user_id).or(claims.sub),
            plan: auth.chatgpt_plan_type,
        };
        Self { exp: claims.exp, iat: claims.iat, iss: claims.iss, account }
    }
}

/// The person and workspace behind a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What a standard issuer calls the person: `preferred_username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The workspace: `chatgpt_account_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The person: `chatgpt_user_id`, elsewhere `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl Account {
    /// What the claims of an issuer's userinfo endpoint say.
    pub fn claimed(claims: &Value) -> Self {
        Claims::from(Payload::of_tree(claims).unwrap_or_default()).account
    }

    /// What the tokens of one login say together, the earlier ones first.
    pub fn of<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let claimed = tokens.into_iter().filter_map(Claims::of);
        claimed.fold(Self::default(), |account, claimed| account.or(claimed.account))
    }

    /// Each member of this account, else of the other.
    pub fn or(self, other: Self) -> Self {
        Self {
            email: self.email.or(other.email),
            name: self.name.or(other.name),
            account_id: self.account_id.or(other.account_id),
            user_id: self.user_id.or(other.user_id),
            plan: self.plan.or(other.plan),
        }
    }

    /// The user name of the git-credential answer: the e-mail address, else the next best name.
    pub fn username(&self) -> &str {
        let names = [&self.email, &self.name, &self.account_id, &self.user_id];
        names.into_iter().flatten().next().map_or("codex", String::as_str)
    }

    /// Whether `username` names this account.
    pub fn is_called(&self, username: &str) -> bool {
        self.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(username))
            || [&self.name, &self.account_id, &self.user_id]
                .iter()
                .any(|id| id.as_deref() == Some(username))
            || self.username() == username
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        self.username() == Self::default().username()
    }

    /// Whether this is the same person in the same workspace.
    pub fn is(&self, other: &Self) -> bool {
        (&self.user_id, &self.account_id) == (&other.user_id, &other.account_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn an_odd_claim_hides_no_other() {
        let odd = token(&json!({
            "exp": 1.5e9, "iat": "soon", "email": 7, "sub": "s",
            "https://api.openai.com/profile": null, "https://api.openai.com/auth": [],
        }));
        let claims = Claims::of(&odd).unwrap();
        assert_eq!((claims.exp, claims.iat), (Some(1_500_000_000), None));
        let account = Account { user_id: Some("s".into()), ..Account::default() };
        assert_eq!(Account::of([odd.as_str()]), account);
    }

    #[test]
    fn a_claim_that_is_there_twice_hides_no_other() {
        let twice = r#"{"exp":1500000000,"email":"a@a.example","email":"b@b.example"}"#;
        let twice = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(twice));
        let claims = Claims::of(&twice).unwrap();
        assert_eq!(claims.exp, Some(1_500_000_000));
        assert_eq!(claims.account.email.as_deref(), Some("b@b.example"));
    }

    #[test]
    fn a_name_that_would_break_out_of_its_line_is_none() {
        for email in ["a\nb", "a\u{1b}[2Jb", "a\u{9b}b", ""] {
            let account = Account::of([token(&json!({"email": email})).as_str()]);
            assert_eq!(account.email, None, "{email:?}");
        }
    }
}
