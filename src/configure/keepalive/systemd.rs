//! A systemd user timer and the service that it starts.

use crate::configure::folders::Folders;
use crate::configure::keepalive::job::{Job, run, succeeds};
use crate::configure::quote;
use crate::error::Result;
use std::path::PathBuf;

const UNIT: &str = "codex-credential-keepalive";

const TIMER: &str = include_str!("../../../helpers/keepalive/codex-credential-keepalive.timer");

pub fn is_running() -> bool {
    succeeds("systemctl", &["--user", "show-environment"])
}

pub fn folder(folders: &Folders) -> PathBuf {
    folders.named_or("XDG_CONFIG_HOME", ".config").join("systemd/user")
}

/// Returns where systemd links the package's timer when the user enables it.
pub fn enabled_package_timer(folders: &Folders) -> PathBuf {
    folder(folders).join(format!("timers.target.wants/{UNIT}.timer"))
}

/// Returns the names and texts of the two units.
pub fn files(job: &Job) -> Result<Vec<(String, String)>> {
    let service = format!(
        "[Unit]\n\
         Description=Renew the Codex login before it expires\n\n\
         [Service]\n\
         Type=oneshot\n\
         Environment={}\n\
         ExecStart={} renew{}\n",
        quote::systemd(&format!("CODEX_HOME={}", job.codex_home))?,
        quote::systemd(job.program.text())?,
        job.program.profile_option(),
    );
    let name = job.name(UNIT);
    Ok(vec![(format!("{name}.service"), service), (timer(job), TIMER.to_owned())])
}

fn timer(job: &Job) -> String {
    format!("{}.timer", job.name(UNIT))
}

pub fn start(job: &Job) -> Result<()> {
    run("systemctl", &["--user", "daemon-reload"])?;
    run("systemctl", &["--user", "enable", "--now", &timer(job)])
}

pub fn stop(job: &Job) -> Result<()> {
    run("systemctl", &["--user", "disable", "--now", &timer(job)])
}
