//! Starts the renewal process and reports its end.

use crate::error::{Error, Kind, Result};
use crate::output;
use crate::profile::Profile;
use crate::programs;
use crate::renewal::environment;
use crate::renewal::renewal_request::{Goal, RenewalRequest, Validity};
use crate::storage::lock::Lock;
use crate::threads;
use crate::trace;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// Starts this program as the renewal process. It holds `lock` as its standard input, and detaches itself from this process
/// (see [`detach`](crate::renewal::process::detach)). Calls `ended` when it has ended, with the error that it wrote to its
/// standard output as JSON, if any.
pub(super) fn start(
    profile: &Profile,
    goal: Goal,
    lock: Lock,
    ended: impl FnOnce(Option<Error>) + Send + 'static,
) -> Result<()> {
    // The thread starts first: without it, no process starts.
    let (sender, child) = mpsc::channel();
    threads::spawn(move || {
        if let Ok(child) = child.recv() {
            ended(wait_for_end(child));
        }
    })?;
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
    let _ = sender.send(child);
    Ok(())
}

/// Copies what the renewal process traces until it ends. Returns its error.
fn wait_for_end(mut child: Child) -> Option<Error> {
    if let Some(mut steps) = child.stderr.take() {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = steps.read(&mut buffer) {
            output::to_stderr_now(&buffer[..length]);
        }
    }
    let mut written = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        let _ = output.read_to_end(&mut written);
    }
    let _ = child.wait();
    let error: Option<Error> = serde_json::from_slice(&written).ok();
    trace::tell(|| trace::Event::RenewalEnded { failure: error.as_ref().map(|e| e.kind) });
    error
}
