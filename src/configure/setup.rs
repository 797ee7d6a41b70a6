//! The changes that `configure` and `unconfigure` make to a tool's file: all are planned and shown before the first is
//! made.

use crate::configure::entry::{Entry, EntryState};
use crate::configure::helper_link::HelperLink;
use crate::configure::text_file::TextFile;
use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// All that `configure` writes for one tool.
#[derive(Default)]
pub struct Setup {
    /// The tool's files, each with our entries in it.
    pub files: Vec<(PathBuf, Vec<Box<dyn Entry>>)>,
    pub link: Option<HelperLink>,
    /// What the user has to know or do next.
    pub note: Option<String>,
    /// The URL to which the tool will send the token, if the entry names it.
    pub token_url: Option<String>,
}

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

impl Setup {
    /// Plans to add the entries. `force` overrides entries that configure did not write.
    pub fn add(&self, force: bool) -> Result<Vec<Change<'_>>> {
        // No entry ever calls a link that is not there.
        let mut changes = Vec::new();
        if let Some(link) = &self.link {
            match link.state() {
                EntryState::Current => {}
                EntryState::Other(what) if !force => return Err(occupied(&link.path, &what)),
                _ => changes.push(Change::MakeLink(link)),
            }
        }
        for (path, entries) in &self.files {
            let file = TextFile::read(path)?;
            let (mut after, mut is_forced) = (file.text().map(str::to_owned), false);
            for entry in entries {
                let state = entry.state(after.as_deref())?;
                is_forced |= matches!(state, EntryState::Other(_));
                let rest = match state {
                    EntryState::Current => continue,
                    EntryState::Absent => after,
                    EntryState::Other(what) if !force => return Err(occupied(path, &what)),
                    _ => entry.remove(&after.unwrap_or_default())?,
                };
                after = Some(entry.add(rest.as_deref())?);
            }
            changes.extend(Change::file(file, after, is_forced));
        }
        Ok(changes)
    }

    /// Plans to remove the entries.
    pub fn remove(&self) -> Result<Vec<Change<'_>>> {
        let (mut changes, mut is_needed) = (Vec::new(), false);
        for (path, entries) in &self.files {
            let file = TextFile::read(path)?;
            let mut after = file.text().map(str::to_owned);
            for entry in entries {
                let Some(text) = &after else { break };
                if let EntryState::Current | EntryState::Outdated = entry.state(Some(text))? {
                    after = entry.remove(text)?;
                }
            }
            // The link stays while an entry for another host calls it.
            is_needed |= after.as_deref().is_some_and(HelperLink::is_used_by);
            changes.extend(Change::file(file, after, false));
        }
        if let Some(link) = self.link.as_ref().filter(|_| !is_needed)
            && let EntryState::Current | EntryState::Outdated = link.state()
        {
            changes.push(Change::RemoveLink(link));
        }
        Ok(changes)
    }
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

    /// Makes the change. Returns the path.
    pub fn make(&self) -> Result<&Path> {
        match self {
            Self::MakeLink(link) => link.make().map(|()| link.path.as_path()),
            Self::File { file, after, .. } => file.write_or_delete(after.as_deref()),
            Self::RemoveLink(link) => link.remove().map(|()| link.path.as_path()),
        }
    }
}

fn occupied(path: &Path, what: &str) -> Error {
    Error::new(Kind::Configuration, format!("{} {what}", path.display())).hint(
        "entries that configure did not write are left alone; to override this one, add --force",
    )
}
