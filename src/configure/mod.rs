//! Has other programs ask this one: writes an entry into their own files, and takes exactly that out again.

mod bazel;
mod claude_code;
mod codex;
mod docker;
pub mod entry;
pub(super) mod file;
mod git;
mod json;
pub mod keepalive;
pub(super) mod lines;
mod link;
mod pi;
mod program;
mod setup;

use crate::configure::entry::{Folders, Options, State, home, named_by_variable};
use crate::configure::file::TextFile;
use crate::configure::program::Program;
use crate::configure::setup::Setup;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::ui;
use std::ffi::OsString;
use std::path::Path;

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

impl Setup {
    fn of(tool: Tool, options: &Options, profile: &Profile, folders: &Folders) -> Result<Self> {
        // Where a request names its host, the host chooses the profile, unless the command names one.
        let asks_by_host = matches!(tool, Tool::Git | Tool::Docker | Tool::Bazel);
        let named = match &options.profile {
            None if !asks_by_host => named_by_variable(folders.variable),
            named => named.clone(),
        };
        let program = Program::this(folders.variable, named)?;
        let hosts = &profile.settings.hosts;
        if asks_by_host && hosts.is_empty() {
            let message = format!("the profile {} has no hosts", profile.name);
            return Err(Error::new(Kind::Configuration, message).hint(format!(
                "add hosts = [\"…\"] to [profiles.{}] in config.toml",
                profile.name
            )));
        }
        Ok(match tool {
            Tool::Git => git::setup(&program, hosts, folders),
            Tool::Codex => codex::setup(program, options, folders)?,
            Tool::ClaudeCode => claude_code::setup(program, folders),
            Tool::Pi => pi::setup(program, options, folders),
            Tool::Docker => docker::setup(&program, hosts, folders),
            Tool::Bazel => bazel::setup(&program, profile, hosts, folders)?,
        })
    }
}

/// A file before and after.
struct Change {
    file: TextFile,
    after: Option<String>,
    loses: bool,
}

impl Change {
    fn changes_something(&self) -> bool {
        self.file.text() != self.after.as_deref()
    }
}

/// The change of the file at `path`, begun by an earlier entry or by this one.
fn change_of<'a>(changes: &'a mut Vec<Change>, path: &Path) -> Result<&'a mut Change> {
    let begun = changes.iter().position(|change| change.file.path() == path);
    let at = begun.unwrap_or(changes.len());
    if begun.is_none() {
        let file = TextFile::read(path)?;
        let after = file.text().map(str::to_owned);
        changes.push(Change { file, after, loses: false });
    }
    Ok(&mut changes[at])
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
    let setup = Setup::of(tool, options, profile, &Folders { variable, home: home()? })?;
    // All are looked at before one is written.
    let mut changes = Vec::new();
    for entry in &setup.entries {
        let add = |text: Option<&str>| {
            entry.sends_to(text)?.iter().try_for_each(|url| is_served(profile, url))?;
            entry.add(text)
        };
        let change = change_of(&mut changes, entry.path())?;
        let text = change.after.as_deref();
        let after = match entry.state(text)? {
            State::Current => continue,
            State::Absent => add(text)?,
            State::Outdated => {
                let rest = text.map(|text| entry.remove(text)).transpose()?.flatten();
                add(rest.as_deref())?
            }
            State::Another(what) if !options.force => return Err(anothers(entry.path(), &what)),
            State::Another(_) => {
                let (after, loses) = entry.replace(text.unwrap_or_default())?;
                change.loses |= loses;
                after
            }
        };
        change.after = Some(after);
    }
    let link = match &setup.link {
        Some(link) => match link.state()? {
            State::Current => None,
            State::Another(what) if !options.force => return Err(anothers(&link.path, &what)),
            _ => Some(link),
        },
        None => None,
    };
    changes.retain(Change::changes_something);
    if changes.is_empty() && link.is_none() {
        ui::say("already configured");
    }
    if let Some(link) = link {
        link.show("+++");
        if !options.print {
            link.make()?;
        }
    }
    for Change { file, after, loses } in changes {
        file.show(after.as_deref(), loses);
        if loses {
            ui::say("another's entry is replaced for good; unconfigure cannot bring it back");
        }
        if !options.print {
            file.write(&after.unwrap_or_default())?;
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
    profile: &Profile,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<()> {
    let setup = Setup::of(tool, options, profile, &Folders { variable, home: home()? })?;
    let mut changes = Vec::new();
    for entry in &setup.entries {
        let change = change_of(&mut changes, entry.path())?;
        let Some(text) = change.after.as_deref() else { continue };
        if let State::Current | State::Outdated = entry.state(Some(text))? {
            change.after = entry.remove(text)?;
        }
    }
    // The link stays as long as an entry for another host needs it.
    let texts = changes.iter().filter_map(|change| change.after.as_deref());
    let is_needed = texts.into_iter().any(docker::is_used_by);
    let link = match &setup.link {
        Some(link) if !is_needed => {
            matches!(link.state()?, State::Current | State::Outdated).then_some(link)
        }
        _ => None,
    };
    changes.retain(Change::changes_something);
    if changes.is_empty() && link.is_none() {
        ui::say("not configured; nothing was changed");
    }
    for Change { file, after, .. } in changes {
        file.show(after.as_deref(), false);
        match after {
            _ if options.print => {}
            Some(after) => file.write(&after)?,
            None => file.delete()?,
        }
    }
    if let Some(link) = link {
        link.show("---");
        if !options.print {
            link.remove()?;
        }
    }
    Ok(())
}

fn anothers(path: &Path, what: &str) -> Error {
    Error::new(Kind::Configuration, format!("{} {what}", path.display()))
        .hint("it is left as it is; to put codex-credential in its place, add --force")
}

fn is_served(profile: &Profile, url: &str) -> Result<()> {
    if profile.serves_url(url) {
        return Ok(());
    }
    let hosts = profile.settings.hosts.join(", ");
    Err(Error::new(Kind::Usage, format!("the token is not for {url}")).hint(format!(
        "it goes to a host of its profile, over https ({hosts}), or to a program on this machine"
    )))
}
