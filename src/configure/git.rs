//! git: a credential helper in `~/.gitconfig` for each host. An empty helper first clears the list for that host, so
//! that git does not give the token to another helper (`store`, `cache`) to keep.
//!
//! git itself reads the file. We append the lines ourselves because `git config --unset` leaves a section or a blank
//! line behind.

use crate::configure::appended_lines;
use crate::configure::entry::{Entry, EntryState, edited};
use crate::configure::folders::Folders;
use crate::configure::program::{Program, without_profile};
use crate::configure::quote;
use crate::configure::setup::{ToolSetup, comment, undo_command};
use crate::configure::text_file::malformed;
use crate::error::{Error, Kind, Result};
use crate::values::Host;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn setup(program: &Program, hosts: &[Host], folders: &Folders) -> ToolSetup {
    // The file that `git config --global` writes.
    let xdg = folders.named_or("XDG_CONFIG_HOME", ".config").join("git/config");
    let home = folders.home.join(".gitconfig");
    let default = if !home.exists() && xdg.exists() { xdg } else { home };
    let path = folders.named("GIT_CONFIG_GLOBAL").unwrap_or(default);
    let helper = |host: &Host| -> Box<dyn Entry> {
        let url = format!("https://{host}");
        Box::new(GitHelper { path: path.clone(), program: program.clone(), url })
    };
    ToolSetup {
        entries: hosts.iter().map(helper).collect(),
        link: None,
        note: None,
        undo: undo_command(&format!("git{}", program.profile_option())),
    }
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
        let mark = if quoted == self.program.text() { "" } else { "!" };
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
        Err(self.unreadable(&stderr))
    }

    fn unreadable(&self, stderr: &str) -> Error {
        let reason = stderr.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
        let line = stderr.split_once("bad config line ").and_then(|(_, rest)| {
            let number = rest.split(' ').next()?;
            number.parse().ok()
        });
        let Some(line) = line else {
            let message = format!("git cannot read {}: {reason}", self.path.display());
            return Error::new(Kind::Configuration, message);
        };
        malformed(&self.path, line, &format!("git cannot read it ({reason})"))
    }

    fn lines(&self, value: &str) -> Result<[String; 4]> {
        let profile_option = value.strip_prefix(without_profile(value)).unwrap_or_default();
        Ok([
            comment(&undo_command(&format!("git{profile_option}"))),
            format!("[credential \"{}\"]", self.url),
            "\thelper =".to_owned(),
            format!("\thelper = {}", quote::git_config(value)?),
        ])
    }
}

impl Entry for GitHelper {
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let helpers = if text.is_some() { self.helpers()? } else { Vec::new() };
        let other = helpers.iter().find(|helper| !self.is_ours(helper));
        Ok(if helpers.contains(&self.value()) {
            EntryState::Current
        } else if helpers.iter().any(|helper| self.is_ours(helper)) {
            EntryState::Outdated
        } else if let Some(other) = other {
            EntryState::Other(format!("already has a helper for {}: {other}", self.url))
        } else {
            EntryState::Absent
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        appended_lines::refuse_continued_line(&self.path, text)?;
        Ok(appended_lines::append(text, &self.lines(&self.value())?))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let ours = self.helpers()?.into_iter().filter(|helper| self.is_ours(helper));
        let mut lines = ours.filter_map(|helper| self.lines(&helper).ok());
        let removed = lines.find_map(|lines| appended_lines::remove(text, &lines));
        // Keys that were added to our section would become keys of the section before it.
        removed
            .filter(|removed| !starts_with_key(removed.after))
            .map(|removed| removed.text)
            .ok_or_else(|| edited(&self.path, "the helper"))
    }
}

/// Tells whether the text begins with a key, after comments and blank lines.
fn starts_with_key(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    first.is_some_and(|line| !line.starts_with('['))
}
