//! The command line, as clap parses it.
#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

mod help;
pub mod options;
pub mod simple_get;

use crate::cli::options::{
    Audit, Doctor, Erase, Exec, Export, Get, Import, Json, Login, Status, Switch, Token,
};
use crate::clock::duration;
use crate::configure::options::{ConfigureOptions, Options};
use crate::profile::presets;
use crate::profile::profile_table::ProfileTable;
use crate::renewal::renewal_request::RenewalRequest;
use crate::storage::StorageKind;
use crate::ui::ErrorFormat;
use crate::values::ProfileName;
use clap::builder::PossibleValuesParser;
use clap::{Args, Command, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The release, and in parentheses its commit and date, as far as build.rs knows them.
pub const VERSION: &str = env!("CODEX_CREDENTIAL_VERSION");
/// How long a program waits without `--wait`. Codex kills its token command after 5 seconds.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(4);
/// How long a token must be valid without `--min-validity`.
pub const DEFAULT_MIN_VALIDITY: Duration = Duration::from_secs(5 * 60);

/// Share one Codex login between all programs of a user.
///
/// get, store and erase speak git's credential protocol: they read attributes from standard input.
#[derive(Debug, Parser)]
#[command(name = "codex-credential", bin_name = "codex-credential", version = VERSION, max_term_width = 100)]
#[command(help_template = help::template(&Operation::augment_subcommands(Command::new("help"))))]
#[command(after_help = help::MAIN)]
pub struct Cli {
    #[command(subcommand)]
    pub operation: Operation,

    #[command(flatten)]
    pub global: GlobalOptions,

    /// Report each step on standard error
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Which login is used, and how long the command waits.
#[derive(Clone, Debug, Default, Args)]
pub struct GlobalOptions {
    /// Use this profile [default: the profile of the requested host, else the default profile]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// Read this configuration file [default: config.toml in the user's configuration directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Use the login of this e-mail address, user id or workspace id [default: the latest login]
    #[arg(long, global = true, value_name = "NAME")]
    pub account: Option<String>,

    /// Wait at most this long, such as 4s or 2m [default: 4s; 15m for a user at a sign-in prompt; 2m for renew; 30s for
    /// logout, switch, move, import, doctor and profile test]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,

    /// Write errors to standard error in this format
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub error_format: ErrorFormat,
}

#[derive(Debug, Subcommand)]
pub enum Operation {
    /// Sign in, with a device code or a browser, even if a login is stored
    #[command(after_help = help::LOGIN)]
    Login(Login),
    /// Show who is signed in, where the login is stored, and a pending sign-in
    Status(Status),
    /// List the accounts that are signed in, or use another one
    Switch(Switch),
    /// Revoke the login at the server and remove it here
    Logout,
    /// Check configuration, storage, network and login; the output contains no secrets
    Doctor(Doctor),
    /// Print the access token
    #[command(after_help = help::TOKEN)]
    Token(Token),
    /// Run a command with the access token in its environment
    #[command(after_help = help::EXEC)]
    Exec(Exec),
    /// Write Codex's auth.json, without a refresh token, for a machine that cannot ask
    #[command(after_help = help::EXPORT)]
    Export(Export),
    /// Answer a credential request on standard input with a token
    #[command(after_help = help::GET)]
    Get(Get),
    /// Store a newer token that the caller has used
    Store,
    /// Mark the access token in the request as rejected, or remove the login
    Erase(Erase),
    /// Print the protocol extensions that get supports
    Capability,
    /// Set up another program, or a timer, to use codex-credential
    #[command(after_help = help::CONFIGURE)]
    Configure(ConfigureOptions),
    /// Undo configure
    Unconfigure(Options),
    /// Print a completion script for a shell
    Completions {
        /// Write the script for this shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Renew the login if it is due, without asking the user
    Renew {
        /// What the renewal process has to do, as JSON.
        #[arg(long, hide = true)]
        request: Option<RenewalRequest>,
    },
    /// Move the login to another storage
    Move {
        /// Move the login to this storage
        #[arg(long, value_enum, value_name = "STORAGE")]
        to: StorageKind,
    },
    /// Import the login of an auth.json file
    Import(Import),
    /// Show what was done with the logins, and for which program
    Audit(Audit),
    /// Manage profiles for other issuers
    #[command(subcommand)]
    Profile(Profile),
    /// Inspect a login that several hosts share
    #[command(subcommand)]
    Fleet(Fleet),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Subcommand)]
pub enum Fleet {
    /// Show who renewed the login, who renews it at present, and a pending sign-in
    Status(Json),
}

#[derive(Debug, Subcommand)]
pub enum Profile {
    /// List the profiles and mark the default one
    List(Json),
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

    /// Fill in the endpoints, scopes and habits of this vendor, and test the profile
    #[arg(long, value_name = "VENDOR", value_parser = PossibleValuesParser::new(presets::NAMES))]
    pub preset: Option<String>,

    /// The host name of your server, for a preset
    #[arg(long, value_name = "HOST", requires = "preset")]
    pub domain: Option<String>,

    /// The id of your tenant, for the preset entra
    #[arg(long, value_name = "ID", requires = "preset")]
    pub tenant: Option<String>,

    /// The name of your realm, for the preset keycloak
    #[arg(long, value_name = "NAME", requires = "preset")]
    pub realm: Option<String>,

    #[command(flatten)]
    pub profile: ProfileTable,
}
