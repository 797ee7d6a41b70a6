//! `configure keepalive`: has the system run `codex-credential renew` every six hours, for machines on which no
//! program asks for a token for days. A renewal is due for a day, so three of four runs may fail.

use crate::configure::context::{Context, Variables};
use crate::configure::options::Tool;
use crate::configure::plan::{list, with_changes};
use crate::configure::program::one_line;
use crate::configure::quote::{shell, systemd, xml};
use crate::configure::setup::UNCONFIGURE;
use crate::error::{Error, Kind, Result};
use crate::profile::{Profile, config};
use crate::storage::files::{folder_of, remove, replace};
use crate::storage::login_dir::create_private;
use crate::ui;
use std::fs;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const UNIT: &str = "codex-credential-keepalive";
const TIMER: &str = include_str!("../../helpers/keepalive/codex-credential-keepalive.timer");

/// The timer of one profile: of launchd on macOS, otherwise of systemd or, without a user manager, of cron.
pub struct Keepalive {
    /// The paths and texts of the scheduler's files.
    files: Vec<(PathBuf, String)>,
    /// The name by which the scheduler knows the timer.
    timer: String,
    cron_line: String,
    undo: String,
}

impl Keepalive {
    pub fn new(context: &Context) -> Result<Self> {
        let program = &context.program;
        let home = one_line(context.profile.codex_home(), "set CODEX_HOME to another folder")?;
        let suffix = program.profile.as_ref().map(|name| format!("-{name}")).unwrap_or_default();
        let option = program.profile_option();
        let command = format!("CODEX_HOME={} {} renew{option}", shell(&home), program.quoted());
        // In a crontab, % ends the command.
        let cron_line = format!("17 */6 * * * {}", command.replace('%', r"\%"));
        let undo = format!("{UNCONFIGURE}keepalive{option}");
        if cfg!(target_os = "macos") {
            let label = format!("codex-credential.keepalive{suffix}");
            let arguments = format!("renew{option}").replace(' ', "</string><string>");
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <plist version=\"1.0\"><dict>\n\
                 <key>Label</key><string>{label}</string>\n\
                 <key>ProgramArguments</key>\
                 <array><string>{}</string><string>{arguments}</string></array>\n\
                 <key>EnvironmentVariables</key><dict><key>CODEX_HOME</key><string>{}</string></dict>\n\
                 <key>StartInterval</key><integer>21600</integer>\n\
                 </dict></plist>\n",
                xml(&program.path),
                xml(&home),
            );
            let plist = context.home.join(format!("Library/LaunchAgents/{label}.plist"));
            let timer = plist.to_string_lossy().into_owned();
            return Ok(Self { files: vec![(plist, text)], timer, cron_line, undo });
        }
        let service = format!(
            "[Unit]\n\
             Description=Renew the Codex login before it expires\n\n\
             [Service]\n\
             Type=oneshot\n\
             Environment={}\n\
             ExecStart={} renew{option}\n",
            systemd(&format!("CODEX_HOME={home}")),
            systemd(&program.path),
        );
        let (folder, timer) = (systemd_folder(context), format!("{UNIT}{suffix}.timer"));
        let service = (folder.join(format!("{UNIT}{suffix}.service")), service);
        let files = vec![service, (folder.join(&timer), TIMER.to_owned())];
        Ok(Self { files, timer, cron_line, undo })
    }

    /// Prints what `install` would write.
    pub fn print(&self) -> Result<()> {
        let show = |(path, text): &(PathBuf, String)| format!("# {}\n{text}\n", path.display());
        let files: String = self.files.iter().map(show).collect();
        print(&format!("{files}# or, with crontab -e:\n{}\n", self.cron_line))
    }

    /// Finds the timer of `profile`. Returns its first file, and whether its files are as `install` would write them,
    /// with the program's entry on the PATH or with its own path. Otherwise finds the package's timer, if it is
    /// enabled.
    pub fn found(profile: &Profile, variables: Variables) -> Result<Option<(PathBuf, bool)>> {
        let config = config(variables, profile.config_file.clone())?;
        let is_default = config.default_name() == profile.name;
        let without_path = |name: &str| variables(name).filter(|_| name != "PATH");
        let mut context = Context::new(Tool::Keepalive, profile, true, variables)?;
        let mut own = Context::new(Tool::Keepalive, profile, true, &without_path)?;
        for name in is_default.then_some(None).into_iter().chain([Some(profile.name.clone())]) {
            context.program.profile.clone_from(&name);
            own.program.profile = name;
            let keepalive = Self::new(&context)?;
            if let Some((first, _)) = keepalive.files.iter().find(|(path, _)| path.exists()) {
                let is_current = keepalive.is_written() || Self::new(&own)?.is_written();
                return Ok(Some((first.clone(), is_current)));
            }
        }
        // systemd links the package's timer here when the user enables it.
        let link = format!("timers.target.wants/{UNIT}.timer");
        let enabled = systemd_folder(&context).join(link);
        Ok((is_default && enabled.exists()).then_some((enabled, true)))
    }

    fn is_written(&self) -> bool {
        let is_same = |(path, text): &(PathBuf, String)| {
            fs::read_to_string(path).is_ok_and(|found| found == *text)
        };
        self.files.iter().all(is_same)
    }

    /// Writes the scheduler's files and starts the timer; without a scheduler, prints a line for a crontab.
    pub fn install(&self) -> Result<()> {
        if !has_scheduler() {
            ui::say("no systemd user manager is running; run crontab -e and add this line:");
            return print(&format!("{}\n", self.cron_line));
        }
        let mut written = Vec::new();
        for (path, text) in &self.files {
            let folder = create_private(folder_of(path));
            let made = folder.and_then(|()| replace(path, text.as_bytes()));
            made.map_err(|error| with_changes(error, &written))?;
            written.push(path.clone());
        }
        self.schedule(true).map_err(|error| with_changes(error, &written))?;
        ui::say(&format!("wrote {} and started the timer", list(&written)));
        let undo = &self.undo;
        ui::say(&format!("the login is renewed when due, every six hours; to undo, run: {undo}"));
        Ok(())
    }

    /// Stops the timer and removes the scheduler's files.
    pub fn remove(&self) -> Result<()> {
        if has_scheduler() {
            // The scheduler may not know the timer, and the files are removed anyway.
            let _ = self.schedule(false);
        } else {
            ui::say("if you added a line with crontab -e, remove it there");
        }
        let mut is_removed = false;
        for (path, _) in &self.files {
            if remove(path)? {
                is_removed = true;
                ui::say(&format!("removed {}", path.display()));
            }
        }
        if !is_removed {
            ui::say("not configured; no file was removed");
        }
        Ok(())
    }

    fn schedule(&self, is_on: bool) -> Result<()> {
        if cfg!(target_os = "macos") {
            let verb = if is_on { "load" } else { "unload" };
            return run("launchctl", &[verb, "-w", &self.timer]);
        }
        if is_on {
            run("systemctl", &["--user", "daemon-reload"])?;
        }
        let verb = if is_on { "enable" } else { "disable" };
        run("systemctl", &["--user", verb, "--now", &self.timer])
    }
}

fn systemd_folder(context: &Context) -> PathBuf {
    context.path_or("XDG_CONFIG_HOME", ".config").join("systemd/user")
}

/// Tells whether this machine has a scheduler that reads files; otherwise the user adds a line to a crontab.
fn has_scheduler() -> bool {
    cfg!(target_os = "macos") || run("systemctl", &["--user", "show-environment"]).is_ok()
}

/// Runs a command of the scheduler, without its output.
fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let command = format!("{program} {}", arguments.join(" "));
    Err(Error::new(Kind::Storage, format!("`{command}` failed")).hint("run it to see why"))
}

fn print(text: &str) -> Result<()> {
    stdout().write_all(text.as_bytes()).map_err(|error| {
        Error::new(Kind::Storage, "cannot write to standard output").caused_by(error)
    })
}
