//! Has other programs ask this one: writes an entry into their own files, and takes exactly that out again.

mod adapter;
mod bazel;
mod claude_code;
mod codex;
mod docker;
pub(super) mod file;
mod git;
mod json;
pub mod keepalive;
pub(super) mod lines;
mod pi;
mod program;
mod recipes;

use crate::configure::file::TextFile;
use crate::configure::program::Program;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::ui;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use recipes::Recipe;

/// What stands in a tool's file where our entry would.
enum State {
    Absent,
    /// What we would write.
    Current,
    /// Ours, of another place of the program or with other options.
    Outdated,
    /// Somebody else's, in the words that follow the file's name.
    Another(String),
}

/// One entry in one file. What it adds it can find and take out again from the text alone, so that nothing has to
/// be remembered between `configure` and `unconfigure`.
trait Entry {
    fn path(&self) -> &Path;

    /// # Errors
    /// `Configuration` when the text is not in the file's format.
    fn state(&self, text: Option<&str>) -> Result<State>;

    /// The text with our entry, where it is absent; `None` is no file.
    fn add(&self, text: Option<&str>) -> Result<String>;

    /// The text without our entry, where there is one; `None` is no file.
    fn remove(&self, text: &str) -> Result<Option<String>>;

    /// The text with our entry in the place of another's, and whether that one is lost by it.
    fn replace(&self, text: &str) -> Result<(String, bool)> {
        Ok((self.add(Some(text))?, false))
    }

    /// Where the tool will send the token, as the text that is added to says.
    fn sends_to(&self, _: Option<&str>) -> Result<Option<String>> {
        Ok(None)
    }

    fn is_executable(&self) -> bool {
        false
    }
}

/// The tools that have a file of their own to write to.
#[derive(Clone, Copy, Debug)]
pub enum Tool {
    Git,
    Codex,
    ClaudeCode,
    Pi,
    Docker,
    Bazel,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show, and write nothing.
    pub print: bool,
    /// Replace another's entry.
    pub force: bool,
    /// The name of the model provider.
    pub name: Option<String>,
    /// The URL of the model provider.
    pub base_url: Option<String>,
}

/// The person's own folders, as the tools find them.
struct Folders<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    home: PathBuf,
}

impl Folders<'_> {
    fn said(&self, variable: &str) -> Option<PathBuf> {
        (self.variable)(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// What a variable says, else a place in the home folder.
    fn of(&self, variable: &str, default: &str) -> PathBuf {
        self.said(variable).unwrap_or_else(|| self.home.join(default))
    }
}

/// A tool's entries, and what a person has to know beside them.
struct Setup {
    entries: Vec<Box<dyn Entry>>,
    note: Option<String>,
}

impl Setup {
    fn of(tool: Tool, options: &Options, folders: &Folders) -> Result<Self> {
        let program = Program::this()?;
        Ok(match tool {
            Tool::Git => git::setup(&program, folders),
            Tool::Codex => codex::setup(program, options, folders)?,
            Tool::ClaudeCode => claude_code::setup(program, folders),
            Tool::Pi => pi::setup(program, options, folders),
            Tool::Docker => docker::setup(&program, folders),
            Tool::Bazel => bazel::setup(&program, folders)?,
        })
    }
}

fn home() -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    home.ok_or_else(|| Error::new(Kind::Usage, "there is no home folder").hint("set HOME"))
}

/// # Errors
/// `Usage` when the token would leave for a host that it is not for; `Configuration` when a file cannot be understood,
/// or has another's entry where ours would be.
pub fn configure(
    tool: Tool,
    options: &Options,
    profile: &Profile,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<()> {
    options.base_url.iter().try_for_each(|url| is_served(profile, url))?;
    let setup = Setup::of(tool, options, &Folders { variable, home: home()? })?;
    // All are looked at before one is written.
    let mut changes = Vec::new();
    for entry in &setup.entries {
        let add = |text: Option<&str>| {
            entry.sends_to(text)?.iter().try_for_each(|url| is_served(profile, url))?;
            entry.add(text)
        };
        let file = TextFile::read(entry.path())?;
        let text = file.text();
        let (after, loses) = match entry.state(text)? {
            State::Current => continue,
            State::Absent => (add(text)?, false),
            State::Outdated => {
                let rest = text.map(|text| entry.remove(text)).transpose()?.flatten();
                (add(rest.as_deref())?, false)
            }
            State::Another(what) if !options.force => {
                let message = format!("{} {what}", entry.path().display());
                return Err(Error::new(Kind::Configuration, message).hint(
                    "it is left as it is; to put codex-credential in its place, add --force",
                ));
            }
            State::Another(_) => entry.replace(text.unwrap_or_default())?,
        };
        changes.push((file, after, loses, entry.is_executable()));
    }
    if changes.is_empty() {
        ui::say("already configured");
    }
    for (file, after, loses, is_executable) in changes {
        file.show(Some(&after), loses);
        if loses {
            ui::say("another's entry is replaced for good; unconfigure cannot bring it back");
        }
        if !options.print {
            file.write(&after, is_executable)?;
        }
    }
    setup.note.iter().for_each(|note| ui::say(note));
    Ok(())
}

/// # Errors
/// `Configuration` when a file cannot be understood, or has our entry in a form that `configure` does not write.
pub fn unconfigure(
    tool: Tool,
    options: &Options,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<()> {
    let setup = Setup::of(tool, options, &Folders { variable, home: home()? })?;
    let mut changes = Vec::new();
    for entry in &setup.entries {
        let file = TextFile::read(entry.path())?;
        let Some(text) = file.text() else { continue };
        if let State::Current | State::Outdated = entry.state(Some(text))? {
            let after = entry.remove(text)?;
            changes.push((file, after, entry.is_executable()));
        }
    }
    if changes.is_empty() {
        ui::say("not configured; nothing was changed");
    }
    for (file, after, is_executable) in changes {
        file.show(after.as_deref(), false);
        match after {
            _ if options.print => {}
            Some(after) => file.write(&after, is_executable)?,
            None => file.delete()?,
        }
    }
    Ok(())
}

fn is_served(profile: &Profile, url: &str) -> Result<()> {
    if profile.serves_url(url) {
        return Ok(());
    }
    let hosts = profile.hosts.join(", ");
    Err(Error::new(Kind::Usage, format!("the token is not for {url}")).hint(format!(
        "it goes to a host of its profile, over https ({hosts}), or to a program on this machine"
    )))
}

/// An entry of ours that `configure` did not write, or that was changed since.
fn by_hand(path: &Path, what: &str) -> Error {
    let message = format!("{} has {what} in a form that configure does not write", path.display());
    Error::new(Kind::Configuration, message).hint("it is left as it is; remove it by hand")
}
