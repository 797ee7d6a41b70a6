//! The credential helpers that git's or Bazel's configuration has for a host.

use crate::configure::text_file::malformed;
use crate::error::{Error, Kind, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns the helpers in git's file, without the files that it includes.
///
/// # Errors
/// `Configuration` when git cannot read the file.
pub fn git(path: &Path, host: &str) -> Result<Vec<String>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut git = Command::new("git");
    git.args(["config", "--null", "--file"]).arg(path).arg("--get-all");
    git.arg(format!("credential.https://{host}.helper"));
    let output = git.stdin(Stdio::null()).env("LC_ALL", "C").output().map_err(|error| {
        Error::new(Kind::Usage, "cannot run git")
            .caused_by(error)
            .hint("install git, or add its folder to the PATH")
    })?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let is_unset = output.status.code() == Some(1) && stderr.is_empty();
    if output.status.success() || is_unset {
        let values = String::from_utf8_lossy(&output.stdout);
        return Ok(values.split('\0').map(str::to_owned).collect());
    }
    let reason = stderr.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
    let line = stderr.split_once("bad config line ").and_then(|(_, rest)| rest.split_once(' '));
    let line = line.and_then(|(number, _)| number.parse().ok());
    Err(malformed(path, line.unwrap_or(1), &format!("git cannot read it ({reason})")))
}

/// Returns the helpers in the text of a `.bazelrc`.
pub fn bazel(text: &str, host: &str) -> Vec<String> {
    let flag = format!("--credential_helper={host}=");
    let text = text.replace("\\\r\n", "").replace("\\\n", "");
    let options = text.lines().flat_map(bazel_options);
    options.filter_map(|option| option.strip_prefix(&flag).map(str::to_owned)).collect()
}

/// Splits a line as Bazel does: a backslash makes the next character plain, also between quotes.
fn bazel_options(line: &str) -> Vec<String> {
    let (mut options, mut option, mut quote) = (Vec::new(), String::new(), None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', _) => option.extend(characters.next()),
            (_, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            ('#', None) => break,
            (' ' | '\t' | '\r', None) => options.push(std::mem::take(&mut option)),
            _ => option.push(c),
        }
    }
    options.push(option);
    options
}
