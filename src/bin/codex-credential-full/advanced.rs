//! `configure`, `unconfigure`, `move`, `import`, `audit`, `profile`, `fleet` and `completions`.

use crate::options::{self, deadline, selection, variable};
use crate::sign_in::CHANGE_WAIT;
use crate::stdio::{print, write};
use clap::CommandFactory;
use clap_complete::Shell;
use codex_credential::cli::options::{Audit, Import, Json};
use codex_credential::cli::{self, Cli, GlobalOptions};
use codex_credential::clock::Deadline;
use codex_credential::commands;
use codex_credential::commands::doctor::profile_test;
use codex_credential::commands::import;
use codex_credential::configure;
use codex_credential::configure::context::Context;
use codex_credential::configure::options::{ConfigureOptions, Options};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::profile::presets;
use codex_credential::profile::profile_table::ProfileTable;
use codex_credential::profile::{Profile, ProfileSelection, config, config_path};
use codex_credential::renewal::caller::PROMPT_WAIT;
use codex_credential::storage::StorageKind;
use codex_credential::ui;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

pub fn configure(global: &GlobalOptions, options: &ConfigureOptions) -> Result<()> {
    let (profile, is_named) = (options::profile(global)?, global.profile.is_some());
    let context = Context::new(&options.common, &profile, is_named, variable)?;
    configure::configure(options, &context)
}

pub fn unconfigure(global: &GlobalOptions, options: &Options) -> Result<()> {
    let (profile, is_named) = (options::profile(global)?, global.profile.is_some());
    let context = Context::new(options, &profile, is_named, variable)?;
    configure::unconfigure(options, &context)
}

pub fn move_login(global: &GlobalOptions, to: StorageKind) -> Result<()> {
    let deadline = deadline(global, CHANGE_WAIT);
    commands::move_login::move_login(&options::profile(global)?, to, &deadline)
}

pub fn import(global: &GlobalOptions, options: Import) -> Result<()> {
    let profile = options::profile(global)?;
    let file = options.file.unwrap_or_else(|| profile.codex_home().join("auth.json"));
    import::import(&profile, &file, options.remove, &deadline(global, CHANGE_WAIT))
}

pub fn audit(options: &Audit) -> Result<()> {
    print(&commands::audit::audit(options.since, options.json)?)
}

pub fn fleet_status(global: &GlobalOptions, options: &Json) -> Result<()> {
    print(&commands::fleet::status(&options::profile(global)?, options.json)?)
}

pub fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "codex-credential", &mut script);
    write(&script)
}

pub fn profile(global: &GlobalOptions, command: cli::Profile) -> Result<ExitCode> {
    // A name after the command overrides --profile.
    let select = |name: Option<String>| {
        let selection = selection(global);
        let profile = name.or_else(|| selection.profile.clone());
        options::select(global, ProfileSelection { profile, ..selection })
    };
    match command {
        cli::Profile::List(list) => {
            let config = config(variable, global.config.clone())?;
            print(&commands::profile::list(&config, list.json))?;
        }
        cli::Profile::Show(named) => {
            print(&commands::profile::show(&select(named.name)?, named.json))?;
        }
        cli::Profile::Add(added) => {
            let name = added.name.to_string();
            let is_tested = added.preset.is_some();
            add(global, *added)?;
            if is_tested {
                return test(global, &select(Some(name))?, false);
            }
        }
        cli::Profile::Test(named) => {
            return test(global, &select(named.name)?, named.json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn test(global: &GlobalOptions, profile: &Profile, as_json: bool) -> Result<ExitCode> {
    let report = profile_test::run(profile, &deadline(global, CHANGE_WAIT));
    let (text, code) = report.report(as_json, true);
    print(&text)?;
    Ok(ExitCode::from(code))
}

/// Returns what a preset cannot know: from its option, else from the user at a terminal.
fn preset_value(added: &cli::Add, name: &str, deadline: &Deadline) -> Result<String> {
    let option = match name {
        "domain" => added.domain.clone(),
        "tenant" => added.tenant.clone(),
        "realm" => added.realm.clone(),
        _ => None,
    };
    let asked = || {
        let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
        can_ask.then(|| ui::ask(&format!("{}:", name.replace('-', " ")), deadline)).flatten()
    };
    option.or_else(asked).ok_or_else(|| {
        let preset = added.preset.as_deref().unwrap_or_default();
        Error::new(Kind::Usage, format!("the preset {preset} needs --{name}"))
            .hint(format!("add --{name} VALUE, or run it at a terminal to be asked"))
    })
}

fn add(global: &GlobalOptions, mut added: cli::Add) -> Result<()> {
    if let Some(preset) = &added.preset {
        let deadline = deadline(global, PROMPT_WAIT);
        let value_of = |name: &str| preset_value(&added, name, &deadline);
        added.profile = presets::profile(preset, &added.profile, value_of)?;
    }
    let (path, _) = config_path(variable, global.config.clone())?;
    let path = path.ok_or_else(|| {
        Error::new(Kind::Usage, "there is no home directory for a configuration file")
            .hint("name a file with --config")
    })?;
    let account = global.account.as_ref().map(|account| account.parse()).transpose();
    let account = account.map_err(|why| Error::new(Kind::Usage, format!("--account: {why}")))?;
    let profile = ProfileTable { account, ..added.profile };
    commands::profile::add(&path, added.name, profile)
}
