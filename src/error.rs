//! What can fail: the kind that a program acts on, the message and hint that the user reads, and the cause.

use crate::command_options;
use crate::verification::Verification;
use crate::visible::visible;
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The situation, as named in `--error-format json`. Names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file or folder could not be read, written or understood.
    Storage,
    /// Another process held a lock, or a renewal was still running, when the caller's `--wait` ran out.
    Busy,
    /// The authorization server could not be reached, or its response did not arrive.
    Network,
    /// The authorization server reported an internal failure or broke its protocol.
    Server,
    /// The renewal process ended without a result.
    Interrupted,
    /// The command line or the environment has a value that is not supported.
    Usage,
    /// A configuration file cannot be understood or cannot be followed.
    Configuration,
    /// The input is not in the git-credential format.
    BadInput,
    /// Nobody is signed in.
    LoginRequired,
    /// The stored login is damaged, or of a kind that cannot be shared. A sign-in replaces it.
    LoginUnreadable,
    /// A sign-in waits for the user.
    LoginPending,
    /// The device code expired before the user approved it.
    LoginExpired,
    /// The user cancelled the pending sign-in.
    LoginCancelled,
    /// The authorization server refused the stored refresh token for good.
    LoginDead,
    /// The user or the authorization server denied the sign-in.
    Denied,
    /// The configuration does not allow this account.
    WrongAccount,
    /// Device code sign-in is disabled for this account or workspace.
    DeviceLoginDisabled,
}

impl Kind {
    /// Returns the name in JSON.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).expect("kinds serialize");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Whether the same command can succeed later without a change by the user.
    pub fn is_temporary(self) -> bool {
        self.exit_code() == 1
    }

    /// Returns the exit code: 1 try again, 2 wrong usage, 3 the user must act, 4 denied.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Storage | Self::Busy | Self::Network | Self::Server | Self::Interrupted => 1,
            Self::Usage | Self::BadInput | Self::Configuration => 2,
            Self::LoginRequired
            | Self::LoginUnreadable
            | Self::LoginPending
            | Self::LoginExpired
            | Self::LoginCancelled
            | Self::LoginDead => 3,
            Self::Denied | Self::WrongAccount | Self::DeviceLoginDisabled => 4,
        }
    }
}

