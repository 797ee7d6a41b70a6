//! `~/.bazelrc`: the helper for each host. Bazel gives it one argument, `get`.

use crate::configure::entry::{Entry, Folders, State, by_hand};
use crate::configure::lines;
use crate::configure::program::{Program, option};
use crate::configure::setup::Setup;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::values::Host;
use std::path::{Path, PathBuf};

pub fn setup(
    program: &Program,
    profile: &Profile,
    hosts: &[Host],
    folders: &Folders,
) -> Result<Setup> {
    if program.text().contains(['\'', '\\', '%']) {
        let message = format!("{} cannot be written into a .bazelrc", program.text());
        return Err(Error::new(Kind::Usage, message).hint("install the program elsewhere"));
    }
    let mut names: Vec<&str> = hosts.iter().map(|host| without_port(host)).collect();
    names.dedup();
    let path = folders.home.join(".bazelrc");
    let line = |name: &str| -> Box<dyn Entry> {
        Box::new(Line {
            path: path.clone(),
            program: program.clone(),
            host: name.to_owned(),
            profile: profile.name.clone(),
        })
    };
    Ok(Setup { entries: names.into_iter().map(line).collect(), link: None, note: None })
}

/// Bazel chooses a helper by the host's name alone.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

struct Line {
    path: PathBuf,
    program: Program,
    host: String,
    profile: String,
}

impl Line {
    fn flag(&self) -> String {
        format!("--credential_helper={}=", self.host)
    }

    fn block(&self, helper: &str, profile: Option<&str>) -> [String; 2] {
        let is_plain = !helper.contains(|c: char| c.is_whitespace() || "\"#".contains(c));
        let flag = format!("{}{helper}", self.flag());
        [
            format!(
                "# by codex-credential; to undo: codex-credential unconfigure bazel{}",
                option(profile)
            ),
            format!("common {}", if is_plain { flag } else { format!("'{flag}'") }),
        ]
    }

    /// The helpers for the host.
    fn helpers<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let flag = self.flag();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let flags = lines.filter_map(|line| line.split_once(&flag));
        flags
            .map(|(_, helper)| {
                helper.trim_end_matches(|c: char| c.is_whitespace() || "'\"".contains(c))
            })
            .collect()
    }
}

impl Entry for Line {
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<State> {
        let helpers = self.helpers(text.unwrap_or_default());
        Ok(if helpers.contains(&self.program.text()) {
            State::Current
        } else if helpers.iter().any(|helper| self.program.is(helper)) {
            State::Outdated
        } else if let Some(another) = helpers.first() {
            State::Another(format!("already has a helper for {}: {another}", self.host))
        } else {
            State::Absent
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        lines::append(&self.path, text, &self.block(self.program.text(), self.program.profile()))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let helpers = self.helpers(text).into_iter().filter(|helper| self.program.is(helper));
        let blocks = helpers.flat_map(|helper| {
            [None, Some(self.profile.as_str())].map(|profile| self.block(helper, profile))
        });
        let mut cut = blocks.filter_map(|block| lines::cut(text, &block));
        cut.next().map(|rest| rest.text).ok_or_else(|| by_hand(&self.path, "our helper"))
    }
}
