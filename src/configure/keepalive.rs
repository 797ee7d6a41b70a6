//! `configure keepalive`: has the system run `renew` now and then, for machines where nobody calls for days.

use crate::configure::entry::{Folders, home, named_by_variable};
use crate::configure::program::{Program, option};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::profile::config;
use crate::storage::files::{remove, replace};
use crate::storage::login_dir::create_private;
use crate::ui;
use std::ffi::OsString;
use std::fs;
use std::io::{Write, stdout};
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
    program: Program,
    /// `$XDG_CONFIG_HOME`, else `~/.config`; `~/Library/LaunchAgents` on macOS.
    folder: PathBuf,
}

impl<'a> Keepalive<'a> {
    /// `named` is the profile that `--profile` names; the written command names it too.
    pub fn new(
        profile: &'a Profile,
        named: Option<&str>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let named = named.map(str::to_owned).or_else(|| named_by_variable(variable));
        Self::with(profile, named, variable)
    }

    fn with(
        profile: &'a Profile,
        named: Option<String>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if let Some(name) = named.as_deref().filter(|name| !name.chars().all(is_plain)) {
            let message = format!("the profile {name:?} has a name that a timer cannot have");
            return Err(Error::new(Kind::Usage, message).hint("use letters, digits, -, _ and ."));
        }
        let program = Program::this(variable, named)?;
        let folders = Folders { variable, home: home()? };
        let folder = if cfg!(target_os = "macos") {
            folders.home.join("Library/LaunchAgents")
        } else {
            folders.of("XDG_CONFIG_HOME", ".config").join("systemd/user")
        };
        Ok(Self { profile, program, folder })
    }

    /// `name` with the profile that the command names: each has a timer of its own.
    fn name(&self, name: &str) -> String {
        let profile = self.program.profile();
        profile.map_or_else(|| name.to_owned(), |profile| format!("{name}-{profile}"))
    }

    fn timer(&self) -> String {
        format!("{}.timer", self.name(UNIT))
    }

    fn plist_path(&self) -> PathBuf {
        self.folder.join(format!("{}.plist", self.name(LAUNCH_LABEL)))
    }

    /// The files that the scheduler reads.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let file = |name: String, text| (self.folder.join(name), text);
        if cfg!(target_os = "macos") {
            return vec![(self.plist_path(), self.plist())];
        }
        vec![
            file(format!("{}.service", self.name(UNIT)), self.service()),
            file(self.timer(), TIMER.to_owned()),
        ]
    }

    fn service(&self) -> String {
        format!(
            "[Unit]\n\
             Description=Renew the Codex login before it expires\n\n\
             [Service]\n\
             Type=oneshot\n\
             Environment=\"CODEX_HOME={}\"\n\
             ExecStart=\"{}\" renew{}\n",
            escaped(self.profile.codex_home()),
            escaped(self.program.path()),
            option(self.program.profile()),
        )
    }

    fn plist(&self) -> String {
        let named = self.program.profile();
        let named = named.map(|name| format!("<string>--profile</string><string>{name}</string>"));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <plist version=\"1.0\"><dict>\n\
             <key>Label</key><string>{}</string>\n\
             <key>ProgramArguments</key><array><string>{}</string><string>renew</string>{}</array>\n\
             <key>EnvironmentVariables</key><dict><key>CODEX_HOME</key><string>{}</string></dict>\n\
             <key>StartInterval</key><integer>21600</integer>\n\
             </dict></plist>\n",
            self.name(LAUNCH_LABEL),
            xml(self.program.path()),
            named.unwrap_or_default(),
            xml(self.profile.codex_home()),
        )
    }

    /// Every six hours: the renewal is due for a day, so that three of four may fail.
    fn cron_line(&self) -> String {
        let (home, program) = (self.profile.codex_home().display(), self.program.text());
        let named = option(self.program.profile());
        format!("17 */6 * * * CODEX_HOME='{home}' '{program}' renew{named}")
    }

    /// What `install` would write.
    pub fn preview(&self) -> String {
        let show = |(path, text): (PathBuf, String)| format!("# {}\n{text}\n", path.display());
        let files: String = self.files().into_iter().map(show).collect();
        format!("{files}# or, with crontab -e:\n{}\n", self.cron_line())
    }

    /// Finds the timer of `profile`: its first file, and whether the files are as `install` would write them, with the
    /// program's entry on the PATH or with its own path. Otherwise the package's timer, if it is enabled.
    pub fn found(
        profile: &'a Profile,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<(PathBuf, bool)>> {
        let is_default =
            config(variable, profile.config_file.clone())?.default_name() == profile.name;
        let without_path = |name: &str| variable(name).filter(|_| name != "PATH");
        let is_as_written = |keepalive: &Self| {
            let is_same = |(path, text): &(PathBuf, String)| {
                fs::read_to_string(path).is_ok_and(|found| found == *text)
            };
            keepalive.files().iter().all(is_same)
        };
        let unnamed = is_default.then_some(None);
        for named in unnamed.into_iter().chain([Some(profile.name.clone())]) {
            let keepalive = Self::with(profile, named.clone(), variable)?;
            let mut paths = keepalive.files().into_iter().map(|(path, _)| path);
            if let Some(first) = paths.find(|path| path.exists()) {
                let own = Self::with(profile, named, &without_path)?;
                return Ok(Some((first, is_as_written(&keepalive) || is_as_written(&own))));
            }
            let enabled = keepalive.folder.join(format!("timers.target.wants/{UNIT}.timer"));
            if is_default && enabled.exists() {
                return Ok(Some((enabled, true)));
            }
        }
        Ok(None)
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
        let plist = self.plist_path();
        if let Scheduler::Launchd = scheduler {
            run("launchctl", &["load", "-w", &plist.to_string_lossy()])?;
        } else {
            run("systemctl", &["--user", "daemon-reload"])?;
            run("systemctl", &["--user", "enable", "--now", &self.timer()])?;
        }
        ui::say("the login is renewed every six hours if that is due");
        Ok(())
    }

    pub fn remove(&self) -> Result<()> {
        let plist = self.plist_path();
        match Scheduler::of_this_machine() {
            Scheduler::Systemd => {
                let _ = run("systemctl", &["--user", "disable", "--now", &self.timer()]);
            }
            Scheduler::Launchd => {
                let _ = run("launchctl", &["unload", "-w", &plist.to_string_lossy()]);
            }
            Scheduler::Cron => {
                ui::say("if you have added a line with crontab -e, remove it there");
            }
        }
        for (path, _) in self.files() {
            if remove(&path)? {
                ui::say(&format!("removed {}", path.display()));
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
