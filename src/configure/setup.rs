//! What `configure` writes for one tool.

use crate::configure::entry::Entry;
use crate::configure::helper_link::HelperLink;

/// The options of `configure` and `unconfigure`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show the changes and make none.
    pub print: bool,
    /// Replace entries that configure did not write.
    pub force: bool,
    /// The name of Codex's model provider.
    pub name: Option<String>,
    /// The URL of the model provider.
    pub base_url: Option<String>,
    /// The profile given by `--profile`.
    pub profile: Option<String>,
}

/// All that `configure` writes for one tool.
pub struct ToolSetup {
    pub entries: Vec<Box<dyn Entry>>,
    pub link: Option<HelperLink>,
    /// What the user has to know or do next.
    pub note: Option<String>,
    /// The command that undoes it.
    pub undo: String,
}

/// Returns the command that undoes `configure`, with the options that choose the entry.
pub fn undo_command(tool_and_options: &str) -> String {
    format!("codex-credential unconfigure {tool_and_options}")
}

/// The start of the comment above our lines, in files whose comments start with `#`.
pub const COMMENT: &str = "# by codex-credential; to undo: ";

pub fn comment(undo: &str) -> String {
    format!("{COMMENT}{undo}")
}
