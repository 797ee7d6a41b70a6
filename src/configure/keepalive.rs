//! `configure keepalive`: has the system run `codex-credential renew` every six hours, for machines on which no
//! program asks for a token for days. A renewal is due for a day, so three of four runs may fail.

use crate::configure::context::Context;
use crate::configure::environment::{session_variables, variables};
use crate::configure::program::one_line;
use crate::error::{Error, Kind, Result};
use crate::private;
use crate::quote::{crontab, systemd, systemd_argument, xml};
use crate::storage::files::{folder_of, remove, replace};
use crate::ui;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const UNIT: &str = "codex-credential-keepalive";
const SERVICE: &str = include_str!("../../helpers/keepalive/codex-credential-keepalive.service");
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
        let (suffix, option) = (program.suffix(), program.profile_option());
        let (folder, path) = (crontab(&home), crontab(&program.path));
        let (variables, of_session) = (variables(context)?, session_variables(context)?);
        let of_cron = variables.iter().chain(&of_session);
        let of_cron: Vec<String> =
            of_cron.map(|(name, value)| format!(" {name}={}", crontab(value))).collect();
        let of_cron = of_cron.concat();
        let cron_line = format!("17 */6 * * * CODEX_HOME={folder}{of_cron} {path} renew{option}");
        let undo = context.undo.clone();
        if cfg!(target_os = "macos") {
            let label = format!("codex-credential.keepalive{suffix}");
            let arguments = format!("renew{option}").replace(' ', "</string><string>");
            let of_plist = variables
                .iter()
                .map(|(name, value)| format!("<key>{name}</key><string>{}</string>", xml(value)));
            let of_plist: Vec<String> = of_plist.collect();
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <plist version=\"1.0\"><dict>\n\
                 <key>Label</key><string>{label}</string>\n\
                 <key>ProgramArguments</key>\
                 <array><string>{}</string><string>{arguments}</string></array>\n\
                 <key>EnvironmentVariables</key><dict><key>CODEX_HOME</key><string>{}</string>{}</dict>\n\
                 <key>StartInterval</key><integer>21600</integer>\n\
                 </dict></plist>\n",
                xml(&program.path),
                xml(&home),
                of_plist.concat(),
            );
            let plist = context.home.join(format!("Library/LaunchAgents/{label}.plist"));
            let timer = plist.to_string_lossy().into_owned();
            return Ok(Self { files: vec![(plist, text)], timer, cron_line, undo });
        }
        let of_unit = [("CODEX_HOME", home)].into_iter().chain(variables);
        let of_unit = of_unit
            .map(|(name, value)| format!("\nEnvironment={}", systemd(&format!("{name}={value}"))));
        let service = SERVICE.replace(
            "/usr/bin/codex-credential renew",
            &format!(
                "{} renew{option}{}",
                systemd_command(&program.path),
                of_unit.collect::<Vec<_>>().concat()
            ),
        );
        let timer = format!("{UNIT}{suffix}.timer");
        let folder = context.xdg_config().join("systemd/user");
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

    /// Writes the scheduler's files and starts the timer; without a scheduler, prints a line for a crontab.
    pub fn install(&self, changed: &mut Vec<PathBuf>) -> Result<()> {
        if !has_scheduler() {
            ui::say("no systemd user manager is running; run crontab -e and add this line:");
            return print(&format!("{}\n", self.cron_line));
        }
        for (path, text) in &self.files {
            private::create_dir(folder_of(path))?;
            replace(path, text.as_bytes())?;
            changed.push(path.clone());
            ui::say(&format!("wrote {}", path.display()));
        }
        self.schedule(true)?;
        ui::say("started the timer, which renews the login when due, every six hours");
        ui::say(&format!("to undo, run: {}", self.undo));
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

/// Returns the words of `ExecStart=` that run a program. systemd refuses a program with a quote or a backslash in its path, so
/// the shell runs such a program.
fn systemd_command(program: &str) -> String {
    if program.contains(['\'', '"', '\\']) {
        let script = systemd_argument("exec \"$0\" \"$@\"");
        return format!("/bin/sh -c {script} {}", systemd_argument(program));
    }
    // Variables are not expanded in the path of the program.
    systemd(program)
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
