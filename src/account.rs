//! Who a token is for: the claims of JSON Web Tokens (RFC 7519), by OpenAI's names and by OpenID Connect's.
//!
//! Signatures are not checked here: these tokens came from the issuer over TLS or from the user's own files,
//! and the server that takes them checks them. Those of ID tokens are checked before they are stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const PROFILE: &str = "https://api.openai.com/profile";
const AUTH: &str = "https://api.openai.com/auth";

/// The claims this program uses. Each is read by itself: an odd one hides no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Expiry, seconds since the epoch.
    pub exp: Option<i64>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<i64>,
    /// Issuer.
    pub iss: Option<String>,
    account: Account,
}

impl Claims {
    /// The claims of a JWT; `None` when the token is not one.
    pub fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&json).ok()?;
        Some(Self {
            exp: numeric_date(&claims["exp"]),
            iat: numeric_date(&claims["iat"]),
            iss: text(&claims["iss"]),
            account: Account::claimed(&claims),
        })
    }
}

/// Section 2 of RFC 7519: seconds, with a fraction or without.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and nobody lives that long")]
fn numeric_date(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Text that is shown on terminals and written into protocol lines: nothing that would break out of either.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
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
    /// What claims say, those of a JWT or of an issuer's userinfo endpoint.
    pub fn claimed(claims: &Value) -> Self {
        let auth = |name| text(&claims[AUTH][name]);
        let user_id = auth("chatgpt_user_id").or_else(|| auth("user_id"));
        Self {
            email: text(&claims["email"]).or_else(|| text(&claims[PROFILE]["email"])),
            name: text(&claims["preferred_username"]),
            account_id: auth("chatgpt_account_id"),
            user_id: user_id.or_else(|| text(&claims["sub"])),
            plan: auth("chatgpt_plan_type"),
        }
    }

    /// What the tokens of one login say together, the earlier ones first.
    pub fn of<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let claims = tokens.into_iter().filter_map(Claims::of);
        claims.fold(Self::default(), |account, claims| account.or(claims.account))
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

    fn claims(claims: &Value) -> Claims {
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        Claims::of(&format!("e30.{payload}.c2ln")).unwrap()
    }

    #[test]
    fn an_odd_claim_hides_no_other() {
        let odd = json!({"exp": 1.5e9, "iat": "soon", "email": 7, PROFILE: null, AUTH: []});
        let odd = claims(&odd);
        assert_eq!((odd.exp, odd.iat), (Some(1_500_000_000), None));
        assert_eq!(odd.account, Account::default());
    }

    #[test]
    fn a_name_that_would_break_out_of_its_line_is_none() {
        for email in ["a\nb", "a\u{1b}[2Jb", "a\u{9b}b", ""] {
            assert_eq!(claims(&json!({"email": email})).account.email, None, "{email:?}");
        }
    }
}
