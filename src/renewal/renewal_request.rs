//! What a caller requests from the renewal process. The process gets it as one argument, so it holds no secret.

use crate::account_policy;
use crate::audit;
use crate::clock;
use crate::error::Result;
use crate::login::{Login, TokenKind};
use crate::profile::Profile;
use crate::storage::StorageKind;
use crate::ui::SignInWay;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::Path;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalRequest {
    pub goal: Goal,
    pub profile: String,
    /// The configuration file.
    pub config: Option<PathText>,
    pub account: Option<String>,
    /// Where the login is kept, if not where the profile keeps its logins.
    #[serde(default)]
    pub storage: Option<StorageKind>,
    pub token: TokenKind,
    pub codex_home: PathText,
    /// For the audit log.
    pub caller: audit::Caller,
}

/// A path that `ps` shows as text. A path that is not UTF-8 is in serde's own form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathText {
    Text(String),
    Other(OsString),
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Other(path.into()),
        }
    }
}

impl From<PathText> for OsString {
    fn from(path: PathText) -> Self {
        match path {
            PathText::Text(text) => text.into(),
            PathText::Other(path) => path,
        }
    }
}

/// The renewal process has another working folder.
fn absolute(path: &Path) -> PathText {
    PathText::from(&*std::path::absolute(path).unwrap_or_else(|_| path.into()))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Renew the stored login unless its access token already meets `Validity`.
    Renew(Validity),
    /// Commit the answer that a killed sign-in left, and start none.
    RecoverSignIn,
    SignIn {
        /// The sign-in ends when another program stores a login whose access token is that valid. `None` asks for a new
        /// login in any case.
        unless: Option<Validity>,
        /// Tells the user why there is something to approve.
        reason: Option<String>,
        way: SignInWay,
    },
}

/// How long an access token must be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// For this many seconds more.
    AtLeast(i64),
    /// For so long that no early renewal is due.
    NotDue,
}

impl RenewalRequest {
    pub fn new(profile: &Profile, goal: Goal) -> Self {
        Self {
            goal,
            profile: profile.name.clone(),
            config: profile.config_file.as_deref().map(absolute),
            account: profile.account.clone(),
            storage: Some(profile.storage_kind()),
            token: profile.token,
            codex_home: profile.codex_home().into(),
            caller: audit::Caller::own(),
        }
    }

    pub fn to_argument(&self) -> String {
        serde_json::to_string(self).expect("requests serialize")
    }
}

impl FromStr for RenewalRequest {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Validity {
    /// Whether `login` is allowed, valid for that long, and rejected by no resource server.
    pub fn is_met_by(self, profile: &Profile, login: &Login) -> Result<bool> {
        account_policy::check(profile, login)?;
        let login = profile.handed_out(login.clone())?;
        let now = clock::now();
        let is_valid = match self {
            Self::AtLeast(seconds) => login.lifetime().covers(seconds, now),
            Self::NotDue => login.renew_at().is_none_or(|due| now < due),
        };
        let Some(login_dir) = profile.storage.login_dir()? else { return Ok(false) };
        Ok(is_valid && !login_dir.has_rejected(&login.access_token))
    }

    /// Whether the stored login meets it.
    pub fn is_met(self, profile: &Profile) -> Result<bool> {
        match profile.storage.load()? {
            Some(login) => self.is_met_by(profile, &login),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_request_survives_the_argument_with_any_path() {
        use std::os::unix::ffi::OsStrExt;
        let path = |bytes| PathText::from(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        let caller = audit::Caller { pid: 1, program: "sh".into() };
        let request = RenewalRequest {
            goal: Goal::SignIn {
                unless: Some(Validity::AtLeast(300)),
                reason: Some("\"why\"".into()),
                way: SignInWay::Paste,
            },
            profile: "codex".into(),
            config: Some(path(b"/home/\xff")),
            storage: None,
            account: Some("--account".into()),
            token: TokenKind::IdToken,
            codex_home: path(b"/home/ada"),
            caller,
        };
        assert!(request.to_argument().contains("\"/home/ada\""));
        assert_eq!(request.to_argument().parse::<RenewalRequest>().unwrap(), request);
    }
}
