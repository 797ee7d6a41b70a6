//! The changes that `configure` or `unconfigure` makes: all of them are planned and shown before the first is made.

use crate::configure::docker;
use crate::configure::entry::{Entry, EntryState};
use crate::configure::helper_link::HelperLink;
use crate::configure::setup::ToolSetup;
use crate::configure::text_file::TextFile;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::ui;
use std::path::{Path, PathBuf};

pub struct Plan<'a> {
    files: Vec<FileChange>,
    link: Option<LinkChange<'a>>,
}

/// A file before and after.
struct FileChange {
    file: TextFile,
    after: Option<String>,
    /// Whether an entry that configure did not write is overwritten.
    overwrites: bool,
}

enum LinkChange<'a> {
    Make(&'a HelperLink),
    Remove(&'a HelperLink),
}

impl<'a> Plan<'a> {
    /// Plans to add the entries of `setup`.
    ///
    /// # Errors
    /// `Usage` when the token would be sent to a host that `profile` does not name; `Configuration` when a file cannot
    /// be understood, or when it has an entry that configure did not write and `force` is not set.
    pub fn configure(setup: &'a ToolSetup, profile: &Profile, force: bool) -> Result<Self> {
        let mut files = Vec::new();
        for entry in &setup.entries {
            let change = change_of(&mut files, entry.path())?;
            let text = change.after.as_deref();
            let after = match entry.state(text)? {
                EntryState::Current => continue,
                EntryState::Absent => add(entry.as_ref(), profile, text)?,
                EntryState::Outdated => {
                    let rest = text.map(|text| entry.remove(text)).transpose()?.flatten();
                    add(entry.as_ref(), profile, rest.as_deref())?
                }
                EntryState::Other(what) if !force => return Err(occupied(entry.path(), &what)),
                EntryState::Other(_) => {
                    let (after, overwrites) = entry.force(text.unwrap_or_default())?;
                    change.overwrites |= overwrites;
                    after
                }
            };
            change.after = Some(after);
        }
        let mut make = None;
        if let Some(link) = &setup.link {
            match link.state()? {
                EntryState::Current => {}
                EntryState::Other(what) if !force => return Err(occupied(&link.path, &what)),
                _ => make = Some(LinkChange::Make(link)),
            }
        }
        Ok(Self::new(files, make))
    }

    /// Plans to remove the entries of `setup`.
    ///
    /// # Errors
    /// `Configuration` when a file cannot be understood, or when our entry in it was edited.
    pub fn unconfigure(setup: &'a ToolSetup) -> Result<Self> {
        let mut files = Vec::new();
        for entry in &setup.entries {
            let change = change_of(&mut files, entry.path())?;
            let Some(text) = change.after.as_deref() else { continue };
            if let EntryState::Current | EntryState::Outdated = entry.state(Some(text))? {
                change.after = entry.remove(text)?;
            }
        }
        // The link stays while an entry for another host calls it.
        let mut texts = files.iter().filter_map(|change| change.after.as_deref());
        let is_needed = texts.any(docker::is_used_by);
        let mut remove = None;
        if let Some(link) = setup.link.as_ref().filter(|_| !is_needed)
            && let EntryState::Current | EntryState::Outdated = link.state()?
        {
            remove = Some(LinkChange::Remove(link));
        }
        Ok(Self::new(files, remove))
    }

    fn new(mut files: Vec<FileChange>, link: Option<LinkChange<'a>>) -> Self {
        files.retain(|change| change.file.text() != change.after.as_deref());
        Self { files, link }
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.link.is_none()
    }

    /// Shows the changes on standard error.
    pub fn show(&self) {
        match &self.link {
            Some(LinkChange::Make(link)) => link.show("+++"),
            Some(LinkChange::Remove(link)) => link.show("---"),
            None => {}
        }
        for FileChange { file, after, overwrites } in &self.files {
            file.show(after.as_deref(), *overwrites);
            if *overwrites {
                ui::say("this overwrites the other entry; unconfigure cannot restore it");
            }
        }
    }

    /// Makes the changes: no entry ever calls a link that is not there. Returns the paths.
    ///
    /// # Errors
    /// `Storage` when a file or link cannot be written; the message says whether anything was changed.
    pub fn run(&self) -> Result<Vec<PathBuf>> {
        let mut changed = Vec::new();
        let mut record = |path: &Path, made: Result<()>| match made {
            Ok(()) => {
                changed.push(path.to_owned());
                Ok(())
            }
            Err(error) if changed.is_empty() => Err(nothing_was_changed(error)),
            Err(error) => {
                let paths = list(&changed);
                Err(error.map_text(|text| format!("{text}; {paths} was changed")))
            }
        };
        if let Some(LinkChange::Make(link)) = &self.link {
            record(&link.path, link.make())?;
        }
        for FileChange { file, after, .. } in &self.files {
            let made = match after {
                Some(after) => file.write(after),
                None => file.delete(),
            };
            record(file.path(), made)?;
        }
        if let Some(LinkChange::Remove(link)) = &self.link {
            record(&link.path, link.remove())?;
        }
        Ok(changed)
    }
}

/// Returns the change of the file at `path`, which another entry may have begun.
fn change_of<'a>(changes: &'a mut Vec<FileChange>, path: &Path) -> Result<&'a mut FileChange> {
    let begun = changes.iter().position(|change| change.file.path() == path);
    let index = begun.unwrap_or(changes.len());
    if begun.is_none() {
        let file = TextFile::read(path)?;
        let after = file.text().map(str::to_owned);
        changes.push(FileChange { file, after, overwrites: false });
    }
    Ok(&mut changes[index])
}

fn add(entry: &dyn Entry, profile: &Profile, text: Option<&str>) -> Result<String> {
    if let Some(url) = entry.token_url(text)? {
        refuse_other_host(profile, &url)?;
    }
    entry.add(text)
}

/// # Errors
/// `Usage` when `url` is neither on a host of the profile, over https, nor on this machine.
pub fn refuse_other_host(profile: &Profile, url: &str) -> Result<()> {
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

pub fn nothing_was_changed(error: Error) -> Error {
    error.map_text(|text| format!("{text}; nothing was changed"))
}

pub fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" and ")
}
