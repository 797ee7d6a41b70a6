//! `~/.docker/config.json`: the helper for each host, by a name that Docker looks for on the PATH.

use crate::configure::entry::{Entry, Folders};
use crate::configure::json::Member;
use crate::configure::link::Link;
use crate::configure::program::Program;
use crate::configure::setup::Setup;
use crate::programs::{DOCKER_NAME, DOCKER_SUFFIX};
use crate::values::Host;

pub fn setup(program: &Program, hosts: &[Host], folders: &Folders) -> Setup {
    let path = folders.of("DOCKER_CONFIG", ".docker").join("config.json");
    let member = |host: &Host| -> Box<dyn Entry> {
        Box::new(Member {
            path: path.clone(),
            names: vec!["credHelpers".into(), host.to_string()],
            value: DOCKER_SUFFIX.into(),
            is_ours: Box::new(|_| false),
            sends_to: None,
        })
    };
    let link = Link::new(program, DOCKER_NAME);
    let note = format!("Docker has to find {} on its PATH", link.path.display());
    Setup {
        entries: hosts.iter().map(member).collect(),
        link: Some(link),
        note: (!program.is_on_path).then_some(note),
    }
}

/// Tells whether Docker calls the helper by what `config` says.
pub fn is_used_by(config: &str) -> bool {
    config.contains(&format!("\"{DOCKER_SUFFIX}\""))
}
