//! `renew`, by hand and as the process that renews.

use crate::call::{asked, caller, profile, variable};
use codex_credential::audit;
use codex_credential::cli::{self, ProfileOptions};
use codex_credential::clock::{self, Deadline};
use codex_credential::commands;
use codex_credential::error::Result;
use codex_credential::profile::Profile;
use codex_credential::renewal;
use codex_credential::renewal::request::{Goal, RenewalRequest};
use codex_credential::ui::Interactive;
use codex_credential::ui::screen::{PromptOptions, Screen};
use std::io::{self, Write};
use std::time::Duration;

/// `renew` by hand sees its renewal end: whoever started it, such as a timer, may end what is left behind.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(2 * 60);

pub fn renew(whose: &ProfileOptions, options: &cli::Renew) -> Result<()> {
    if options.apart {
        return renew_apart(whose, options);
    }
    let screen = Screen::new(Interactive::Never, PromptOptions::default());
    let wait = cli::Wait { wait: options.wait.wait.or(Some(RENEWAL_PATIENCE)) };
    let profile = profile(whose, wait.wait)?;
    let deadline = Deadline::after(options.wait.wait.unwrap_or(RENEWAL_PATIENCE));
    let mut caller = caller(&wait, deadline, Interactive::Never, screen);
    commands::renew::renew(&profile, &mut caller)
}

/// The renewing process. Its failure goes to whoever started it, as JSON; nobody else hears it.
fn renew_apart(whose: &ProfileOptions, options: &cli::Renew) -> Result<()> {
    let goal = match options.min_validity {
        _ if options.sign_in => Goal::SignIn,
        Some(validity) => Goal::Token { min_validity: clock::seconds(validity) },
        None => Goal::Early,
    };
    let order = RenewalRequest { goal, may_sign_in: options.may_sign_in };
    if let Some(caller) = options.caller.as_deref().and_then(audit::Caller::of_argument) {
        audit::on_behalf_of(caller);
    }
    let of_order = |name: &str| match &options.codex_home {
        Some(home) if name == "CODEX_HOME" => Some(home.clone().into()),
        _ => variable(name),
    };
    let profile = Profile::of(of_order, asked(whose, Some(RENEWAL_PATIENCE)));
    let result = profile.and_then(|profile| renewal::run::renew(&profile, order));
    if let Err(error) = &result {
        let _ = writeln!(io::stdout(), "{}", serde_json::json!(error));
    }
    result
}
