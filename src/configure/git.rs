//! git: a credential helper in `~/.gitconfig` for each host. An empty helper first clears the list for that host, so
//! that git does not give the token to another helper (`store`, `cache`) to keep.
//!
//! git itself reads the file. We append the lines ourselves because `git config --unset` leaves a section or a blank
//! line behind.

use crate::configure::appended_lines;
use crate::configure::context::Context;
use crate::configure::entry::{Entry, EntryState, helper_state};
use crate::configure::program::{Program, without_profile};
use crate::configure::quote;
use crate::configure::setup::{COMMENT, ToolSetup};
use crate::configure::text_file::malformed;
use crate::error::{Error, Kind, Result};
use crate::values::Host;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub fn setup(context: &Context) -> ToolSetup {
    // The file that `git config --global` writes.
    let xdg = context.path_or("XDG_CONFIG_HOME", ".config").join("git/config");
    let home = context.home.join(".gitconfig");
    let default = if !home.exists() && xdg.exists() { xdg } else { home };
    let path = context.path_in("GIT_CONFIG_GLOBAL").unwrap_or(default);
    let program = &context.program;
    let helper = |host: &Host| -> Box<dyn Entry> {
        let url = format!("https://{host}");
        Box::new(GitHelper { path: path.clone(), program: program.clone(), url })
    };
    let entries = context.profile.settings.hosts.iter().map(helper).collect();
    let undo = format!("git{}", program.profile_option());
    ToolSetup { path, entries, link: None, note: None, undo }
}

struct GitHelper {
    path: PathBuf,
    program: Program,
    url: String,
}

impl GitHelper {
    /// Returns what git runs: an absolute path, or a shell command after `!` if the path needs quotes.
    fn value(&self) -> String {
        let quoted = self.program.quoted();
        let mark = if quoted == self.program.path { "" } else { "!" };
        format!("{mark}{quoted}{}", self.program.profile_option())
    }

    fn is_ours(&self, value: &str) -> bool {
        let program = without_profile(value.strip_prefix('!').unwrap_or(value));
        self.program.is(&quote::from_shell(program))
    }

    /// Returns the helpers for the host in this file, without the files that it includes.
    fn helpers(&self) -> Result<Vec<String>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut git = Command::new("git");
        git.args(["config", "--null", "--file"]).arg(&self.path).arg("--get-all");
        git.arg(format!("credential.{}.helper", self.url)).stdin(Stdio::null()).env("LC_ALL", "C");
        let output = git.output().map_err(|error| {
            Error::new(Kind::Usage, "cannot run git")
                .caused_by(error)
                .hint("install git, or add its folder to the PATH")
        })?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_unset = output.status.code() == Some(1) && stderr.is_empty();
        if output.status.success() || is_unset {
            let values = String::from_utf8_lossy(&output.stdout);
            let values = values.split('\0').filter(|value| !value.is_empty());
            return Ok(values.map(str::to_owned).collect());
        }
        let reason = stderr.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
        let line = stderr.split_once("bad config line ").and_then(|(_, rest)| rest.split_once(' '));
        let line = line.and_then(|(number, _)| number.parse().ok());
        Err(malformed(&self.path, line.unwrap_or(1), &format!("git cannot read it ({reason})")))
    }

    fn lines(&self, value: &str) -> Vec<String> {
        let profile_option = value.strip_prefix(without_profile(value)).unwrap_or_default();
        vec![
            format!("{COMMENT}git{profile_option}"),
            format!("[credential \"{}\"]", self.url),
            "\thelper =".to_owned(),
            format!("\thelper = {}", quote::git_config(value)),
        ]
    }
}

impl Entry for GitHelper {
    fn state(&self, _: Option<&str>) -> Result<EntryState> {
        let is_ours = |helper: &str| self.is_ours(helper);
        Ok(helper_state(&self.helpers()?, &self.value(), is_ours, &self.url))
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        appended_lines::refuse_continued_line(&self.path, text)?;
        Ok(appended_lines::append(text, &self.lines(&self.value())))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let ours = self.helpers()?.into_iter().filter(|helper| self.is_ours(helper));
        let lines: Vec<_> = ours.map(|helper| self.lines(&helper)).collect();
        appended_lines::remove(&self.path, text, &lines)
    }
}
