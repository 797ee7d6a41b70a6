//! Creates the pictures of README.md. `.ci/pictures` installs the required programs and runs this.
//!
//! `race` measures the real Codex CLI, alone and with this program as its token command. `login` records a sign-in.
#![expect(clippy::disallowed_methods, reason = "reads REAL_CODEX and measures time")]

#[allow(dead_code, reason = "tests/codex uses the rest of it")]
#[path = "../../tests/codex/codex.rs"]
mod codex;
#[allow(dead_code, reason = "tests/it uses the rest of it")]
#[path = "../../tests/it/machine.rs"]
mod machine;

mod film;
mod login;
mod race;

use std::path::Path;

fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|named| named == name);
    if is_wanted("login") {
        write("login.svg", &login::film());
    }
    if is_wanted("race") {
        write("race.csv", &race::table());
    }
}

fn write(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::write(folder.join(name), text).expect("docs/pictures is writable");
}
