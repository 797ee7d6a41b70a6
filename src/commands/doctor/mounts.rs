//! What file system a folder is on, as far as it matters for locks: of some, other machines have a part.

use std::path::Path;

/// How far a lock in a folder reaches.
#[derive(Debug, PartialEq, Eq)]
pub enum Reach {
    /// All who can open it are on this machine.
    Everybody,
    /// Others may be on other machines, or behind another mount, and are not asked here; the kind of file system.
    Unknown(String),
    /// It is mounted so that locks stay on this machine; by that option.
    ThisMachine(String),
}

/// By `/proc/self/mountinfo`; where there is none, nobody else is known of.
pub fn reach(folder: &Path) -> Reach {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    reach_by(&mounts, &folder)
}

/// By `/proc/self/mountinfo`, see `proc_pid_mountinfo(5)`.
fn reach_by(mounts: &str, folder: &Path) -> Reach {
    const SHARED: &[&str] = &[
        "9p", "afs", "ceph", "cifs", "fuse", "gfs2", "lustre", "nfs", "nfs4", "ocfs2", "smb3",
        "virtiofs",
    ];
    const KEPT: &[&str] = &["nolock", "local_lock=flock", "local_lock=all", "localflock"];
    let mount = mounts.lines().filter_map(Mount::of).filter(|mount| folder.starts_with(&mount.at));
    // Of two at the same place the later one is seen.
    let Some(mount) = mount.max_by_key(|mount| mount.at.len()) else { return Reach::Everybody };
    let kind = mount.kind.split('.').next().unwrap_or_default();
    if !SHARED.contains(&kind) {
        return Reach::Everybody;
    }
    match mount.options.split(',').find(|option| KEPT.contains(option)) {
        Some(option) => Reach::ThisMachine(option.to_owned()),
        None => Reach::Unknown(kind.to_owned()),
    }
}

struct Mount<'a> {
    at: String,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (login_dir, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let at = login_dir.split(' ').nth(4)?.replace("\\040", " ");
        Some(Self { at, kind: system.next()?, options: system.nth(1)? })
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
    fn the_innermost_mount_tells_how_far_a_lock_reaches() {
        let reach = |folder: &str| reach_by(MOUNTS, Path::new(folder));
        assert_eq!(reach("/var/lib"), Reach::Everybody);
        assert_eq!(reach("/home2"), Reach::Everybody);
        assert_eq!(reach("/home/ada/.codex"), Reach::Unknown("nfs4".into()));
        assert_eq!(reach("/home/ada/old/.codex"), Reach::ThisMachine("nolock".into()));
        assert_eq!(reach("/home/ada/my disk"), Reach::Unknown("fuse".into()));
        assert_eq!(reach("/home/ada/local/x"), Reach::Everybody);
        assert_eq!(reach_by("", Path::new("/")), Reach::Everybody);
    }
}
