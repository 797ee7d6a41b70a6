//! Bazel: a `--credential_helper` flag in `~/.bazelrc` for each host. Bazel calls the program with one argument, `get`.

use crate::configure::appended_lines;
use crate::configure::entry::{Entry, EntryState, edited};
use crate::configure::folders::Folders;
use crate::configure::program::Program;
use crate::configure::quote;
use crate::configure::setup::{COMMENT, ToolSetup, comment, undo_command};
use crate::error::Result;
use crate::values::Host;
use std::path::{Path, PathBuf};

pub fn setup(program: &Program, hosts: &[Host], folders: &Folders) -> ToolSetup {
    let undo = undo_command(&format!("bazel{}", program.profile_option()));
    let mut hosts: Vec<&str> = hosts.iter().map(|host| without_port(host)).collect();
    hosts.dedup();
    let flag = |host: &&str| -> Box<dyn Entry> {
        Box::new(HelperFlag {
            path: folders.home.join(".bazelrc"),
            program: program.clone(),
            host: (*host).to_owned(),
            comment: comment(&undo),
        })
    };
    ToolSetup { entries: hosts.iter().map(flag).collect(), link: None, note: None, undo }
}

/// Returns the name alone: Bazel ignores the port when it chooses a helper.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

struct HelperFlag {
    path: PathBuf,
    program: Program,
    host: String,
    comment: String,
}

impl HelperFlag {
    fn flag(&self) -> String {
        format!("--credential_helper={}=", self.host)
    }

    fn line(&self, helper: &str) -> Result<String> {
        Ok(format!("common {}", quote::bazelrc(&format!("{}{helper}", self.flag()))?))
    }

    /// Returns the helpers for the host.
    fn helpers<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let flag = self.flag();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let helpers = lines.filter_map(|line| Some(line.split_once(&flag)?.1));
        let is_end = |c: char| c.is_whitespace() || "'\"".contains(c);
        helpers.map(|helper| helper.trim_end_matches(is_end)).collect()
    }
}

impl Entry for HelperFlag {
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let helpers = self.helpers(text.unwrap_or_default());
        Ok(if helpers.contains(&self.program.text()) {
            EntryState::Current
        } else if helpers.iter().any(|helper| self.program.is(helper)) {
            EntryState::Outdated
        } else if let Some(other) = helpers.first() {
            EntryState::Other(format!("already has a helper for {}: {other}", self.host))
        } else {
            EntryState::Absent
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        appended_lines::refuse_continued_line(&self.path, text)?;
        let lines = [self.comment.clone(), self.line(self.program.text())?];
        Ok(appended_lines::append(text, &lines))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let lines: Vec<&str> = text.lines().collect();
        let is_ours = |flag: &str| {
            let mut helpers = self.helpers(flag).into_iter();
            helpers.any(|helper| {
                self.program.is(helper) && self.line(helper).is_ok_and(|line| line == flag)
            })
        };
        // The comment may name another profile that has the same host.
        let mut pairs = lines.windows(2);
        let ours = pairs.find(|pair| pair[0].starts_with(COMMENT) && is_ours(pair[1]));
        let ours = ours.map(|pair| [pair[0].to_owned(), pair[1].to_owned()]);
        let removed = ours.and_then(|lines| appended_lines::remove(text, &lines));
        removed.map(|removed| removed.text).ok_or_else(|| edited(&self.path, "the helper"))
    }
}
