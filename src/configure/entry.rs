//! The entry that configure writes into another tool's file.
//!
//! There is no record of what `configure` changed: an entry is found and removed by the text alone. A text of `None`
//! stands for no file.

use crate::error::Result;

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
pub trait Entry {
    fn state(&self, text: Option<&str>) -> Result<EntryState>;

    /// Adds our entry, which is absent, to `text`.
    fn add(&self, text: Option<&str>) -> Result<String>;

    /// Removes our entry from `text` and restores every byte from before [`Entry::add`].
    fn remove(&self, text: &str) -> Result<Option<String>>;
}
