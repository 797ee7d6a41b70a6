//! The account of a token: claims of JSON Web Tokens (RFC 7519) under OpenAI's and OpenID Connect's names.
//!
//! Signatures are not checked here: the tokens came from the issuer over TLS or from the user's own files. ID tokens
//! of standard issuers are validated before they are stored, see [`crate::oauth::id_token`].

use crate::visible::{is_hidden, without_hidden};
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

/// A date from here on is in milliseconds: as seconds it is in the year 33658, as milliseconds in 2001.
const FIRST_IN_MILLISECONDS: i64 = 1_000_000_000_000;

/// `NumericDate` (RFC 7519 §2): seconds, possibly with a fraction. Some servers send text or milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub fn numeric_date(value: &Value) -> Option<i64> {
    let float = || value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let date = value
        .as_i64()
        .or_else(|| Some(float()?).filter(|date| !date.is_nan()).map(|date| date as i64))?;
    Some(if date < FIRST_IN_MILLISECONDS { date } else { date / 1000 })
}

/// Text without hidden characters, because it is shown on terminals and written into protocol lines.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty() && !text.contains(is_hidden));
    text.map(str::to_owned)
}

/// The user name of an account without a name and without an id.
const UNKNOWN: &str = "codex";

fn is_address(name: &str) -> bool {
    name.contains('@')
}

/// Returns the e-mail address, and whether the issuer says that it is the user's: `email_verified` is true (OpenID Connect
/// Core 1.0 §5.1; some issuers send it as text), or OpenAI's own claim has the address and does not say otherwise. A missing
/// `email_verified` says nothing: Microsoft Entra ID lets any tenant's administrator enter any address, and sends none.
fn email(claims: &Value) -> (Option<String>, bool) {
    let own = &claims["https://api.openai.com/profile"];
    let says = |value: &Value, expected: bool| {
        value.as_bool() == Some(expected)
            || value.as_str() == Some(if expected { "true" } else { "false" })
    };
    let standard = (text(&claims["email"]), says(&claims["email_verified"], true));
    let own = (text(&own["email"]), !says(&own["email_verified"], false));
    let is_verified = |found: &(Option<String>, bool)| found.0.is_some() && found.1;
    if is_verified(&standard) {
        standard
    } else if is_verified(&own) {
        own
    } else {
        (standard.0.or(own.0), false)
    }
}

/// The user and workspace of a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub email: Option<String>,
    /// Whether the issuer says that the address is the user's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub email_verified: bool,
    /// `preferred_username` of a standard issuer. Users may be able to choose it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub name: Option<String>,
    /// The workspace: `chatgpt_account_id`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub account_id: Option<String>,
    /// The user: `chatgpt_user_id`, or `sub` of other issuers.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub plan: Option<String>,
    /// What the user calls an account of which the issuer says nothing: `--account`, else the profile. It proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "without_hidden")]
    pub label: Option<String>,
}

impl Account {
    /// Reads the account from the claims of a token, or of a userinfo endpoint (OpenID Connect Core 1.0 §5.3.2).
    pub fn from_claims(claims: &Value) -> Self {
        let auth = &claims["https://api.openai.com/auth"];
        let (email, email_verified) = email(claims);
        Self {
            email,
            email_verified,
            name: text(&claims["preferred_username"]),
            account_id: text(&auth["chatgpt_account_id"]),
            user_id: [&auth["chatgpt_user_id"], &auth["user_id"], &claims["sub"]]
                .into_iter()
                .find_map(text),
            plan: text(&auth["chatgpt_plan_type"]),
            label: None,
        }
    }

    /// Reads the account from the response of a userinfo endpoint. Servers without OpenID Connect, such as GitHub, send `id`
    /// and `login`.
    pub fn from_userinfo(claims: &Value) -> Self {
        let account = Self::from_claims(claims);
        let id = || text(&claims["id"]).or_else(|| Some(claims["id"].as_u64()?.to_string()));
        Self {
            user_id: account.user_id.clone().or_else(id),
            name: account.name.clone().or_else(|| text(&claims["login"])),
            ..account
        }
    }

