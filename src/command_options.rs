//! The options that a command in a hint needs, so that it means the login that this process works with. The command is
//! completed when it is shown: a recorded error may be shown by a process that names the same login in another way.

use std::fmt::Write;
use std::sync::Mutex;

/// Each option with its value, quoted for a shell.
static OPTIONS: Mutex<Vec<(&str, String)>> = Mutex::new(Vec::new());

/// Sets the options, with values that are quoted for a shell.
pub fn set(options: Vec<(&'static str, String)>) {
    if let Ok(mut all) = OPTIONS.lock() {
        *all = options;
    }
}

/// Returns `command` with the options that it lacks.
pub fn completed(command: &str) -> String {
    let mut completed = command.to_owned();
    for (name, value) in OPTIONS.lock().iter().flat_map(|options| options.iter()) {
        if !command.contains(name) {
            write!(completed, " {name} {value}").expect("a string accepts every write");
        }
    }
    completed
}

/// Returns a hint with a completed command of this program.
pub fn hint(purpose: &str, command: &str) -> String {
    format!("{purpose}, run: {}", completed(command))
}
