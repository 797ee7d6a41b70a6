//! What Cargo.toml has no words for: what `--version` says, and how the programs are linked.
//!
//! `--version` names the release, and in parentheses the commit and its date. Nothing of it is of the moment or the
//! machine of a build, so that two builds of one commit are alike.
#![expect(clippy::disallowed_methods, reason = "cargo speaks to a build script by the environment")]

use jiff::Timestamp;
use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    // Grows with each commit; HEAD itself changes with the branch alone.
    for file in [".git/HEAD", ".git/logs/HEAD"].into_iter().filter(|file| Path::new(file).exists())
    {
        println!("cargo:rerun-if-changed={file}");
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
    let commit = git("%h");
    let date = source_date().or_else(|| git("%cs"));
    let known: Vec<_> = [commit, date].into_iter().flatten().collect();
    if known.is_empty() { release.to_owned() } else { format!("{release} ({})", known.join(" ")) }
}

/// Of the last commit. Sources in a folder of another repository have none.
fn git(format: &str) -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let arguments = ["log", "-1", "--abbrev=9", &format!("--format={format}")];
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Of a build whose packager names it: <https://reproducible-builds.org/specs/source-date-epoch/>.
fn source_date() -> Option<String> {
    let seconds = env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()?;
    Some(Timestamp::from_second(seconds).ok()?.strftime("%F").to_string())
}
