//! `configure keepalive`: has the system run `renew` now and then, for machines where nobody calls for days.

use crate::configure::Folders;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::programs;
use crate::storage::files::replace;
use crate::storage::login_dir::create_private;
use crate::ui;
use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const UNIT: &str = "codex-credential-keepalive";
const LAUNCH_LABEL: &str = "codex-credential.keepalive";

/// Who on this machine can run it.
enum Scheduler {
    /// A systemd user manager.
    Systemd,
    /// launchd.
    Launchd,
    /// Something that the person sets up by a line.
    Cron,
}

impl Scheduler {
    fn of_this_machine() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else if succeeds("systemctl", &["--user", "show-environment"]) {
            Self::Systemd
        } else {
            Self::Cron
        }
    }
}

pub struct Keepalive<'a> {
    profile: &'a Profile,
    program: PathBuf,
    /// `$XDG_CONFIG_HOME`, else `~/.config`; `~/Library/LaunchAgents` on macOS.
    folder: PathBuf,
}

impl<'a> Keepalive<'a> {
    pub fn new(profile: &'a Profile, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let program = programs::answering().map_err(|error| {
            Error::new(Kind::Storage, "cannot find this program's own path").caused_by(error)
        })?;
        let folders = Folders { variable, home: super::home()? };
        let folder = if cfg!(target_os = "macos") {
            folders.home.join("Library/LaunchAgents")
        } else {
            folders.of("XDG_CONFIG_HOME", ".config").join("systemd/user")
        };
        Ok(Self { profile, program, folder })
    }

    /// The files that the scheduler reads.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let file = |name: String, text| (self.folder.join(name), text);
        if cfg!(target_os = "macos") {
            return vec![file(format!("{LAUNCH_LABEL}.plist"), self.plist())];
        }
        vec![
            file(format!("{UNIT}.service"), self.service()),
            file(format!("{UNIT}.timer"), TIMER.to_owned()),
        ]
    }

    fn service(&self) -> String {
        format!(
            "[Unit]\n\
             Description=Renew the Codex login before it expires\n\n\
             [Service]\n\
             Type=oneshot\n\
             Environment=\"CODEX_HOME={}\"\n\
             ExecStart=\"{}\" renew\n",
            escaped(self.profile.codex_home()),
            escaped(&self.program),
        )
    }

    fn plist(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <plist version=\"1.0\"><dict>\n\
             <key>Label</key><string>{LAUNCH_LABEL}</string>\n\
             <key>ProgramArguments</key><array><string>{}</string><string>renew</string></array>\n\
             <key>EnvironmentVariables</key><dict><key>CODEX_HOME</key><string>{}</string></dict>\n\
             <key>StartInterval</key><integer>21600</integer>\n\
             </dict></plist>\n",
            xml(&self.program),
            xml(self.profile.codex_home()),
        )
    }

    /// Every six hours: the renewal is due for a day, so that three of four may fail.
    fn cron_line(&self) -> String {
        let (home, program) = (self.profile.codex_home(), &self.program);
        format!("17 */6 * * * CODEX_HOME='{}' '{}' renew", home.display(), program.display())
    }

    /// What `install` would write.
    pub fn preview(&self) -> String {
        let show = |(path, text): (PathBuf, String)| format!("# {}\n{text}\n", path.display());
        let files: String = self.files().into_iter().map(show).collect();
        format!("{files}# or, with crontab -e:\n{}\n", self.cron_line())
    }

    /// The first of the files that is there, and whether all are as `install` would write them; else the package's own
    /// timer, where it is enabled.
    pub fn found(&self) -> Option<(PathBuf, bool)> {
        let files = self.files();
        let Some(first) = files.iter().map(|(path, _)| path).find(|path| path.exists()).cloned()
        else {
            let enabled = self.folder.join(format!("timers.target.wants/{UNIT}.timer"));
            return enabled.exists().then_some((enabled, true));
        };
        let is_ours = |(path, text): &(PathBuf, String)| {
            fs::read_to_string(path).is_ok_and(|found| found == *text)
        };
        Some((first, files.iter().all(is_ours)))
    }

    pub fn install(&self) -> Result<()> {
        let scheduler = Scheduler::of_this_machine();
        if let Scheduler::Cron = scheduler {
            ui::say("there is no systemd user manager here; with crontab -e, add this line:");
            return writeln!(stdout(), "{}", self.cron_line()).map_err(|error| {
                Error::new(Kind::Storage, "cannot write to standard output").caused_by(error)
            });
        }
        create_private(&self.folder)?;
        for (path, text) in self.files() {
            replace(&path, text.as_bytes())?;
            ui::say(&format!("wrote {}", path.display()));
        }
        let timer = format!("{UNIT}.timer");
        let plist = self.folder.join(format!("{LAUNCH_LABEL}.plist"));
        if let Scheduler::Launchd = scheduler {
            run("launchctl", &["load", "-w", &plist.to_string_lossy()])?;
        } else {
            run("systemctl", &["--user", "daemon-reload"])?;
            run("systemctl", &["--user", "enable", "--now", &timer])?;
        }
        ui::say("the login is renewed every six hours if that is due");
        Ok(())
    }

    pub fn remove(&self) -> Result<()> {
        let plist = self.folder.join(format!("{LAUNCH_LABEL}.plist"));
        match Scheduler::of_this_machine() {
            Scheduler::Systemd => {
                let _ = run("systemctl", &["--user", "disable", "--now", &format!("{UNIT}.timer")]);
            }
            Scheduler::Launchd => {
                let _ = run("launchctl", &["unload", "-w", &plist.to_string_lossy()]);
            }
            Scheduler::Cron => {
                ui::say("if you have added a line with crontab -e, remove it there");
            }
        }
        for (path, _) in self.files() {
            match fs::remove_file(&path) {
                Ok(()) => ui::say(&format!("removed {}", path.display())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("remove", &path, error)),
            }
        }
        Ok(())
    }
}

const TIMER: &str = include_str!("../../helpers/keepalive/codex-credential-keepalive.timer");

/// For a quoted value in a unit file.
fn escaped(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$")
}

fn xml(path: &Path) -> String {
    path.to_string_lossy().replace('&', "&amp;").replace('<', "&lt;")
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    if succeeds(program, arguments) {
        return Ok(());
    }
    let command = format!("{program} {}", arguments.join(" "));
    Err(Error::new(Kind::Storage, format!("{command} failed")).hint("run it by hand to see why"))
}
