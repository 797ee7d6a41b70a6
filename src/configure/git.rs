//! `~/.gitconfig`: a helper for each host. The list of helpers is emptied for that host first, so that no other
//! helper of git's (`store`, `cache`) is handed the token to keep.
//!
//! git itself reads the file, and says whether it is one. The lines are added here and not by `git config`, which
//! leaves a section, a blank or a newline behind when they are taken out again.

use crate::configure::entry::{Entry, Folders, State, by_hand};
use crate::configure::file::malformed;
use crate::configure::lines;
use crate::configure::program::{Program, option, unquoted, without_option};
use crate::configure::setup::Setup;
use crate::error::{Error, Kind, Result};
use crate::values::Host;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn setup(program: &Program, hosts: &[Host], folders: &Folders) -> Setup {
    let xdg = folders.of("XDG_CONFIG_HOME", ".config").join("git/config");
    // Where `git config --global` writes to.
    let home = folders.home.join(".gitconfig");
    let usual = if !home.exists() && xdg.exists() { xdg } else { home };
    let path = folders.said("GIT_CONFIG_GLOBAL").unwrap_or(usual);
    let helper = |host: &Host| -> Box<dyn Entry> {
        let url = format!("https://{host}");
        Box::new(Helper { path: path.clone(), program: program.clone(), url })
    };
    Setup { entries: hosts.iter().map(helper).collect(), link: None, note: None }
}

struct Helper {
    path: PathBuf,
    program: Program,
    url: String,
}

impl Helper {
    /// What git runs: an absolute path as it is; `!` and words of a shell where it has blanks or the like.
    fn value(&self) -> String {
        let quoted = self.program.quoted();
        let mark = if quoted == self.program.text() { "" } else { "!" };
        format!("{mark}{quoted}{}", option(self.program.profile()))
    }

    fn is_ours(&self, value: &str) -> bool {
        let program = without_option(value.strip_prefix('!').unwrap_or(value));
        self.program.is(&unquoted(program))
    }

    /// The helpers for the host in the file alone, without what it includes.
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
                .hint("install git, or put it on the PATH")
        })?;
        let says = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || output.status.code() == Some(1) && says.is_empty() {
            let values = String::from_utf8_lossy(&output.stdout);
            let values = values.split('\0').filter(|value| !value.is_empty());
            return Ok(values.map(str::to_owned).collect());
        }
        let number = |words: &str| words.split(' ').next()?.parse().ok();
        let line = says.split_once("bad config line ").and_then(|(_, words)| number(words));
        let what = says.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
        Err(line.map_or_else(
            || Error::new(Kind::Configuration, format!("{}: {what}", self.path.display())),
            |line| malformed(&self.path, line, &format!("git cannot read it ({what})")),
        ))
    }
}

impl Helper {
    fn block(&self, helper: &str) -> [String; 4] {
        let profile = helper.strip_prefix(without_option(helper)).unwrap_or_default();
        let is_plain = !helper.contains(['"', '\\', '#', ';']);
        let value = if is_plain {
            helper.to_owned()
        } else {
            format!("\"{}\"", helper.replace('\\', r"\\").replace('"', "\\\""))
        };
        [
            format!("# by codex-credential; to undo: codex-credential unconfigure git{profile}"),
            format!("[credential \"{}\"]", self.url),
            "\thelper =".to_owned(),
            format!("\thelper = {value}"),
        ]
    }
}

impl Entry for Helper {
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<State> {
        let helpers = if text.is_some() { self.helpers()? } else { Vec::new() };
        let another = helpers.iter().find(|helper| !self.is_ours(helper));
        Ok(if helpers.contains(&self.value()) {
            State::Current
        } else if helpers.iter().any(|helper| self.is_ours(helper)) {
            State::Outdated
        } else if let Some(another) = another {
            State::Another(format!("already has a helper for {}: {another}", self.url))
        } else {
            State::Absent
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        lines::append(&self.path, text, &self.block(&self.value()))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let ours = self.helpers()?.into_iter().filter(|helper| self.is_ours(helper));
        let mut cut = ours.filter_map(|helper| lines::cut(text, &self.block(&helper)));
        let rest = cut.next().filter(|rest| !rest.goes_on).map(|rest| rest.text);
        rest.ok_or_else(|| by_hand(&self.path, "our helper"))
    }
}
