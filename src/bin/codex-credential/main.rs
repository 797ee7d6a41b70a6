//! The answering program. A `get` that files alone can answer it answers; every other call it hands over, as it came, to
//! the full program beside it. It links no network, no keyring and no runtime: most calls pay for its start alone.

mod few_words;
mod hand_over;

use codex_credential::answer::docker;
use codex_credential::answer::get::at_once;
use codex_credential::answer::request::Request;
use codex_credential::clock::Deadline;
use codex_credential::hardening;
use codex_credential::profile::{Profile, ProfileSelection};
use codex_credential::stdin::TimedStdin;
use codex_credential::storage::audit_log::AuditLevel;
use few_words::Get;
use hand_over::{RecordedInput, hand_over};
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal, Write};
use std::process::{self, ExitCode};

/// musl's allocator makes a mapping for each size of a block.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hardening::protect_process();
    let mut begun = None;
    answer(&mut begun);
    hand_over(begun)
}

/// Returns only where the full program has to answer, or to say what is wrong; `begun` is what was read by then.
#[expect(clippy::disallowed_methods, reason = "this is main.rs")]
fn answer(begun: &mut Option<RecordedInput>) -> Option<()> {
    let mut args = std::env::args_os();
    let is_docker = args.next().is_some_and(|name| docker::is_name(&name));
    let get = if is_docker { Get::of_docker(args) } else { Get::of(args) }?;
    // Traces, and the audit of every answer, are written by the full program.
    if variable("CODEX_CREDENTIAL_TRACE").is_some_and(|file| !file.is_empty()) {
        return None;
    }
    if io::stdin().is_terminal() || io::stdout().is_terminal() {
        return None;
    }
    let deadline = Deadline::after(get.wait);
    let begun = begun.insert(RecordedInput::new(TimedStdin::new(deadline), deadline));
    let input = BufReader::with_capacity(1024, &mut *begun);
    let request =
        if is_docker { Request::read_docker(input) } else { Request::read(get.format, input) };
    let request = request.ok()?;
    let named = ProfileSelection {
        profile: get.profile,
        config: get.config,
        host: request.credential.host.clone(),
        ..ProfileSelection::default()
    };
    let profile = Profile::of(variable, named).ok().filter(|it| it.audit != AuditLevel::All)?;
    let found = at_once(&profile, &request.credential, get.min_validity).ok()??;
    let mut answer = Vec::with_capacity(found.login.access_token.expose().len() + 256);
    request.write(&mut answer, &found.login, None).ok()?;
    io::stdout().write_all(&answer).ok()?;
    // Nothing is wiped here: the system takes it all back at once.
    process::exit(0)
}

#[expect(clippy::disallowed_methods, reason = "the environment comes in here")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
