//! What may be said on the command line.
#![allow(clippy::doc_markdown, reason = "these comments are the help that people read")]

use crate::answer::formats::Format;
use crate::clock::{self, duration};
use crate::commands::exec::Variable;
use crate::commands::export::ExportFormat;
use crate::profile::table::ProfileTable;
use crate::renewal::request::RenewalRequest;
use crate::storage::StorageKind;
use crate::tokens::Fingerprint;
use crate::ui::{ErrorFormat, Interactive};
use crate::values::ProfileName;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The release, and in parentheses its commit and date, as far as build.rs knows them.
pub const VERSION: &str = env!("CODEX_CREDENTIAL_VERSION");
/// How long a program is kept waiting that says nothing of it: Codex kills its helper after 5 seconds.
pub const PROGRAMS_PATIENCE: Duration = Duration::from_secs(4);
/// How long a token is good for, at least, where nothing is said of it.
pub const MIN_VALIDITY: Duration = Duration::from_secs(5 * 60);

/// One Codex login for every process on the machine.
///
/// Speaks git's credential protocol: get, store and erase read attributes on standard input.
#[derive(Debug, Parser)]
#[command(name = "codex-credential", bin_name = "codex-credential", version = VERSION, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub operation: Operation,

    #[command(flatten)]
    pub whose: ProfileOptions,

    /// How errors are written to stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub error_format: ErrorFormat,

    /// Say on stderr what is done, step by step
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Which login is meant.
#[derive(Debug, Default, Args)]
pub struct ProfileOptions {
    /// The profile of the configuration [default: the one whose host is asked for, else codex]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// The configuration file [default: config.toml in codex-credential's own configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The login of this e-mail address, user id or workspace id [default: the last one that signed in]
    #[arg(long, global = true, value_name = "NAME")]
    pub account: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Operation {
    /// Print a token: from the cache, else by a renewal, else by a device login
    Get(Get),
    /// Keep a newer token that the caller vouches for
    Store(Wait),
    /// Mark a refused token; or, without one, remove the login here
    Erase(Erase),
    /// Print the protocol extensions that get understands
    Capability,
    /// Sign in with a device code, also when a login is stored
    Login(Login),
    /// Run a command with the token in its environment
    Exec(Exec),
    /// Show who is signed in, where the login is kept, and what is pending
    Status(Status),
    /// Show what was done with the logins, and for which program
    Audit(Audit),
    /// Look at and try all that a login depends on; safe to paste into an issue
    Doctor(Doctor),
    /// End the login at the server and remove it here
    Logout(Wait),
    /// Move the login to another storage
    Move(Move),
    /// Write the access token for a place that cannot ask
    Export(Export),
    /// Take the login of an auth.json
    Import(Import),
    /// The hosts that share the login
    #[command(subcommand)]
    Fleet(Fleet),
    /// Profiles: other issuers than Codex's
    #[command(subcommand)]
    Profile(Profile),
    /// Renew the login if that is due; asks nobody
    Renew(Renew),
    /// Set up another program or the system
    Configure(Configure),
    /// Take back what configure did
    Unconfigure(Unconfigure),
    /// Print completions for a shell
    Completions(Completions),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Default, Args)]
pub struct Wait {
    /// Wait this long at most, such as 4s or 2m [default: 15m where a person is asked, else 4s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// Which token is wanted, and what may be done for it.
#[derive(Debug, Default, Args)]
pub struct TokenOptions {
    #[command(flatten)]
    pub wait: Wait,

    /// Renew a token that is valid for less than this [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub min_validity: Option<Duration>,

    /// What is left of the waiting time, by the program that has begun to answer
    #[arg(long, value_parser = duration, hide = true)]
    pub remaining: Option<Duration>,

    /// Whether a person may be asked to sign in [default: auto; never where CI=true]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub interactive: Option<Interactive>,

    #[command(flatten)]
    pub extras: PromptOptions,

    /// The SHA-256 of an access token that was refused, in hex: it is not handed out again
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    pub rejected_sha256: Option<Fingerprint>,
}

#[derive(Debug, Default, Args)]
pub struct PromptOptions {
    /// At the prompt, show the URL as a QR code, too
    #[arg(long)]
    pub qr: bool,

    /// At the prompt, open the URL in a browser here
    #[arg(long)]
    pub open: bool,
}

#[derive(Debug, Args)]
pub struct Get {
    #[command(flatten)]
    pub wanted: TokenOptions,

