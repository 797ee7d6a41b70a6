//! `configure` and `unconfigure`.

use crate::options::{profile, variable};
use codex_credential::cli::GlobalOptions;
use codex_credential::configure;
use codex_credential::configure::context::Context;
use codex_credential::configure::options::{ConfigureOptions, Options};
use codex_credential::error::Result;

pub fn configure(global: &GlobalOptions, options: &ConfigureOptions) -> Result<()> {
    let (profile, is_named) = (profile(global)?, global.profile.is_some());
    let context = Context::new(options.common.tool, &profile, is_named, variable)?;
    configure::configure(options, &context)
}

pub fn unconfigure(global: &GlobalOptions, options: &Options) -> Result<()> {
    let (profile, is_named) = (profile(global)?, global.profile.is_some());
    let context = Context::new(options.tool, &profile, is_named, variable)?;
    configure::unconfigure(options, &context)
}
