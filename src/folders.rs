//! The user's folders, by the XDG base directory specification or the platform's own rules.

use crate::error::{Error, Kind, Result};
use etcetera::BaseStrategy;
use etcetera::base_strategy::choose_native_strategy;
use std::path::{Path, PathBuf};

const NAME: &str = "codex-credential";

/// The variable that names the home directory.
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// This program's folders. They need not exist yet.
#[derive(Clone, Debug)]
pub struct Folders {
    /// For data of this machine that outlives a restart.
    pub state: PathBuf,
    /// For data that is kept in memory only; `None` if the system has no such folder.
    pub runtime: Option<PathBuf>,
}

impl Folders {
    /// Returns the folders of the user.
    ///
    /// # Errors
    /// `Usage` if there is no home directory, or a relative one.
    pub fn of_user() -> Result<Self> {
        let strategy = strategy()?;
        // macOS and Windows have no state folder. On Windows, only the cache folder stays on this machine.
        let fallback = || if cfg!(windows) { strategy.cache_dir() } else { strategy.data_dir() };
        let runtime = strategy.runtime_dir().filter(|folder| is_private_memory(folder));
        Ok(Self {
            state: absolute(HOME, strategy.state_dir().unwrap_or_else(fallback).join(NAME))?,
            runtime: runtime.map(|folder| folder.join(NAME)),
        })
    }
}

/// Returns the folder of the configuration file.
///
/// # Errors
/// `Usage` if there is no home directory, or a relative one.
pub fn config() -> Result<PathBuf> {
    absolute(HOME, strategy()?.config_dir().join(NAME))
}

/// Returns the user's home directory.
///
/// # Errors
/// `Usage` if there is none, or if the variable is not an absolute path.
pub fn home() -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let none = || Error::new(Kind::Usage, "there is no home directory");
    absolute(HOME, home.ok_or_else(|| none().hint(format!("set {HOME}")))?)
}

/// Returns `path`, the value of `variable`, if it is absolute. A relative path, which includes an unexpanded `~` or `$HOME`,
/// would put a login into the caller's working folder, or read a file that another user put there.
pub fn absolute(variable: &str, path: PathBuf) -> Result<PathBuf> {
    let problem = if path.as_os_str().to_string_lossy().contains(char::is_control) {
        "contains a control character"
    } else if path.is_absolute() {
        return Ok(path);
    } else {
        "is not an absolute path"
    };
    let hint = "write the whole path: ~ and variables in it are not expanded";
    Err(Error::new(Kind::Usage, format!("{variable} {problem}: {}", path.display())).hint(hint))
}

/// Ignores relative XDG variables, as the specification demands. Their defaults are relative where `HOME` is.
fn strategy() -> Result<impl BaseStrategy> {
    choose_native_strategy()
        .map_err(|_| Error::new(Kind::Usage, "there is no home directory").hint("set HOME"))
}

/// Returns whether `folder` is in memory and only this user can enter it.
#[cfg(target_os = "linux")]
fn is_private_memory(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    let is_own = folder.metadata().is_ok_and(|found| {
        let private = found.mode() & 0o777 == 0o700;
        found.is_dir() && private && found.uid() == rustix::process::geteuid().as_raw()
    });
    #[allow(clippy::useless_conversion, reason = "its width differs between platforms")]
    let file_system = || rustix::fs::statfs(folder).map(|found| i64::from(found.f_type));
    is_own && file_system().is_ok_and(|kind| [TMPFS, RAMFS].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn is_private_memory(_folder: &Path) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs::{self, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn runtime_folder_must_be_on_tmpfs_and_private() {
        let on_tmpfs = tempfile::tempdir_in("/dev/shm").unwrap();
        let set = |mode| fs::set_permissions(&on_tmpfs, Permissions::from_mode(mode)).unwrap();
        set(0o700);
        assert!(is_private_memory(on_tmpfs.path()));
        set(0o750);
        assert!(!is_private_memory(on_tmpfs.path()), "readable by the group");
        assert!(!is_private_memory(&on_tmpfs.path().join("missing")));
        let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        assert!(!is_private_memory(on_disk.path()));
    }

    #[test]
    fn path_that_is_not_absolute_is_refused_with_its_variable() {
        for path in
            ["", ".", ".codex", "~", "~/.codex", "$HOME/.codex", "${HOME}", "%USERPROFILE%\\x"]
                .into_iter()
                .chain([
                    "C:\\codex",
                    " /home",
                    "\"/home/ada\"",
                    "/home/ada\r",
                    "/home\n/ada",
                    "/home\u{9b}",
                ])
        {
            let error = absolute("CODEX_HOME", path.into()).unwrap_err();
            assert_eq!(error.kind, Kind::Usage, "{path:?}");
            assert!(error.text().starts_with("CODEX_HOME "), "{}", error.text());
            assert!(!error.text().contains(char::is_control), "{}", error.text());
        }
        for path in ["/", "/home/a b", "/home/~ada/$x", "/home/\u{e9}"] {
            assert_eq!(absolute("CODEX_HOME", path.into()).unwrap(), Path::new(path));
        }
        let not_text = Path::new(OsStr::from_bytes(b"/home/\xff"));
        assert_eq!(absolute("CODEX_HOME", not_text.into()).unwrap(), not_text);
    }
}