    /// The form of the answer [default: git; JSON where the input is Bazel's]
    #[arg(long, value_enum)]
    pub format: Option<Format>,

    /// Print the token even on a terminal
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    pub wanted: TokenOptions,

    /// Set NAME to token, account_id, email, plan or expires_at [default: CODEX_ACCESS_TOKEN=token]
    #[arg(long, value_name = "NAME=WHAT")]
    pub env: Vec<Variable>,

    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Login {
    #[command(flatten)]
    pub wait: Wait,

    #[command(flatten)]
    pub extras: PromptOptions,

    /// Print what happens as JSON lines on standard output
    #[arg(long)]
    pub json: bool,

    /// End the sign-in that is pending
    #[arg(long, conflicts_with_all = ["json", "wait", "qr", "open"])]
    pub cancel: bool,
}

#[derive(Debug, Args)]
pub struct Erase {
    #[command(flatten)]
    pub wait: Wait,

    /// Remove the login without asking
    #[arg(long)]
    pub yes: bool,

    /// By hand: end the login at the server, too
    #[arg(long)]
    pub revoke: bool,
}

#[derive(Debug, Args)]
pub struct Move {
    #[command(flatten)]
    pub wait: Wait,

    /// Where the login goes
    #[arg(long, value_enum, value_name = "STORAGE")]
    pub to: StorageKind,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Audit {
    /// Only what happened since then: so long ago, such as 24h, or at an RFC 3339 date
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

    /// Show e-mail addresses whole
    #[arg(long)]
    pub show: bool,

    #[arg(long, hide = true)]
    pub try_lock: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub wanted: TokenOptions,

    /// Only what cannot renew the login; nothing else leaves
    #[arg(long, required = true)]
    pub access_only: bool,

    /// The form of the bundle
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,

    /// Print it even on a terminal
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    pub wait: Wait,

    /// The file [default: Codex's auth.json]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Remove the file without asking
    #[arg(long)]
    pub remove: bool,
}

#[derive(Debug, Subcommand)]
pub enum Fleet {
    /// Who renewed the login, who is at it now, and what is pending
    Status(Status),
}

#[derive(Debug, Subcommand)]
pub enum Profile {
    /// List the profiles and mark the default one
    List(Status),
    /// Show the keys of a profile
    Show(Named),
    /// Add a profile to the configuration file
    ///
    /// Each option sets a key of the profile, including --account.
    Add(Box<Add>),
    /// Ask the issuer for its endpoints and a device code, and check the storage
    Test(Named),
}

#[derive(Debug, Args)]
pub struct Named {
    /// Use this profile [default: that of --profile, else the default profile]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Add {
    /// Give the profile this name: lower-case letters, digits, "_" and "-"
    #[arg(value_name = "NAME")]
    pub name: ProfileName,

    #[command(flatten)]
    pub profile: ProfileTable,
}

#[derive(Debug, Args)]
pub struct Renew {
    #[command(flatten)]
    pub wait: Wait,

    /// What the renewal process is to do, as JSON
    #[arg(long, hide = true)]
    pub request: Option<RenewalRequest>,
}

#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Configure {
    #[command(flatten)]
    pub what: Unconfigure,

    /// Override an entry that configure did not write; unconfigure may be unable to restore it
    #[arg(long)]
    pub force: bool,

    /// codex, pi: the URL of the model provider [default: the one that a ChatGPT login is for]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Unconfigure {
    #[arg(value_enum)]
    pub tool: Tool,

    /// Only show what would be written
    #[arg(long)]
    pub print: bool,

    /// codex: the name of the model provider [default: codex-credential]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Tool {
    /// git, for the profile's hosts alone
    Git,
    /// Codex, as a model provider with a token command
    Codex,
    /// Claude Code's apiKeyHelper, for a gateway that takes the token
    ClaudeCode,
    /// pi's provider openai-codex
    Pi,
    /// Docker's credHelpers, for a registry at the profile's hosts
    Docker,
    /// Bazel's credential helper, for the profile's hosts
    Bazel,
    /// A timer that renews the login where nobody asks for days
    Keepalive,
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::from_hex(text).ok_or_else(|| "write 64 hex digits".into())
}

/// Seconds since the epoch.
fn since(text: &str) -> Result<i64, String> {
    if let Some(at) = clock::parse_rfc3339(text) {
        return Ok(at);
    }
    let ago = duration(text).map_err(|error| format!("{error}, or a date"))?;
    Ok(clock::now().saturating_sub(clock::seconds(ago)))
}
