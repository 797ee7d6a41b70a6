//! `status`: who is signed in, where the login is stored, how long it is valid, and which sign-in is pending. Changes
//! nothing.

use crate::account::Account;
use crate::clock;
use crate::commands::session::{Session, limit_text};
use crate::error::Result;
use crate::login::Login;
use crate::oauth::chatgpt::Usage;
use crate::profile::Profile;
use crate::storage::auth_json::Content;
use crate::storage::codex_home::CodexHome;
use crate::storage::records::InvalidToken;
use crate::ui::time_left;
use crate::urls::host;
use crate::verification::Verification;
use serde_json::{Value, json};
use std::fmt::Write;

pub struct Status {
    profile: String,
    /// The issuer's host; `None` for Codex's own issuer.
    issuer: Option<String>,
    storage: String,
    pub login: Option<Login>,
    /// Whether a caller has reported the access token as rejected.
    pub is_rejected: bool,
    /// Whether the login lacks the ID token that the profile hands out.
    lacks_token: bool,
    /// Why the login cannot be renewed.
    pub cannot_renew: Option<String>,
    pub pending: Option<Verification>,
    /// The variables in this environment that Codex uses in place of this login.
    pub overridden_by: Vec<&'static str>,
    /// The accounts of the other logins in the same storage.
    others: Vec<Account>,
    is_personal_access_token: bool,
    /// What else Codex's login holds, and Codex does not use.
    unused: Option<String>,
    /// What a server said about the session, if it was asked.
    pub session: Option<Session>,
    /// The limits of the account, or why they are not known, if ChatGPT was asked.
    pub usage: Option<Result<Usage, String>>,
}

impl Status {
    pub fn of(profile: &Profile) -> Result<Self> {
        let storage = &profile.storage;
        let mut login = storage.load()?;
        let other = login.take_if(|login| !profile.matches_account(login));
        let contents = storage.as_codex().map(CodexHome::contents).transpose()?.flatten();
        let contents = contents.map(|(_, contents)| contents);
        let is_personal_access_token =
            contents.as_ref().is_some_and(|it| matches!(it.used, Content::PersonalAccessToken(_)));
        let mut is_rejected = false;
        let mut cannot_renew = None;
        let mut lacks_token = false;
        if let Some(stored) = login.as_mut() {
            cannot_renew = match stored.refresh_token {
                _ if is_personal_access_token => {
                    Some("a personal access token is not renewed".into())
                }
                Some(_) => InvalidToken::of(profile, stored)?.map(|invalid| invalid.reason),
                None => Some("there is no refresh token".into()),
            };
            if let Some(handed_out) = stored.clone().handing_out(profile.token) {
                *stored = handed_out;
            } else {
                lacks_token = true;
                cannot_renew = Some("there is no ID token".into());
            }
            if let Some(login_dir) = storage.login_dir()? {
                is_rejected = login_dir.has_rejected(&stored.access_token);
            }
        }
        let pending = storage.sign_in_dir().pending().load()?;
        let pending = pending.map(|pending| pending.verification);
        let account = login.as_ref().map(Login::account).unwrap_or_default();
        let mut others = storage.accounts()?;
        others.retain(|other| !other.is_same_as(&account));
        others.extend(other.map(|login| login.account()));
        Ok(Self {
            profile: profile.name.clone(),
            issuer: profile.standard.as_ref().map(|_| host(&profile.client.issuer).to_owned()),
            storage: storage.describe()?,
            login,
            is_rejected,
            lacks_token,
            cannot_renew,
            pending: pending.filter(|verification| verification.expires_at > clock::now()),
            overridden_by: Vec::new(),
            others,
            is_personal_access_token,
            unused: contents.and_then(|contents| contents.unused),
            session: None,
            usage: None,
        })
    }

    pub fn has_usable_token(&self) -> bool {
        let is_valid = |login: &Login| login.lifetime().covers(0, clock::now());
        !self.is_rejected && !self.lacks_token && self.login.as_ref().is_some_and(is_valid)
    }

    /// Returns the exit code: 0 if a `get` can answer without the user, 3 if not; with a check, what it found.
    pub fn exit_code(&self) -> u8 {
        if self.is_signed_in() { self.session.as_ref().map_or(0, Session::exit_code) } else { 3 }
    }

    /// Whether a `get` can answer without the user.
    pub fn is_signed_in(&self) -> bool {
        self.has_usable_token() || (self.login.is_some() && self.cannot_renew.is_none())
    }

