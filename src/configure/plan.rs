//! The changes that `configure` or `unconfigure` makes: all of them are planned and shown before the first is made.

use crate::configure::docker;
use crate::configure::entry::EntryState;
use crate::configure::helper_link::HelperLink;
use crate::configure::setup::ToolSetup;
use crate::configure::text_file::TextFile;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use std::path::{Path, PathBuf};

pub enum Change<'a> {
    MakeLink(&'a HelperLink),
    File {
        file: TextFile,
        /// The text after the change; `None` removes the file.
        after: Option<String>,
        /// Whether an entry that configure did not write may be overwritten.
        is_forced: bool,
    },
    RemoveLink(&'a HelperLink),
}

/// Plans to add the entries of `setup`. The token is sent only to hosts of `profile`.
pub fn configure<'a>(
    setup: &'a ToolSetup,
    profile: &Profile,
    force: bool,
) -> Result<Vec<Change<'a>>> {
    let file = TextFile::read(&setup.path)?;
    let (mut after, mut is_forced) = (file.text().map(str::to_owned), false);
    for entry in &setup.entries {
        let text = after.as_deref();
        let rest = match entry.state(text)? {
            EntryState::Current => continue,
            EntryState::Absent => after,
            EntryState::Outdated => entry.remove(text.unwrap_or_default())?,
            EntryState::Other(what) if !force => return Err(occupied(&setup.path, &what)),
            EntryState::Other(_) => {
                is_forced = true;
                entry.make_room(text.unwrap_or_default())?
            }
        };
        if let Some(url) = entry.token_url(rest.as_deref())? {
            refuse_other_host(profile, &url)?;
        }
        after = Some(entry.add(rest.as_deref())?);
    }
    // No entry ever calls a link that is not there.
    let mut changes = Vec::new();
    if let Some(link) = &setup.link {
        match link.state() {
            EntryState::Current => {}
            EntryState::Other(what) if !force => return Err(occupied(&link.path, &what)),
            _ => changes.push(Change::MakeLink(link)),
        }
    }
    changes.extend(Change::file(file, after, is_forced));
    Ok(changes)
}

/// Plans to remove the entries of `setup`.
pub fn unconfigure(setup: &ToolSetup) -> Result<Vec<Change<'_>>> {
    let file = TextFile::read(&setup.path)?;
    let mut after = file.text().map(str::to_owned);
    for entry in &setup.entries {
        let Some(text) = &after else { break };
        if let EntryState::Current | EntryState::Outdated = entry.state(Some(text))? {
            after = entry.remove(text)?;
        }
    }
    // The link stays while an entry for another host calls it.
    let is_needed = after.as_deref().is_some_and(docker::is_used_by);
    let mut changes = Vec::from_iter(Change::file(file, after, false));
    if let Some(link) = setup.link.as_ref().filter(|_| !is_needed)
        && let EntryState::Current | EntryState::Outdated = link.state()
    {
        changes.push(Change::RemoveLink(link));
    }
    Ok(changes)
}

impl Change<'_> {
    fn file(file: TextFile, after: Option<String>, is_forced: bool) -> Option<Self> {
        (file.text() != after.as_deref()).then_some(Self::File { file, after, is_forced })
    }

    /// Shows the change on standard error.
    pub fn show(&self) {
        match self {
            Self::MakeLink(link) => link.show('+'),
            Self::File { file, after, is_forced } => file.show(after.as_deref(), *is_forced),
            Self::RemoveLink(link) => link.show('-'),
        }
    }

    fn make(&self) -> Result<&Path> {
        match self {
            Self::MakeLink(link) => link.make().map(|()| link.path.as_path()),
            Self::File { file, after, .. } => file.write_or_delete(after.as_deref()),
            Self::RemoveLink(link) => link.remove().map(|()| link.path.as_path()),
        }
    }
}

/// Makes the changes. Returns the paths.
///
/// # Errors
/// `Storage` when a file or link cannot be written; the message says whether anything was changed.
pub fn run(changes: &[Change]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for change in changes {
        let path = change.make().map_err(|error| with_changes(error, &paths))?;
        paths.push(path.to_owned());
    }
    Ok(paths)
}

/// Refuses a URL that is neither on a host of the profile, over https, nor on this machine.
fn refuse_other_host(profile: &Profile, url: &str) -> Result<()> {
    if profile.serves_url(url) {
        return Ok(());
    }
    let message = format!("the profile {} does not allow the token for {url}", profile.name);
    Err(Error::new(Kind::Usage, message).hint(format!(
        "use https and a host of the profile ({}), or a program on this machine",
        profile.settings.hosts.join(", ")
    )))
}

fn occupied(path: &Path, what: &str) -> Error {
    Error::new(Kind::Configuration, format!("{} {what}", path.display())).hint(
        "entries that configure did not write are left alone; to override this one, add --force",
    )
}

/// Adds to a failure what was changed before it.
pub fn with_changes(error: Error, changed: &[PathBuf]) -> Error {
    let changed = if changed.is_empty() { "nothing".to_owned() } else { list(changed) };
    error.map_text(|text| format!("{text}; {changed} was changed"))
}

pub fn unchanged(error: Error) -> Error {
    with_changes(error, &[])
}

pub fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" and ")
}
