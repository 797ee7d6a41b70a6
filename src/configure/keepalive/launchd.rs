//! A launchd agent, on macOS.

use crate::configure::folders::Folders;
use crate::configure::keepalive::job::{Job, run};
use crate::configure::quote;
use crate::error::Result;
use std::path::{Path, PathBuf};

const LABEL: &str = "codex-credential.keepalive";

pub fn folder(folders: &Folders) -> PathBuf {
    folders.home.join("Library/LaunchAgents")
}

/// Returns the name and text of the property list.
pub fn files(job: &Job) -> Result<Vec<(String, String)>> {
    let profile = job.program.profile().map(|name| ["--profile", name]);
    let words = [job.program.text(), "renew"].into_iter().chain(profile.into_iter().flatten());
    let words = words.map(|word| Ok(format!("<string>{}</string>", quote::xml(word)?)));
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <plist version=\"1.0\"><dict>\n\
         <key>Label</key><string>{}</string>\n\
         <key>ProgramArguments</key><array>{}</array>\n\
         <key>EnvironmentVariables</key><dict><key>CODEX_HOME</key><string>{}</string></dict>\n\
         <key>StartInterval</key><integer>21600</integer>\n\
         </dict></plist>\n",
        quote::xml(&job.name(LABEL))?,
        words.collect::<Result<String>>()?,
        quote::xml(&job.codex_home)?,
    );
    Ok(vec![(plist(job), text)])
}

fn plist(job: &Job) -> String {
    format!("{}.plist", job.name(LABEL))
}

pub fn start(job: &Job, folder: &Path) -> Result<()> {
    run("launchctl", &["load", "-w", &folder.join(plist(job)).to_string_lossy()])
}

pub fn stop(job: &Job, folder: &Path) -> Result<()> {
    run("launchctl", &["unload", "-w", &folder.join(plist(job)).to_string_lossy()])
}
