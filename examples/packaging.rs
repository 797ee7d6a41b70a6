//! Writes the man pages and shell completions for a package.
//!
//! `cargo run --example packaging -- FOLDER`

use clap::CommandFactory;
use clap_complete::Shell;
use codex_credential::cli::Cli;
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("packaging FOLDER");
    let (man, completions) =
        (Path::new(&folder).join("man"), Path::new(&folder).join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(Cli::command().version(env!("CARGO_PKG_VERSION")), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
        clap_complete::generate_to(shell, &mut Cli::command(), "codex-credential", &completions)?;
    }
    Ok(())
}
