//! `status`: the account, the storage, the expiry, and a pending sign-in. It changes nothing and asks nothing.

use crate::account::Account;
use crate::clock;
use crate::error::Result;
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::records::InvalidToken;
use crate::ui::time_left;
use crate::urls::host;
use crate::verification::Verification;
use serde_json::{Value, json};
use std::fmt::Write;

/// The state of the stored login and of a pending sign-in.
pub struct Status {
    login: Option<Login>,
    storage: String,
    /// Whether the access token has expired or was rejected.
    is_stale: bool,
    /// Why the login cannot be renewed, if it cannot.
    cannot_renew: Option<String>,
    pending: Option<Verification>,
    /// The accounts of the other logins in the storage.
    others: Vec<Account>,
    profile: String,
    /// The issuer's host, unless the issuer is Codex's.
    issuer: Option<String>,
}

impl Status {
    pub fn of(profile: &Profile) -> Result<Self> {
        let storage = &profile.storage;
        let stored = storage.load()?;
        let (login, other) = match stored {
            Some(login) if !profile.matches_account(&login) => (None, Some(login.account())),
            stored => (stored, None),
        };
        let (is_stale, cannot_renew) = match &login {
            Some(login) => {
                let is_rejected = match storage.login_dir()? {
                    Some(login_dir) => login_dir.has_rejected(&login.access_token)?,
                    None => false,
                };
                let is_valid = login.lifetime().covers(0, clock::now()) && !is_rejected;
                (!is_valid, cannot_renew(profile, login)?)
            }
            None => (false, None),
        };
        let pending = storage.sign_in_dir().device_authorization().load()?;
        let pending = pending.map(|pending| pending.verification);
        let pending = pending.filter(|verification| verification.expires_at > clock::now());
        let account = login.as_ref().map(Login::account).unwrap_or_default();
        let mut others = storage.accounts()?;
        others.retain(|other| !other.is_same_as(&account));
        others.extend(other);
        let issuer = profile.as_standard().map(|_| host(&profile.client.issuer).to_owned());
        let (profile, storage) = (profile.name.clone(), storage.describe()?);
        Ok(Self { login, storage, is_stale, cannot_renew, pending, others, profile, issuer })
    }

    /// Tells whether `get` can answer without asking the user.
    pub fn is_signed_in(&self) -> bool {
        self.login.is_some() && !(self.is_stale && self.cannot_renew.is_some())
    }

    /// Tells whether a sign-in waits for the user.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Formats the status as text. The first line is that of `codex login status`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name:<12}{value}").expect("a String takes all text");
        };
        match &self.login {
            Some(login) => {
                let account = login.account();
                let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "unknown".into());
                if self.issuer.is_some() {
                    let name = account.username().to_owned();
                    line("account", &or_unknown(Some(name).filter(|_| !account.is_unknown())));
                } else {
                    line("account", &or_unknown(account.email));
                    line("plan", &or_unknown(account.plan));
                    line("workspace", &or_unknown(account.account_id));
                }
                line("kept in", &self.storage);
                line("valid until", &self.valid_until(login));
                line("renews at", &self.renews_at(login));
                if login.skew != 0 {
                    line("clock", &wrong_clock(login.skew));
                }
            }
            None => line("kept in", &self.storage),
        }
        if let Some(verification) = &self.pending {
            let left = time_left(verification.expires_at - clock::now());
            let uri = &verification.verification_uri;
            line(
                "pending",
                &format!("sign in at {uri} with the code {} ({left} left)", verification.user_code),
            );
        }
        for other in &self.others {
            let workspace = other.account_id.as_deref().unwrap_or("unknown");
            line("also", &format!("{} (workspace {workspace})", other.username()));
        }
        let first = match (&self.login, &self.issuer) {
            (None, _) => "Not logged in".to_owned(),
            (Some(_), None) => "Logged in using ChatGPT".to_owned(),
            (Some(_), Some(host)) => format!("Logged in at {host} (profile {})", self.profile),
        };
        format!("{first}\n{text}")
    }

    fn valid_until(&self, login: &Login) -> String {
        let Some(end) = login.lifetime().expires_at else { return "unknown".into() };
        let left = end - clock::now();
        match (left > 0, self.is_stale) {
            (true, true) => format!("{} (but it was rejected)", clock::rfc3339(end)),
            (true, false) => format!("{} (in {})", clock::rfc3339(end), time_left(left)),
            (false, _) => format!("{} ({} ago)", clock::rfc3339(end), time_left(-left)),
        }
    }

    fn renews_at(&self, login: &Login) -> String {
        match (&self.cannot_renew, login.renew_at()) {
            (Some(reason), _) => format!("never: {reason}"),
            (None, Some(at)) if at > clock::now() && !self.is_stale => {
                format!("{} (in {})", clock::rfc3339(at), time_left(at - clock::now()))
            }
            _ => "the next get".into(),
        }
    }

    pub fn json(&self) -> Value {
        let account = self.login.as_ref().map(Login::account).unwrap_or_default();
        let time = |at: Option<i64>| at.map(clock::rfc3339);
        json!({
            "profile": self.profile,
            "signed_in": self.is_signed_in(),
            "email": account.email,
            "plan": account.plan,
            "account_id": account.account_id,
            "user_id": account.user_id,
            "storage": self.storage,
            "expires_at": time(self.login.as_ref().and_then(|login| login.lifetime().expires_at)),
            "renews_at": time(self.login.as_ref().and_then(Login::renew_at)),
            "access_token_usable": self.login.is_some() && !self.is_stale,
            "cannot_renew": self.cannot_renew,
            "clock_skew": self.login.as_ref().map(|login| login.skew),
            "pending": self.pending,
            "others": self.others,
        })
    }
}

/// Describes a clock that differs from the server's. `skew` is how many seconds the server's clock is ahead.
pub(super) fn wrong_clock(skew: i64) -> String {
    let which = if skew > 0 { "behind" } else { "ahead of" };
    format!("this machine's is {} {which} the issuer's; set it right", time_left(skew.abs()))
}

fn cannot_renew(profile: &Profile, login: &Login) -> Result<Option<String>> {
    if login.refresh_token.is_none() {
        return Ok(Some("there is no refresh token".into()));
    }
    Ok(InvalidToken::of(profile, login)?.map(|dead| dead.reason))
}
