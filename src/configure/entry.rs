//! The entry that configure writes into another tool's file.

use crate::error::{Error, Kind, Result};
use std::path::Path;

/// How our entry stands in a file.
pub enum EntryState {
    Absent,
    /// The entry is in the form that we would write.
    Current,
    /// The entry is ours, but names another path of the program or other options.
    Outdated,
    /// There is an entry that configure did not write. The text continues a sentence that starts with the path.
    Other(String),
}

/// One entry in one file.
///
/// There is no record of what `configure` changed: an entry is found and removed by the text alone.
pub trait Entry {
    fn path(&self) -> &Path;

    /// Returns the state of the entry in `text`; `None` stands for no file.
    ///
    /// # Errors
    /// `Configuration` when the text is not in the file's format.
    fn state(&self, text: Option<&str>) -> Result<EntryState>;

    /// Adds our entry, which is absent, to `text`; `None` stands for no file.
    fn add(&self, text: Option<&str>) -> Result<String>;

    /// Removes our entry from `text` and restores every byte from before [`Entry::add`]; `None` stands for no file.
    fn remove(&self, text: &str) -> Result<Option<String>>;

    /// Adds our entry to a text with an entry that configure did not write. Also tells whether that entry is
    /// overwritten.
    fn force(&self, text: &str) -> Result<(String, bool)> {
        Ok((self.add(Some(text))?, false))
    }

    /// Returns where the tool will send the token, if the entry or `text` determines the URL.
    fn token_url(&self, _text: Option<&str>) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Returns the error for an entry that calls us in a form that configure does not write.
pub fn edited(path: &Path, entry: &str) -> Error {
    let message =
        format!("cannot remove {entry} from {}: configure did not write this form", path.display());
    Error::new(Kind::Configuration, message).hint("remove it by hand")
}
