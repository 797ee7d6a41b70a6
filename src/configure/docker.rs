//! Docker: `credHelpers` in `~/.docker/config.json`, and a link to this program by the name that Docker calls.

use crate::configure::entry::Entry;
use crate::configure::folders::Folders;
use crate::configure::helper_link::HelperLink;
use crate::configure::json_member::JsonMember;
use crate::configure::program::Program;
use crate::configure::setup::{ToolSetup, undo_command};
use crate::programs::{DOCKER_NAME, DOCKER_SUFFIX};
use crate::values::Host;

pub fn setup(program: &Program, hosts: &[Host], folders: &Folders) -> ToolSetup {
    let path = folders.named_or("DOCKER_CONFIG", ".docker").join("config.json");
    let member = |host: &Host| -> Box<dyn Entry> {
        Box::new(JsonMember {
            path: path.clone(),
            names: vec!["credHelpers".into(), host.to_string()],
            value: DOCKER_SUFFIX.into(),
            is_ours: Box::new(|_| false),
            token_url: None,
        })
    };
    let link = HelperLink::new(program, DOCKER_NAME);
    let folder = link.path.parent().unwrap_or(&link.path).display();
    let note = format!("Docker finds the link only if {folder} is on its PATH");
    ToolSetup {
        entries: hosts.iter().map(member).collect(),
        note: (!program.is_on_path).then_some(note),
        link: Some(link),
        undo: undo_command(&format!("docker{}", program.profile_option())),
    }
}

/// Tells whether Docker's configuration calls this program for any host.
pub fn is_used_by(config: &str) -> bool {
    config.contains(&format!("\"{DOCKER_SUFFIX}\""))
}
