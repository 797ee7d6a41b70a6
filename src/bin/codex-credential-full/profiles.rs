//! `profile list`, `show`, `add` and `test`.

use crate::call::{asked, variable};
use crate::streams::print;
use codex_credential::cli::{self, ProfileOptions};
use codex_credential::commands::{profile as profile_commands, profile_test};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::profile::{self, Profile, ProfileSelection};
use std::process::ExitCode;

pub fn run(whose: &ProfileOptions, command: cli::Profile) -> Result<ExitCode> {
    // The name beside the command goes before `--profile`.
    let of = |name: Option<String>| {
        let asked = asked(whose, None);
        Profile::of(
            variable,
            ProfileSelection { profile: name.or_else(|| asked.profile.clone()), ..asked },
        )
    };
    match command {
        cli::Profile::List(options) => {
            let config = profile::config(variable, whose.config.clone())?;
            print(&profile_commands::list(&config, options.json))?;
        }
        cli::Profile::Show(named) => print(&profile_commands::show(&of(named.name)?, named.json))?,
        cli::Profile::Add(new) => add(whose, *new)?,
        cli::Profile::Test(named) => {
            let (text, code) = profile_test::ProfileTest::of(&of(named.name)?).report(named.json);
            print(&text)?;
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(whose: &ProfileOptions, add: cli::Add) -> Result<()> {
    let (path, _) = profile::config_path(variable, whose.config.clone());
    let path = path.ok_or_else(|| {
        Error::new(Kind::Usage, "there is no home folder for a configuration file")
            .hint("name one with --config")
    })?;
    let entries = [
        ("issuer", Some(add.issuer)),
        ("client_id", Some(add.client_id)),
        ("client_secret_file", add.client_secret_file),
        ("scope", add.scope),
        ("audience", add.audience),
        ("resource", add.resource),
        ("storage", add.storage),
        ("cache", add.cache),
        ("account", whose.account.clone()),
        ("workspace", add.workspace),
        ("interactive", add.interactive),
        ("device_authorization_endpoint", add.device_authorization_endpoint),
        ("token_endpoint", add.token_endpoint),
        ("revocation_endpoint", add.revocation_endpoint),
        ("jwks_uri", add.jwks_uri),
        ("userinfo_endpoint", add.userinfo_endpoint),
    ];
    let entries = entries.into_iter().filter_map(|(key, value)| Some((key, value?)));
    profile_commands::add(&path, &add.name, entries, &add.hosts)
}
