//! What this process keeps to itself: its memory, and what a panic would tell of it.

use std::io::{Write, stderr};
use std::panic::{self, PanicHookInfo};

/// Leaves no core dump; on Linux no other process of this person reads the memory, either. A panic tells its place
/// alone, for its message may quote what was at hand. To be called before a secret is read.
///
/// A command that is run in this process's place, and every child, begins anew, as the system has it.
pub fn keep() {
    // Where the system refuses it there is nothing to be done, and an answer is worth more.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    panic::set_hook(Box::new(|panic| {
        // Whoever closed standard error is told nothing, and no second panic follows.
        let _ = stderr().write_all(words(panic).as_bytes());
    }));
}

fn words(panic: &PanicHookInfo) -> String {
    let login_dir =
        panic.location().map(|login_dir| format!(" at {login_dir}")).unwrap_or_default();
    format!(
        "codex-credential: internal error{login_dir}\n\
         hint: the login is as it was; please report this line, which says nothing of it\n"
    )
}
