//! This person's folders, as the XDG base directory specification or the platform has them.

use crate::error::{Error, Kind, Result};
use etcetera::BaseStrategy;
use etcetera::base_strategy::choose_native_strategy;
use std::path::PathBuf;

const NAME: &str = "codex-credential";

/// Each is this program's own, and need not be there yet.
#[derive(Clone, Debug)]
pub struct Folders {
    /// What has to outlive a restart and belongs to this machine.
    pub state: PathBuf,
    /// What must not outlive a restart, in memory alone; `None` where the system has no such place.
    pub runtime: Option<PathBuf>,
}

impl Folders {
    /// # Errors
    /// `Usage` when there is no home folder.
    pub fn of_user() -> Result<Self> {
        let strategy = strategy()?;
        // Neither macOS nor Windows has a word for state; what Windows does not carry to other machines is the cache.
        let elsewhere = || if cfg!(windows) { strategy.cache_dir() } else { strategy.data_dir() };
        let runtime = strategy.runtime_dir().filter(|folder| is_private_memory(folder));
        Ok(Self {
            state: strategy.state_dir().unwrap_or_else(elsewhere).join(NAME),
            runtime: runtime.map(|folder| folder.join(NAME)),
        })
    }
}

/// The folder of the configuration file.
///
/// # Errors
/// `Usage` when there is no home folder.
pub fn config() -> Result<PathBuf> {
    Ok(strategy()?.config_dir().join(NAME))
}

fn strategy() -> Result<impl BaseStrategy> {
    choose_native_strategy()
        .map_err(|_| Error::new(Kind::Usage, "there is no home folder").hint("set HOME"))
}

/// Whether what is written below `folder` stays in memory, and with its owner, this person.
#[cfg(target_os = "linux")]
fn is_private_memory(folder: &std::path::Path) -> bool {
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
fn is_private_memory(_folder: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn memory_is_a_folder_on_tmpfs_that_is_ones_own_alone() {
        let on_tmpfs = tempfile::tempdir_in("/dev/shm").unwrap();
        let set = |mode| fs::set_permissions(&on_tmpfs, Permissions::from_mode(mode)).unwrap();
        set(0o700);
        assert!(is_private_memory(on_tmpfs.path()));
        set(0o750);
        assert!(!is_private_memory(on_tmpfs.path()), "others can look in");
        assert!(!is_private_memory(&on_tmpfs.path().join("nothing")));
        let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        assert!(!is_private_memory(on_disk.path()));
    }
}
