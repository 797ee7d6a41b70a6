//! `profile list`, `show`, `add` and `test`.

use crate::options::{selection, variable};
use crate::stdio::print;
use codex_credential::cli::{self, GlobalOptions};
use codex_credential::commands::profile as profile_commands;
use codex_credential::commands::profile_test::ProfileTest;
use codex_credential::error::{Error, Kind, Result};
use codex_credential::profile::{self, Profile, ProfileSelection};
use std::process::ExitCode;

pub fn run(options: &GlobalOptions, command: cli::Profile) -> Result<ExitCode> {
    // A name after the command overrides --profile.
    let select = |name: Option<String>| {
        let selection = selection(options);
        let profile = name.or_else(|| selection.profile.clone());
        Profile::of(variable, ProfileSelection { profile, ..selection })
    };
    match command {
        cli::Profile::List(list) => {
            let config = profile::config(variable, options.config.clone())?;
            print(&profile_commands::list(&config, list.json))?;
        }
        cli::Profile::Show(named) => {
            print(&profile_commands::show(&select(named.name)?, named.json))?;
        }
        cli::Profile::Add(added) => add(options, *added)?,
        cli::Profile::Test(named) => {
            let (text, code) = ProfileTest::of(&select(named.name)?).report(named.json);
            print(&text)?;
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(options: &GlobalOptions, added: cli::Add) -> Result<()> {
    let (path, _) = profile::config_path(variable, options.config.clone());
    let path = path.ok_or_else(|| {
        Error::new(Kind::Usage, "there is no home directory for a configuration file")
            .hint("name a file with --config")
    })?;
    let account = options.account.as_ref().map(|account| account.parse()).transpose();
    let account = account.map_err(|why| Error::new(Kind::Usage, format!("--account: {why}")))?;
    let profile = profile::profile_table::ProfileTable { account, ..added.profile };
    profile_commands::add(&path, added.name, profile)
}
