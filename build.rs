//! Sets the text of `--version` and the linker options of the programs.
//!
//! `--version` shows the release, and in parentheses the commit and its date. Nothing depends on the time or the machine
//! of a build, so that two builds of one commit are equal.
#![expect(clippy::disallowed_methods, reason = "cargo passes its input in the environment")]

use jiff::Timestamp;
use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    // HEAD changes with the branch, its log with each commit.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file])
            && Path::new(&path).exists()
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rustc-env=CODEX_CREDENTIAL_VERSION={}", version());

    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // Links libgcc's unwinder statically: loading libgcc_s.so at each start takes an eighth of a warm call.
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

fn version() -> String {
    let release = env!("CARGO_PKG_VERSION");
    let last_commit = |format| git(&["log", "-1", "--abbrev=9", &format!("--format={format}")]);
    let commit = last_commit("%h");
    let date = source_date().or_else(|| last_commit("%cs"));
    let known: Vec<_> = [commit, date].into_iter().flatten().collect();
    if known.is_empty() { release.to_owned() } else { format!("{release} ({})", known.join(" ")) }
}

/// Runs git, unless the sources lie in a folder of another repository.
fn git(arguments: &[&str]) -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Returns the date that a packager sets: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn source_date() -> Option<String> {
    let seconds = env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()?;
    Some(Timestamp::from_second(seconds).ok()?.strftime("%F").to_string())
}