    fn end_of_login(&self) -> String {
        let reason = self.cannot_renew.as_deref().unwrap_or_default();
        let reason = reason.strip_prefix("the login has ended: ").unwrap_or(reason);
        format!("Signed out: the login has ended ({reason})\n")
    }

    fn first_line(&self) -> String {
        match (&self.login, &self.issuer) {
            (None, _) => "Not logged in\n".to_owned(),
            (Some(_), _) if !self.is_signed_in() => self.end_of_login(),
            (Some(_), None) if self.is_personal_access_token => {
                "Logged in using a personal access token\n".to_owned()
            }
            (Some(_), None) => "Logged in using ChatGPT\n".to_owned(),
            (Some(_), Some(host)) => format!("Logged in at {host} (profile {})\n", self.profile),
        }
    }

    fn renews_at(&self, login: &Login) -> String {
        let due = login.renew_at().filter(|at| *at > clock::now() && self.has_usable_token());
        match (&self.cannot_renew, due) {
            (Some(reason), _) => format!("never: {reason}"),
            (None, Some(due)) => distance(due),
            (None, None) if self.has_usable_token() && login.renew_at().is_none() => {
                "a rejection: the token does not say when it expires".into()
            }
            (None, None) => "the next get".into(),
        }
    }

    /// Returns the text for the user. Its first line is that of `codex login status`, unless the login has ended.
    pub fn text(&self) -> String {
        let mut text = self.first_line();
        let mut line = |name: &str, value: &str| {
            writeln!(text, "{name:<12}{value}").expect("a string accepts every write");
        };
        if let Some(login) = &self.login {
            let account = login.account();
            line("account", if account.is_unknown() { "unknown" } else { account.username() });
            if self.issuer.is_none() {
                line("plan", account.plan.as_deref().unwrap_or("unknown"));
                line("workspace", account.account_id.as_deref().unwrap_or("unknown"));
            }
        }
        line("kept in", &self.storage);
        if let Some(login) = &self.login {
            let rejected =
                if self.is_rejected { ", but a caller reported it as rejected" } else { "" };
            let end = login.lifetime().expires_at.filter(|_| !self.lacks_token);
            let valid_until = end.map_or_else(|| "unknown".into(), distance);
            line("valid until", &(valid_until + rejected));
            line("renews at", &self.renews_at(login));
            if login.skew != 0 {
                line("clock", &wrong_clock(login.skew));
            }
        }
        if let Some(verification) = &self.pending {
            let left = time_left(verification.expires_at - clock::now());
            line("pending", &format!("{} ({left} left)", verification.instruction()));
        }
        for name in &self.overridden_by {
            line("overridden", &format!("Codex uses {name} in place of this login; unset it"));
        }
        if let Some(unused) = &self.unused {
            line("also", &format!("{unused}, which Codex does not use"));
        }
        if let Some(session) = &self.session {
            line("session", &session.text());
        }
        match &self.usage {
            Some(Ok(usage)) => {
                usage.limits.iter().for_each(|limit| line("limit", &limit_text(limit)));
                usage.credits.iter().for_each(|credits| line("credits", credits));
            }
            Some(Err(reason)) => line("limits", &format!("unknown: {reason}")),
            None => {}
        }
        for other in &self.others {
            let workspace = other.account_id.as_deref().unwrap_or("unknown");
            line("also", &format!("{} (workspace {workspace})", other.username()));
        }
        text
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
            "access_token_usable": self.has_usable_token(),
            "cannot_renew": self.cannot_renew,
            "personal_access_token": self.is_personal_access_token,
            "unused": self.unused,
            "clock_skew": self.login.as_ref().map(|login| login.skew),
            "pending": self.pending,
            "overridden_by": self.overridden_by,
            "others": self.others,
            "session": self.session.as_ref().map(Session::json),
            "usage": self.usage.as_ref().and_then(|usage| usage.as_ref().ok()),
        })
    }
}

/// Returns the date of `at`, and how far away it is.
fn distance(at: i64) -> String {
    let (date, left) = (clock::rfc3339(at), at - clock::now());
    if left > 0 {
        format!("{date} (in {})", time_left(left))
    } else {
        format!("{date} ({} ago)", time_left(-left))
    }
}

/// `skew` is how far the server's clock is ahead, in seconds.
pub(super) fn wrong_clock(skew: i64) -> String {
    let which = if skew > 0 { "behind" } else { "ahead of" };
    format!("this machine's is {} {which} the issuer's; set it right", time_left(skew.abs()))
}
