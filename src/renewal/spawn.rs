//! Starts the renewal process and reports its end.

use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::programs;
use crate::renewal::environment;
use crate::renewal::renewal_request::{Goal, RenewalRequest, Validity};
use crate::storage::lock::Lock;
use crate::trace;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;

/// Starts this program as the renewal process. It holds `lock` as its standard input, and detaches itself from this process
/// (see [`detach`](crate::renewal::process::detach)).
pub(super) fn start(profile: &Profile, goal: Goal, lock: Lock) -> Result<Child> {
    let cannot =
        |error| Error::new(Kind::Interrupted, "cannot start the renewal process").caused_by(error);
    let name = match &goal {
        Goal::Renew(Validity::AtLeast(_)) => "a token",
        Goal::Renew(Validity::NotDue) => "an early renewal",
        Goal::RecoverSignIn => "the recovery of a sign-in",
        Goal::SignIn { .. } => "a new sign-in",
    };
    let mut command = Command::new(programs::full().map_err(cannot)?);
    command.args(["renew", "--request"]).arg(RenewalRequest::new(profile, goal).to_argument());
    environment::reduce(&mut command);
    command.stdin(lock.into_stdin()).stdout(Stdio::piped()).stderr(Stdio::null());
    if trace::is_verbose() {
        command.arg("--verbose").stderr(Stdio::piped());
    }
    #[cfg(windows)]
    {
        const DETACHED_PROCESS: u32 = 0x8;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(
            &mut command,
            DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP,
        );
    }
    let child = command.spawn().map_err(cannot)?;
    trace::tell(|| trace::Event::RenewalStarted { process: child.id(), goal: name });
    Ok(child)
}

/// Calls `ended` when `child` has ended, with the error that it wrote to its standard output as JSON, if any.
pub(super) fn report(mut child: Child, ended: impl FnOnce(Option<Error>) + Send + 'static) {
    if let Some(mut steps) = child.stderr.take() {
        thread::spawn(move || io::copy(&mut steps, &mut io::stderr()));
    }
    thread::spawn(move || {
        let mut written = Vec::new();
        if let Some(mut output) = child.stdout.take() {
            let _ = output.read_to_end(&mut written);
        }
        let _ = child.wait();
        let error: Option<Error> = serde_json::from_slice(&written).ok();
        trace::tell(|| trace::Event::RenewalEnded { failure: error.as_ref().map(|e| e.kind) });
        ended(error);
    });
}
