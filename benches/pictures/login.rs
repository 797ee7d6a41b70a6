//! Records a sign-in with a device code on a terminal, at the test authorization server.

use crate::film::Film;
use crate::machine::{Machine, PATIENCE};
use std::process::Command;

/// The columns and rows of the terminal.
const SIZE: (u16, u16) = (76, 19);

pub fn film() -> String {
    let machine = Machine::new();
    let mut film = Film::start(shell(&machine), SIZE);
    film.types("codex-credential login\n");
    film.until("14 min 57 s left");
    let code = machine.issuer.wait_for_user_code(PATIENCE).expect("a user code");
    machine.issuer.approve(&code);
    film.until("signed in as");
    film.types("codex-credential status\n");
    film.until("renews at");
    film.until_prompt();
    film.to_svg()
}

/// Returns a shell in the environment of `machine`, with the program on its PATH.
fn shell(machine: &Machine) -> Command {
    let inside = machine.terminal_command("");
    let programs = std::path::Path::new(inside.get_program()).parent().expect("a folder");
    let mut command = Command::new("sh");
    command.env_clear();
    for (name, value) in inside.get_envs() {
        command.env(name, value.expect("each variable has a value"));
    }
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    command.env("PS1", "$ ").env("TERM", "xterm-256color").current_dir(machine.codex_home());
    command
}
