//! Who a token is for: the claims of OpenAI's JSON Web Tokens (RFC 7519).
//!
//! Signatures are not checked here: these tokens came from the issuer over TLS or from the user's own files,
//! and the server that takes them checks them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims this program uses; everything else in the token is left alone.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Claims {
    /// Expiry, seconds since the epoch.
    pub exp: Option<i64>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<i64>,
    email: Option<String>,
    #[serde(rename = "https://api.openai.com/profile", default)]
    profile: Profile,
    #[serde(rename = "https://api.openai.com/auth", default)]
    auth: Auth,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
struct Profile {
    email: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
struct Auth {
    chatgpt_account_id: Option<String>,
    chatgpt_user_id: Option<String>,
    user_id: Option<String>,
    chatgpt_plan_type: Option<String>,
}

impl Claims {
    /// The claims of a JWT; `None` when the token is not one, or a claim is not of its type.
    pub fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// The person and workspace behind a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub email: Option<String>,
    /// The workspace: `chatgpt_account_id`.
    pub account_id: Option<String>,
    pub user_id: Option<String>,
    pub plan: Option<String>,
}

impl Account {
    /// What the tokens of one login say together, the earlier ones first.
    pub fn of<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let mut account = Self::default();
        for claims in tokens.into_iter().filter_map(Claims::of) {
            account.email = account.email.or(claims.email).or(claims.profile.email);
            account.account_id = account.account_id.or(claims.auth.chatgpt_account_id);
            account.user_id =
                account.user_id.or(claims.auth.chatgpt_user_id).or(claims.auth.user_id);
            account.plan = account.plan.or(claims.auth.chatgpt_plan_type);
        }
        account
    }

    /// The user name of the git-credential answer: the e-mail address, else the account id.
    pub fn username(&self) -> &str {
        self.email.as_deref().or(self.account_id.as_deref()).unwrap_or("codex")
    }

    /// Whether `username` names this account.
    pub fn is_called(&self, username: &str) -> bool {
        self.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(username))
            || self.account_id.as_deref() == Some(username)
            || self.username() == username
    }
}
