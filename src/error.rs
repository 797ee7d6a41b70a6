//! What can go wrong, in the words a person reads and the codes a program acts on.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The situation, as named in `--error-format json`. Names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file or folder could not be read, written or understood.
    Storage,
    /// Another process held a lock, or a renewal was still going on, when the time was up.
    Busy,
    /// The authorization server could not be reached, or its answer did not arrive.
    Network,
    /// The authorization server answered something that is not in its protocol, or that it is in trouble.
    Server,
    /// The renewing process ended without a result.
    Interrupted,
    /// The command line or the environment asks for something that does not exist.
    Usage,
    /// A configuration file cannot be understood, or asks for what this program cannot do.
    Configuration,
    /// The input is not in the git-credential format.
    BadInput,
    /// Nobody is signed in.
    LoginRequired,
    /// A device login waits for a person.
    LoginPending,
    /// The device code expired before anybody approved it.
    LoginExpired,
    /// The person cancelled the pending device login.
    LoginCancelled,
    /// The stored refresh token was refused for good.
    LoginDead,
    /// The person or the server denied the login.
    Denied,
    /// The login is not one that the configuration allows.
    WrongAccount,
    /// Device code login is not enabled for this account or workspace.
    DeviceLoginDisabled,
}

impl Kind {
    /// As in JSON.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).expect("kinds serialize");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// The process's exit status: 1 try again, 2 asked wrongly, 3 a person is needed, 4 refused.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Storage | Self::Busy | Self::Network | Self::Server | Self::Interrupted => 1,
            Self::Usage | Self::BadInput | Self::Configuration => 2,
            Self::LoginRequired
            | Self::LoginPending
            | Self::LoginExpired
            | Self::LoginCancelled
            | Self::LoginDead => 3,
            Self::Denied | Self::WrongAccount | Self::DeviceLoginDisabled => 4,
        }
    }
}

/// What a person needs to approve a pending device login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Why a person is asked, where there is more to say than that nobody is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub verification_uri: String,
    /// The same page with the code filled in, where the server has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    pub user_code: String,
    /// Seconds since the Unix epoch; RFC 3339 in JSON.
    #[serde(with = "crate::clock::as_rfc3339")]
    pub expires_at: i64,
}

/// One failure: what failed, on which path or host, and what to do next. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The command that helps, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(flatten)]
    pub prompt: Option<Box<Verification>>,
    /// The pause that the server asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

const SIGN_IN: &str = "codex-credential login";

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            command: None,
            prompt: None,
            retry_after: None,
        }
    }

    /// An I/O error together with the path it happened on.
    pub fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let failed = Self::new(Kind::Storage, format!("cannot {what} {}: {error}", path.display()));
        match way_out(error.kind()) {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A hint that ends in a command to run.
    pub fn run(mut self, purpose: &str, command: &str) -> Self {
        self.hint = Some(format!("{purpose}, run: {command}"));
        self.command = Some(command.to_owned());
        self
    }

    /// The hint of most failures that need a person.
    pub fn sign_in_again(self) -> Self {
        self.run("to sign in", SIGN_IN)
    }

    /// Whether that is what it says.
    pub fn advises_sign_in(&self) -> bool {
        self.command.as_deref() == Some(SIGN_IN)
    }

    /// Whether a device login would have helped.
    pub fn is_cured_by_sign_in(&self) -> bool {
        matches!(self.kind, Kind::LoginRequired | Kind::LoginDead)
    }

    pub fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause.map(|pause| pause.as_secs());
        self
    }

    pub fn prompt(mut self, prompt: Verification) -> Self {
        self.prompt = Some(Box::new(prompt));
        self
    }
}

/// What a person can do about it, where that is the same whatever failed.
fn way_out(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind as Io;
    Some(match kind {
        Io::PermissionDenied => {
            "ls -ld shows whose it is; a command that was run as root may have made it"
        }
        Io::StorageFull | Io::QuotaExceeded => "make room there, and try again",
        Io::ReadOnlyFilesystem => {
            "that file system takes no writes; a login is renewed where it can be written alone"
        }
        Io::ResourceBusy => "it may be mounted by itself; mount the folder that it is in instead",
        _ => return None,
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T, E = Error> = std::result::Result<T, E>;
