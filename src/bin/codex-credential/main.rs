//! The answering program. It answers a `get` or `token` from files. The full program beside it takes every other call.
//! This program links no network code, no keyring and no async runtime, because most calls cost only its start.

mod full_program;

use codex_credential::answer::docker;
use codex_credential::answer::get::get_cached;
use codex_credential::answer::request::Request;
use codex_credential::cli::simple_get::SimpleGet;
use codex_credential::cli::{DEFAULT_MIN_VALIDITY, DEFAULT_WAIT};
use codex_credential::clock::{self, Deadline};
use codex_credential::hardening;
use codex_credential::profile::{Profile, ProfileSelection};
use codex_credential::stdin::TimedStdin;
use codex_credential::storage::audit_log::AuditLevel;
use full_program::RecordedInput;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, IsTerminal, Write};
use std::process::{self, ExitCode};

/// musl's own allocator maps memory for each size of block.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hardening::protect_process();
    let mut input = None;
    answer(&mut input);
    full_program::run(input)
}

/// Answers and exits. Returns if the full program has to answer or to report an error; `input` holds what was read
/// until then.
#[expect(clippy::disallowed_methods, reason = "this is main.rs")]
fn answer(input: &mut Option<RecordedInput>) -> Option<()> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let (name, arguments) = arguments.split_first()?;
    let is_docker = docker::is_name(name);
    let get = recognize(arguments, is_docker)?;
    // The full program writes traces, and the audit log of every answer.
    if variable("CODEX_CREDENTIAL_TRACE").is_some_and(|file| !file.is_empty()) {
        return None;
    }
    if io::stdout().is_terminal() || (get.reads_request && io::stdin().is_terminal()) {
        return None;
    }
    let mut request = if get.reads_request {
        let deadline = Deadline::after(get.wait.unwrap_or(DEFAULT_WAIT));
        let input = input.insert(RecordedInput::new(TimedStdin::new(deadline), deadline));
        let input = BufReader::with_capacity(1024, input);
        if is_docker { Request::read_docker(input) } else { Request::read(get.format, input) }
            .ok()?
    } else {
        Request { format: get.format?, ..Request::default() }
    };
    let selection = ProfileSelection {
        profile: get.profile,
        host: request.credential.profile_host(),
        ..ProfileSelection::default()
    };
    let mut profile =
        Profile::of(variable, selection).ok().filter(|it| it.audit != AuditLevel::All)?;
    profile.token = get.token.unwrap_or(profile.token);
    request.answered_by(&profile);
    let min_validity = clock::seconds(get.min_validity.unwrap_or(DEFAULT_MIN_VALIDITY));
    let cached = get_cached(&profile, &request.credential, min_validity).ok()??;
    let exec_info = variable("KUBERNETES_EXEC_INFO");
    let exec_info = exec_info.as_deref().and_then(OsStr::to_str);
    let mut answer = Vec::with_capacity(cached.login.access_token.expose().len() + 256);
    request.write(&mut answer, &cached.login, exec_info).ok()?;
    io::stdout().write_all(&answer).ok()?;
    // The exit frees all memory at once. Nothing is wiped.
    process::exit(0)
}

fn recognize(arguments: &[OsString], is_docker: bool) -> Option<SimpleGet> {
    let arguments: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    let arguments = arguments?;
    // Docker's protocol has no options.
    if is_docker && arguments != ["get"] {
        return None;
    }
    SimpleGet::recognize(&arguments)
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
