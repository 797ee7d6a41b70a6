//! `~/.docker/config.json`: the helper for one registry, by the name of an adapter that Docker finds on the PATH.

use crate::configure::adapter::Adapter;
use crate::configure::json::Member;
use crate::configure::program::Program;
use crate::configure::{Folders, Setup};

const NAME: &str = "docker-credential-codex-credential";

pub fn setup(program: &Program, folders: &Folders) -> Setup {
    let member = Member {
        path: folders.of("DOCKER_CONFIG", ".docker").join("config.json"),
        names: &["credHelpers", "chatgpt.com"],
        value: "codex-credential".into(),
        is_ours: Box::new(|_| false),
        sends_to: None,
    };
    let path = program.beside(NAME);
    let note = format!("Docker has to find {} on its PATH", path.display());
    let text = include_str!("../../helpers/docker/docker-credential-codex-credential");
    let adapter = Adapter { path, text };
    Setup { entries: vec![Box::new(adapter), Box::new(member)], note: Some(note) }
}
