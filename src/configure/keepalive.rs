//! `configure keepalive`: has the system run `codex-credential renew` every six hours, for machines on which no
//! program asks for a token for days. A renewal is due for a day, so three of four runs may fail.

use crate::configure::context::Context;
use crate::configure::program::one_line;
use crate::error::{Error, Kind, Result};
use crate::private;
use crate::quote::{crontab, systemd, systemd_argument, xml};
use crate::storage::StorageKind;
use crate::storage::codex_config::Store;
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

/// The variables that choose the login, or the way to its issuer, beside those that the command line and `CODEX_HOME` stand for.
const VARIABLES: [&str; 6] = [
    "CODEX_CREDENTIAL_STORAGE",
    "CODEX_CREDENTIAL_ISSUER",
    "CODEX_CREDENTIAL_CLIENT_ID",
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
    "NO_PROXY",
    "no_proxy",
];
const PATHS: [&str; 4] =
    ["XDG_STATE_HOME", "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// A keyring, or a folder in memory, is found by these. systemd sets them itself.
const SESSION: [&str; 2] = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];

/// Returns the variables of this environment that the timer needs, too.
///
/// # Errors
/// `Usage` for one that cannot be written into a file, such as a password.
fn variables(context: &Context) -> Result<Vec<(&'static str, String)>> {
    let profile = context.profile;
    if let Some(name) = profile.account.as_ref()
        && profile.settings.account.as_deref() != Some(name)
    {
        let what = "a timer renews the login of the profile; --account is for one command";
        let hint = format!("set account in [profiles.{}] of config.toml", profile.name);
        return Err(Error::new(Kind::Usage, what).hint(hint));
    }
    let mut found = Vec::new();
    if let Some(file) = &profile.config_file {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        found.push(("CODEX_CREDENTIAL_CONFIG", one_line(&file, "name another file")?));
    }
    for name in VARIABLES.into_iter().chain(PROXIES).chain(PATHS) {
        let Some(value) = context.variable(name) else { continue };
        let path = PathBuf::from(&value);
        let path =
            if PATHS.contains(&name) { std::path::absolute(&path).unwrap_or(path) } else { path };
        let value = one_line(&path, &format!("change {name}"))?;
        if PROXIES.contains(&name) && value.contains('@') {
            let what = format!("{name} has a password, which is not written into a timer");
            let home = profile.codex_home().join(".env");
            let hint = format!("set {name} in {}, which Codex reads, too", home.display());
            return Err(Error::new(Kind::Usage, what).hint(hint));
        }
        found.push((name, value));
    }
    Ok(found)
}

/// Returns what a crontab needs beside [`variables`].
fn session_variables(context: &Context) -> Result<Vec<(&'static str, String)>> {
    let profile = context.profile;
    let is_in_file = match profile.storage.as_codex() {
        Some(home) => home.config()?.store == Store::File,
        None => profile.storage_kind() == StorageKind::File,
    };
    let names = SESSION.into_iter().filter(|_| !is_in_file);
    let found = names.filter_map(|name| Some((name, PathBuf::from(context.variable(name)?))));
    found.map(|(name, value)| Ok((name, one_line(&value, &format!("change {name}"))?))).collect()
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
