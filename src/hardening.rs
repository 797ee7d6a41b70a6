//! Keeps secrets out of core dumps and panic messages.

use crate::output;
use std::panic::{self, PanicHookInfo};

/// Disables core dumps. On Linux, also keeps other processes of the user from reading this one's memory. Panics show
/// only their location, because the message may quote a secret. Call this before a secret is read.
///
/// Child processes, and a command that replaces this process, start with the system's defaults.
pub fn protect_process() {
    // If the system refuses, answering is still more useful than failing.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    panic::set_hook(Box::new(|panic| {
        // Standard error may be closed; a second panic would abort.
        output::to_stderr(&message(panic));
    }));
}

fn message(panic: &PanicHookInfo) -> String {
    let location = panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
    format!(
        "codex-credential: internal error{location}\n\
         hint: please report this line; it contains no secrets\n"
    )
}
