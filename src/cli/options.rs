//! The options of the commands that use a login.
#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use crate::answer::formats::Format;
use crate::clock::{self, duration};
use crate::commands::exec::Variable;
use crate::login::TokenKind;
use crate::tokens::Fingerprint;
use crate::ui::Interactive;
use crate::ui::screen::PromptOptions;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Which access tokens are good enough, and how a new one may be obtained.
#[derive(Debug, Default, Args)]
pub struct TokenOptions {
    /// Renew a token that is valid for less than this [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub min_validity: Option<Duration>,

    /// Hand out this token [default: that of the profile, else access]
    #[arg(long, value_enum, value_name = "TOKEN")]
    pub token: Option<TokenKind>,

    /// What is left of the waiting time when the answering program hands over.
    #[arg(long, value_parser = duration, hide = true)]
    pub remaining: Option<Duration>,

    /// Ask the user to sign in: auto, always or never [default: auto; never if CI=true]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub interactive: Option<Interactive>,

    #[command(flatten)]
    pub prompt: PromptOptions,

    /// Reject the access token with this SHA-256 and never print it again
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    pub rejected_sha256: Option<Fingerprint>,
}

#[derive(Debug, Args)]
pub struct Get {
    #[command(flatten)]
    pub token: TokenOptions,

    /// Answer in this format [default: git; Bazel's JSON if the request is JSON]
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Print the token even on a terminal
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub struct Token {
    #[command(flatten)]
    pub token: TokenOptions,

    /// Print the token even on a terminal
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    pub token: TokenOptions,

    /// Set NAME to token, account_id, email, plan or expires_at [default: CODEX_CREDENTIAL_TOKEN=token]
    #[arg(long, value_name = "NAME=WHAT")]
    pub env: Vec<Variable>,

    /// Run this command with these arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub token: Token,

    /// Include the refresh token, after a confirmation: the copy can then renew the login
    #[arg(long)]
    pub full: bool,

    /// Export the refresh token without asking
    #[arg(long, requires = "full")]
    pub yes: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Login {
    /// Sign in with a browser on this machine instead of a device code
    #[arg(long)]
    pub browser: bool,

    /// Sign in with a browser elsewhere, and paste the address of its last page here
    #[arg(long, conflicts_with = "browser")]
    pub paste: bool,

    #[command(flatten)]
    pub prompt: PromptOptions,

    /// Print events as JSON lines on standard output
    #[arg(long)]
    pub json: bool,

    /// Cancel the pending sign-in
    #[arg(long, conflicts_with_all = ["json", "qr", "open", "copy", "browser", "paste"])]
    pub cancel: bool,
}

#[derive(Debug, Args)]
pub struct Erase {
    /// Remove the login without asking
    #[arg(long)]
    pub yes: bool,

    /// Also revoke the login at the server, if erase runs at a terminal or with --yes
    #[arg(long)]
    pub revoke: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    /// Ask the server whether it accepts the session
    #[arg(long)]
    pub check: bool,

    /// Ask ChatGPT for the limits of the account
    #[arg(long)]
    pub usage: bool,
}

#[derive(Debug, Args)]
pub struct Switch {
    /// Use the login of this e-mail address, user id or workspace id
    #[arg(value_name = "ACCOUNT")]
    pub account_name: Option<String>,

    /// Print the accounts as JSON
    #[arg(long, conflicts_with = "account_name")]
    pub json: bool,
}

/// The option of commands that report in text or JSON.
#[derive(Debug, Args)]
pub struct Json {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Audit {
    /// Show only entries since then: a duration ago, such as 24h, or an RFC 3339 date
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<i64>,

    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    /// Show e-mail addresses in full
    #[arg(long)]
    pub show: bool,

    #[arg(long, hide = true)]
    pub try_lock: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Import {
    /// Import this file [default: Codex's auth.json]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Remove the file, so that no other program renews its copy of the login
    #[arg(long)]
    pub remove: bool,
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::from_hex(text).ok_or_else(|| "write 64 hex digits".into())
}

/// Parses a moment, in seconds since the epoch.
fn since(text: &str) -> Result<i64, String> {
    if let Some(at) = clock::parse_rfc3339(text) {
        return Ok(at);
    }
    let ago = duration(text).map_err(|error| format!("{error}, or a date"))?;
    Ok(clock::now().saturating_sub(clock::seconds(ago)))
}