/// One failure: what failed, on which path or host, why, and what to do next. Never holds a secret.
///
/// The message ends with its cause.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Error {
    pub kind: Kind,
    message: String,
    #[serde(skip)]
    source: Option<Arc<dyn StdError + Send + Sync>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The command that `hint` ends with, without the options that name the login; see [`Error::completed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(flatten)]
    pub verification: Option<Box<Verification>>,
    /// The pause that the server asked for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

const SIGN_IN: &str = "codex-credential login";

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: visible(&message.into()),
            source: None,
            hint: None,
            command: None,
            verification: None,
            retry_after: None,
        }
    }

    /// `cannot {what} {path}`, with the hint that fits `source`; see also [`IoResultExt::context`].
    pub fn io(what: &str, path: &Path, source: io::Error) -> Self {
        let hint = hint_for(source.kind());
        let error = Self::new(Kind::Storage, format!("cannot {what} {}", path.display()));
        Self { hint: hint.map(Into::into), ..error.caused_by(source) }
    }

    /// Adds the cause to the message. Libraries wrap a cause in texts that repeat it, so of their errors only the innermost
    /// is shown.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source: Arc<dyn StdError + Send + Sync> = source.into().into();
        let mut cause: &dyn StdError = &*source;
        while let (false, Some(inner)) = (cause.is::<Self>(), cause.source()) {
            cause = inner;
        }
        let cause = visible(&without_error_number(&cause.to_string()));
        self.message = format!("{}: {cause}", self.message);
        self.source = Some(source);
        self
    }

    /// Returns the message with its causes: `message: cause: root cause`.
    pub fn text(&self) -> String {
        self.message.clone()
    }

    /// Changes the whole text.
    pub fn map_text(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.message = visible(&change(&self.message));
        self
    }

    /// Sets a hint that names no command of this program; see [`Error::run`].
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        debug_assert!(!hint.contains("run: codex-credential"), "{hint}");
        self.hint = Some(visible(&hint));
        self.command = None;
        self
    }

    /// Sets a hint that ends in a command of this program.
    pub fn run(mut self, purpose: &str, command: &str) -> Self {
        self.hint = Some(visible(&format!("{purpose}, run: {command}")));
        self.command = Some(visible(command));
        self
    }

    /// Puts `first` before the hint.
    pub fn hint_first(mut self, first: &str) -> Self {
        self.hint = self.hint.map(|hint| format!("{first}; {hint}"));
        self
    }

    /// Returns the error as it is shown: its command names the profile and account of this process.
    pub fn completed(&self) -> Self {
        let mut shown = self.clone();
        if let (Some(hint), Some(command)) = (&self.hint, &self.command) {
            let completed = command_options::completed(command);
            shown.hint =
                hint.strip_suffix(command.as_str()).map(|purpose| purpose.to_owned() + &completed);
            shown.command = Some(completed);
        }
        shown
    }

    /// Sets the hint to sign in.
    pub fn sign_in_again(self) -> Self {
        self.run("to sign in", SIGN_IN)
    }

    /// Whether the hint is the one of [`Error::sign_in_again`].
    pub fn advises_sign_in(&self) -> bool {
        self.command.as_deref() == Some(SIGN_IN)
    }

    /// Whether a sign-in would have avoided this error.
    pub fn is_cured_by_sign_in(&self) -> bool {
        matches!(self.kind, Kind::LoginRequired | Kind::LoginDead)
    }

    pub fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause.map(|pause| pause.as_secs());
        self
    }

    pub fn verification(mut self, verification: Verification) -> Self {
        self.verification = Some(Box::new(verification));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Removes the ` (os error 2)` that the standard library writes after each system error.
fn without_error_number(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(
            part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-')
                .trim_start_matches(')'),
        );
    }
    plain
}

/// Adds the operation and the path to an I/O error.
pub trait IoResultExt<T> {
    /// Turns an I/O error into `cannot {what} {path}: {cause}` of kind `Storage`.
    fn context(self, what: &str, path: &Path) -> Result<T>;
}

impl<T> IoResultExt<T> for io::Result<T> {
    fn context(self, what: &str, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(what, path, error))
    }
}

fn hint_for(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind as Io;
    Some(match kind {
        Io::PermissionDenied => {
            "ls -ld shows its owner; a command that ran as root may have created it"
        }
        Io::StorageFull | Io::QuotaExceeded => "make room there, then try again",
        Io::ReadOnlyFilesystem => {
            "the file system is read-only; to renew a login, its folder must be writable"
        }
        Io::ResourceBusy => "it may be a mount point; mount its folder instead",
        _ => return None,
    })
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> io::Error {
        io::Error::from_raw_os_error(13)
    }

    #[test]
    fn io_error_with_context_shows_path_and_cause_without_error_number() {
        let result: io::Result<()> = Err(denied());
        let error = result.context("read", Path::new("/login")).unwrap_err();
        assert_eq!(error.text(), "cannot read /login: Permission denied");
        assert!(error.source().unwrap().is::<io::Error>());
        assert!(error.hint.unwrap().starts_with("ls -ld"));
    }

    #[test]
    fn error_in_an_error_shows_every_message() {
        let inner = Error::io("read", Path::new("/login"), denied());
        let outer = Error::new(Kind::Busy, "not removed").caused_by(inner);
        assert_eq!(outer.text(), "not removed: cannot read /login: Permission denied");
    }

    #[test]
    fn error_of_a_library_shows_its_innermost_cause_only() {
        #[derive(Debug)]
        struct Wrapper(io::Error);
        impl fmt::Display for Wrapper {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "wrapped: {}", self.0)
            }
        }
        impl StdError for Wrapper {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        let error = Error::new(Kind::Network, "no answer").caused_by(Wrapper(denied()));
        assert_eq!(error.text(), "no answer: Permission denied");
    }

    #[test]
    fn serialized_error_holds_the_whole_text() {
        let error = Error::io("read", Path::new("/login"), denied());
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json["message"], "cannot read /login: Permission denied");
        let read: Error = serde_json::from_value(json).unwrap();
        assert_eq!(read.text(), error.text());
        assert_eq!(read.hint, error.hint);
    }
}
