//! Docker: `credHelpers` in `~/.docker/config.json`, and a link to this program by the name that Docker calls.

use crate::configure::context::Context;
use crate::configure::entry::Entry;
use crate::configure::helper_link::HelperLink;
use crate::configure::json_member::JsonMember;
use crate::configure::setup::ToolSetup;
use crate::programs::DOCKER_SUFFIX;
use crate::values::Host;

pub fn setup(context: &Context) -> ToolSetup {
    let path = context.path_or("DOCKER_CONFIG", ".docker").join("config.json");
    let member = |host: &Host| -> Box<dyn Entry> {
        Box::new(JsonMember {
            path: path.clone(),
            names: vec!["credHelpers".into(), host.to_string()],
            value: DOCKER_SUFFIX.into(),
            is_ours: Box::new(|_| false),
            token_url: None,
        })
    };
    let entries = context.profile.settings.hosts.iter().map(member).collect();
    let link = HelperLink::new(&context.program);
    let folder = link.path.parent().unwrap_or(&link.path).display();
    let note = format!("Docker finds the link only if {folder} is on its PATH");
    let note = (!context.program.is_on_path).then_some(note);
    let undo = format!("docker{}", context.program.profile_option());
    ToolSetup { path, entries, link: Some(link), note, undo }
}

/// Tells whether Docker's configuration calls this program for any host.
pub fn is_used_by(config: &str) -> bool {
    config.contains(&format!("\"{DOCKER_SUFFIX}\""))
}
