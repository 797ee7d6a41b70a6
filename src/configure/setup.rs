//! What `configure` writes for one tool.

use crate::configure::entry::Entry;
use crate::configure::helper_link::HelperLink;
use std::path::PathBuf;

/// All that `configure` writes for one tool.
pub struct ToolSetup {
    /// The tool's file.
    pub path: PathBuf,
    /// The entries in the file.
    pub entries: Vec<Box<dyn Entry>>,
    pub link: Option<HelperLink>,
    /// What the user has to know or do next.
    pub note: Option<String>,
    /// The arguments of `unconfigure` that undo it.
    pub undo: String,
}

/// The command that undoes `configure`, to be followed by [`ToolSetup::undo`].
pub const UNCONFIGURE: &str = "codex-credential unconfigure ";

/// The start of the comment above our lines, in files whose comments start with `#`.
pub const COMMENT: &str = "# by codex-credential; to undo: codex-credential unconfigure ";
