//! All that is written for one tool.

use crate::configure::entry::Entry;
use crate::configure::link::Link;

/// A tool's entries, and a note for the user.
pub struct Setup {
    pub entries: Vec<Box<dyn Entry>>,
    pub link: Option<Link>,
    pub note: Option<String>,
}
