//! The account of a token: claims of JSON Web Tokens (RFC 7519) under OpenAI's and OpenID Connect's names.
//!
//! Signatures are not checked here: the tokens came from the issuer over TLS or from the user's own files. ID tokens
//! of standard issuers are validated before they are stored, see [`crate::oauth::id_token`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The claims that this program reads. A malformed claim is skipped and does not affect the others.
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
    /// Reads the claims of a JWT. Returns `None` if `token` is not a JWT.
    pub fn from_jwt(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&json).ok()?;
        claims.is_object().then(|| Self {
            exp: numeric_date(&claims["exp"]),
            iat: numeric_date(&claims["iat"]),
            iss: text(&claims["iss"]),
            account: Account::from_claims(&claims),
        })
    }
}

/// `NumericDate` (RFC 7519 §2): seconds, possibly with a fraction.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn numeric_date(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Text without control characters, because it is shown on terminals and written into protocol lines.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty() && !text.contains(char::is_control));
    text.map(str::to_owned)
}

/// The user and workspace of a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `preferred_username` of a standard issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The workspace: `chatgpt_account_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The user: `chatgpt_user_id`, or `sub` of other issuers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl Account {
    /// Reads the account from the claims of a token, or of a userinfo endpoint (OpenID Connect Core 1.0 §5.3.2).
    pub fn from_claims(claims: &Value) -> Self {
        let auth = &claims["https://api.openai.com/auth"];
        let profile = &claims["https://api.openai.com/profile"];
        Self {
            email: text(&claims["email"]).or_else(|| text(&profile["email"])),
            name: text(&claims["preferred_username"]),
            account_id: text(&auth["chatgpt_account_id"]),
            user_id: [&auth["chatgpt_user_id"], &auth["user_id"], &claims["sub"]]
                .into_iter()
                .find_map(text),
            plan: text(&auth["chatgpt_plan_type"]),
        }
    }

    /// Reads the account from the tokens of one login. For each member, the first token that has it counts.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let claims = tokens.into_iter().filter_map(Claims::from_jwt);
        claims.fold(Self::default(), |account, claims| account.or(claims.account))
    }

    /// Fills members that are missing here from `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            email: self.email.or(other.email),
            name: self.name.or(other.name),
            account_id: self.account_id.or(other.account_id),
            user_id: self.user_id.or(other.user_id),
            plan: self.plan.or(other.plan),
        }
    }

    /// Returns the user name in the git-credential format: the e-mail address, or the first other name or id.
    pub fn username(&self) -> &str {
        let names = [&self.email, &self.name, &self.account_id, &self.user_id];
        names.into_iter().flatten().next().map_or("codex", String::as_str)
    }

    /// Whether `username` names this account.
    pub fn is_named(&self, username: &str) -> bool {
        self.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(username))
            || [&self.name, &self.account_id, &self.user_id]
                .iter()
                .any(|id| id.as_deref() == Some(username))
            || self.username() == username
    }

    /// Whether the account has no name and no id.
    pub fn is_unknown(&self) -> bool {
        self.username() == Self::default().username()
    }

    /// Whether both are the same user in the same workspace.
    pub fn is_same_as(&self, other: &Self) -> bool {
        (&self.user_id, &self.account_id) == (&other.user_id, &other.account_id)
    }
}

/// Which account and workspace one request accepts. The rules are kept with the sign-in that the request starts: the process that finishes the sign-in
/// judges the login by them, and not by the rules of its own caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRules {
    /// The account that `--account`, else the profile, names.
    pub account: Option<String>,
    /// The account that the profile requires.
    pub required_account: Option<String>,
    /// The workspace that the profile requires.
    pub required_workspace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn malformed_claim_does_not_affect_the_others() {
        let token = token(&json!({
            "exp": 1.5e9, "iat": "soon", "email": 7, "sub": "s",
            "https://api.openai.com/profile": null, "https://api.openai.com/auth": [],
        }));
        let claims = Claims::from_jwt(&token).unwrap();
        assert_eq!((claims.exp, claims.iat), (Some(1_500_000_000), None));
        let account = Account { user_id: Some("s".into()), ..Account::default() };
        assert_eq!(Account::from_tokens([token.as_str()]), account);
    }

    #[test]
    fn claim_that_appears_twice_does_not_affect_the_others() {
        let twice = r#"{"exp":1500000000,"email":"a@a.example","email":"b@b.example"}"#;
        let twice = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(twice));
        let claims = Claims::from_jwt(&twice).unwrap();
        assert_eq!(claims.exp, Some(1_500_000_000));
        assert_eq!(claims.account.email.as_deref(), Some("b@b.example"));
    }

    #[test]
    fn name_with_control_characters_is_dropped() {
        for email in ["a\nb", "a\u{1b}[2Jb", "a\u{9b}b", ""] {
            let account = Account::from_tokens([token(&json!({"email": email})).as_str()]);
            assert_eq!(account.email, None, "{email:?}");
        }
    }
}
