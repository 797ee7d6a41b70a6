//! Finds out whether other machines may use the file system of a folder, and whether they see its locks.

use std::path::Path;

/// Which processes a lock in a folder excludes.
#[derive(Debug, PartialEq, Eq)]
pub enum LockScope {
    /// All: no other machine uses the file system.
    Everyone,
    /// Other machines may use this kind of file system. Whether they see the lock is not known.
    Unknown(String),
    /// Those of this machine: this mount option keeps locks local.
    ThisMachine(String),
}

/// Reads `/proc/self/mountinfo`. Without that file, the file system counts as local.
pub fn lock_scope(folder: &Path) -> LockScope {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    scope_by(&mounts, &folder)
}

/// `mounts` has the format of `proc_pid_mountinfo(5)`.
fn scope_by(mounts: &str, folder: &Path) -> LockScope {
    const SHARED: &[&str] = &[
        "9p", "afs", "ceph", "cifs", "fuse", "gfs2", "lustre", "nfs", "nfs4", "ocfs2", "smb3",
        "virtiofs",
    ];
    const LOCAL_LOCKS: &[&str] = &["nolock", "local_lock=flock", "local_lock=all", "localflock"];
    let mounts = mounts.lines().filter_map(Mount::of).filter(|mount| folder.starts_with(&mount.at));
    // `max_by_key` takes the last of equals: a later mount hides an earlier one at the same folder.
    let Some(mount) = mounts.max_by_key(|mount| mount.at.len()) else {
        return LockScope::Everyone;
    };
    let kind = mount.kind.split('.').next().unwrap_or_default();
    if !SHARED.contains(&kind) {
        return LockScope::Everyone;
    }
    match mount.options.split(',').find(|option| LOCAL_LOCKS.contains(option)) {
        Some(option) => LockScope::ThisMachine(option.to_owned()),
        None => LockScope::Unknown(kind.to_owned()),
    }
}

struct Mount<'a> {
    at: String,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut file_system = file_system.split(' ');
        let at = mount.split(' ').nth(4)?.replace("\\040", " ");
        Some(Self { at, kind: file_system.next()?, options: file_system.nth(1)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:31 / /home rw - nfs4 server:/home rw,vers=4.2,local_lock=none,addr=192.0.2.1
41 40 0:32 / /home/ada/old rw - nfs server:/old rw,vers=3,nolock,local_lock=all
42 40 0:33 / /home/ada/my\\040disk rw - fuse.sshfs ada@host: rw,user_id=0
43 40 0:34 / /home/ada/local rw - tmpfs tmpfs rw
";

    #[test]
    fn innermost_mount_decides_the_scope_of_a_lock() {
        let scope = |folder: &str| scope_by(MOUNTS, Path::new(folder));
        assert_eq!(scope("/var/lib"), LockScope::Everyone);
        assert_eq!(scope("/home2"), LockScope::Everyone);
        assert_eq!(scope("/home/ada/.codex"), LockScope::Unknown("nfs4".into()));
        assert_eq!(scope("/home/ada/old/.codex"), LockScope::ThisMachine("nolock".into()));
        assert_eq!(scope("/home/ada/my disk"), LockScope::Unknown("fuse".into()));
        assert_eq!(scope("/home/ada/local/x"), LockScope::Everyone);
        assert_eq!(scope_by("", Path::new("/")), LockScope::Everyone);
    }
}
