//! The entry that configure writes into another tool's file.

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
///
/// There is no record of what `configure` changed: an entry is found and removed by the text alone. A text of `None`
/// stands for no file.
pub trait Entry {
    fn state(&self, text: Option<&str>) -> Result<EntryState>;

    /// Adds our entry, which is absent, to `text`.
    fn add(&self, text: Option<&str>) -> Result<String>;

    /// Removes our entry from `text` and restores every byte from before [`Entry::add`].
    fn remove(&self, text: &str) -> Result<Option<String>>;

    /// Prepares a text with an entry that configure did not write, for [`Entry::add`].
    fn make_room(&self, text: &str) -> Result<Option<String>> {
        Ok(Some(text.to_owned()))
    }

    /// Returns where the tool will send the token, if the entry or `text` determines the URL.
    fn token_url(&self, _text: Option<&str>) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Returns the state of an entry that is one of the `helpers` for `host`.
pub fn helper_state(
    helpers: &[String],
    current: &str,
    is_ours: impl Fn(&str) -> bool,
    host: &str,
) -> EntryState {
    let Some(first) = helpers.first() else { return EntryState::Absent };
    if helpers.iter().any(|helper| helper == current) {
        EntryState::Current
    } else if helpers.iter().any(|helper| is_ours(helper)) {
        EntryState::Outdated
    } else {
        EntryState::Other(format!("already has a helper for {host}: {first}"))
    }
}
