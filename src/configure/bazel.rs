//! `~/.bazelrc`: the helper for one host. Bazel gives it one argument, `get`, so that an adapter stands between.

use crate::configure::adapter::Adapter;
use crate::configure::lines;
use crate::configure::program::Program;
use crate::configure::{Entry, Folders, Setup, State, by_hand};
use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};

const NAME: &str = "codex-credential-bazel";
const FLAG: &str = "--credential_helper=chatgpt.com=";

pub fn setup(program: &Program, folders: &Folders) -> Result<Setup> {
    let path = program.beside(NAME);
    let Some(helper) = path.to_str().filter(|path| !path.contains(['\'', '\\', '%'])) else {
        let message = format!("{} cannot be written into a .bazelrc", path.display());
        return Err(Error::new(Kind::Usage, message).hint("install the program elsewhere"));
    };
    let line = Line { path: folders.home.join(".bazelrc"), helper: helper.to_owned() };
    let text = include_str!("../../helpers/bazel/codex-credential-bazel");
    let adapter = Adapter { path, text };
    Ok(Setup { entries: vec![Box::new(adapter), Box::new(line)], note: None })
}

struct Line {
    path: PathBuf,
    helper: String,
}

fn block(helper: &str) -> [String; 2] {
    let is_plain = !helper.contains(|c: char| c.is_whitespace() || "\"#".contains(c));
    let flag = format!("{FLAG}{helper}");
    [
        "# by codex-credential; to undo: codex-credential unconfigure bazel".to_owned(),
        format!("common {}", if is_plain { flag } else { format!("'{flag}'") }),
    ]
}

/// The helpers for our host.
fn helpers(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let flags = lines.filter_map(|line| line.split_once(FLAG));
    flags.map(|(_, helper)| {
        helper.trim_end_matches(|c: char| c.is_whitespace() || "'\"".contains(c))
    })
}

fn is_ours(helper: &str) -> bool {
    Path::new(helper).file_name().is_some_and(|name| name == NAME)
}

impl Entry for Line {
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<State> {
        let text = text.unwrap_or_default();
        Ok(if helpers(text).any(|helper| helper == self.helper) {
            State::Current
        } else if helpers(text).any(is_ours) {
            State::Outdated
        } else if let Some(another) = helpers(text).next() {
            State::Another(format!("already has a helper for chatgpt.com: {another}"))
        } else {
            State::Absent
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        lines::append(&self.path, text, &block(&self.helper))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let mut cut =
            helpers(text).filter(|h| is_ours(h)).filter_map(|h| lines::cut(text, &block(h)));
        cut.next().map(|rest| rest.text).ok_or_else(|| by_hand(&self.path, "our helper"))
    }
}
