//! Bazel: a `--credential_helper` flag in `~/.bazelrc` for each host. Bazel calls the program with one argument, `get`.

use crate::configure::appended_lines;
use crate::configure::context::Context;
use crate::configure::entry::{Entry, EntryState, helper_state};
use crate::configure::program::Program;
use crate::configure::quote;
use crate::configure::setup::{COMMENT, ToolSetup};
use crate::error::Result;
use std::path::PathBuf;

pub fn setup(context: &Context) -> ToolSetup {
    let (path, program) = (context.home.join(".bazelrc"), &context.program);
    let undo = format!("bazel{}", program.profile_option());
    let hosts = context.profile.settings.hosts.iter();
    // Bazel ignores the port when it chooses a helper.
    let mut names: Vec<&str> = hosts
        .map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        })
        .collect();
    names.dedup();
    let flag = |name: &&str| -> Box<dyn Entry> {
        let (program, comment) = (program.clone(), format!("{COMMENT}{undo}"));
        Box::new(HelperFlag { path: path.clone(), program, host: (*name).to_owned(), comment })
    };
    let entries = names.iter().map(flag).collect();
    ToolSetup { path, entries, link: None, note: None, undo }
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
    fn helpers(&self, text: &str) -> Vec<String> {
        let flag = self.flag();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let helpers = lines.filter_map(|line| Some(line.split_once(&flag)?.1));
        let is_end = |c: char| c.is_whitespace() || "'\"".contains(c);
        helpers.map(|helper| helper.trim_end_matches(is_end).to_owned()).collect()
    }
}

impl Entry for HelperFlag {
    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let helpers = self.helpers(text.unwrap_or_default());
        let is_ours = |helper: &str| self.program.is(helper);
        Ok(helper_state(&helpers, &self.program.path, is_ours, &self.host))
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        appended_lines::refuse_continued_line(&self.path, text)?;
        let lines = [self.comment.clone(), self.line(&self.program.path)?];
        Ok(appended_lines::append(text, &lines))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let lines: Vec<&str> = text.lines().collect();
        let is_ours = |line: &str| {
            let mut helpers = self.helpers(line).into_iter();
            helpers.any(|h| self.program.is(&h) && self.line(&h).is_ok_and(|ours| ours == line))
        };
        // The comment may name another profile that has the same host.
        let pairs = lines.windows(2);
        let ours = pairs.filter(|pair| pair[0].starts_with(COMMENT) && is_ours(pair[1]));
        let ours: Vec<_> =
            ours.map(|pair| pair.iter().map(ToString::to_string).collect()).collect();
        appended_lines::remove(&self.path, text, &ours)
    }
}