    /// Reads the account from the tokens of one login. For each member, the first token that has it counts.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let claims = tokens.into_iter().filter_map(Claims::from_jwt);
        claims.fold(Self::default(), |account, claims| account.or(claims.account))
    }

    /// Fills members that are missing here from `other`.
    pub fn or(self, other: Self) -> Self {
        let is_other_better =
            self.email.is_none() || (other.email_verified && !self.email_verified);
        let (email, email_verified) = if is_other_better && other.email.is_some() {
            (other.email, other.email_verified)
        } else {
            (self.email, self.email_verified)
        };
        Self {
            email,
            email_verified,
            name: self.name.or(other.name),
            account_id: self.account_id.or(other.account_id),
            user_id: self.user_id.or(other.user_id),
            plan: self.plan.or(other.plan),
            label: self.label.or(other.label),
        }
    }

    /// Returns the user name in the git-credential format: the verified e-mail address, or the first other name or id.
    /// [`Account::is_named`] accepts it.
    pub fn username(&self) -> &str {
        let email = self.email.as_deref().filter(|_| self.email_verified);
        let name = email.or_else(|| self.other_names().next());
        name.or(self.label.as_deref()).unwrap_or(UNKNOWN)
    }

    /// Whether `username` names this account. An e-mail address does so only if the issuer says that it is the user's:
    /// otherwise a user may have entered the address of another user.
    pub fn is_named(&self, username: &str) -> bool {
        if self.is_labelled(username) {
            return true;
        }
        if is_address(username) {
            let email = self.email.as_deref().filter(|_| self.email_verified);
            return email.is_some_and(|email| email.eq_ignore_ascii_case(username));
        }
        self.other_names().any(|name| name == username) || self.username() == username
    }

    /// Returns user name and ids. A name that looks like an e-mail address is left out, because it is not verified.
    fn other_names(&self) -> impl Iterator<Item = &str> {
        let names = [&self.name, &self.account_id, &self.user_id];
        names.into_iter().flatten().map(String::as_str).filter(|name| !is_address(name))
    }

    /// Whether the account has no address, no name and no id.
    pub fn is_unknown(&self) -> bool {
        [&self.email, &self.name, &self.account_id, &self.user_id].iter().all(|name| name.is_none())
    }

    /// Whether the user calls this account `name`.
    pub fn is_labelled(&self, name: &str) -> bool {
        self.label.as_deref() == Some(name)
    }

    /// Whether the issuer sent the address `username` and does not say that it is the user's.
    pub fn has_unverified(&self, username: &str) -> bool {
        let email = self.email.as_deref().filter(|_| !self.email_verified);
        email.is_some_and(|email| email.eq_ignore_ascii_case(username))
    }

    /// Whether both are the same user in the same workspace.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let has_id = self.user_id.is_some();
        (&self.user_id, &self.account_id) == (&other.user_id, &other.account_id)
            && (has_id || (&self.email, &self.label) == (&other.email, &other.label))
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
    fn date_is_read_as_seconds_milliseconds_or_text() {
        for (exp, expected) in [
            (json!(1_900_000_000), 1_900_000_000),
            (json!(1_900_000_000_000_i64), 1_900_000_000),
            (json!(1.9e12), 1_900_000_000),
            (json!("1900000000"), 1_900_000_000),
            (json!("1900000000000"), 1_900_000_000),
            // The last second of the year 9999 means "never".
            (json!(253_402_300_799_i64), 253_402_300_799),
        ] {
            let claims = Claims::from_jwt(&token(&json!({"exp": exp}))).unwrap();
            assert_eq!(claims.exp, Some(expected), "{exp}");
        }
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
    fn address_names_an_account_only_if_the_issuer_verified_it() {
        let own = "https://api.openai.com/profile";
        let address = "ada@a.example";
        for claims in [
            json!({"email": address, "email_verified": true}),
            json!({"email": "ADA@a.example", "email_verified": "true"}),
            json!({"email": address, own: {"email": address}}),
            json!({own: {"email": address, "email_verified": true}}),
        ] {
            assert!(Account::from_claims(&claims).is_named(address), "{claims}");
        }
        for claims in [
            json!({"email": address}),
            json!({"email": address, "email_verified": false}),
            json!({"email": address, "email_verified": "false"}),
            json!({"email": address, "email_verified": 1}),
            json!({"email": address, "email_verified": null}),
            json!({"email": [address], "email_verified": true}),
            json!({"email": "eve@a.example", "email_verified": true, "preferred_username": address}),
            json!({"email": address, "email_verified": false, own: {"email": "eve@a.example"}}),
            json!({own: {"email": address, "email_verified": false}}),
            json!({own: {"email": address, "email_verified": "false"}}),
            json!({"email_verified": true, "preferred_username": address}),
            json!({"email_verified": true, "sub": address}),
            json!({"email_verified": true, "https://api.openai.com/auth": {"chatgpt_account_id": address}}),
        ] {
            let account = Account::from_claims(&claims);
            assert!(!account.is_named(address), "{claims}");
            assert_ne!(account.username(), address, "{claims}");
            assert!(account.is_named(account.username()), "{claims}");
        }
    }

    #[test]
    fn verified_address_of_another_token_replaces_an_unverified_one() {
        let unverified = token(&json!({"email": "eve@a.example", "preferred_username": "eve"}));
        let verified = token(&json!({"email": "ada@a.example", "email_verified": true}));
        for tokens in [[&unverified, &verified], [&verified, &unverified]] {
            let account = Account::from_tokens(tokens.map(String::as_str));
            assert_eq!(account.username(), "ada@a.example");
        }
    }

    #[test]
    fn name_with_hidden_characters_is_dropped() {
        for email in
            ["a\nb", "a\u{1b}[2Jb", "a\u{9b}b", "a\u{202e}b", "a\u{200b}b", "\u{2066}a", ""]
        {
            let account = Account::from_tokens([token(&json!({"email": email})).as_str()]);
            assert_eq!(account.email, None, "{email:?}");
        }
    }
}
