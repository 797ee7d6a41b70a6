//! `~/.claude/settings.json`: the command that Claude Code has a shell run for a key.

use crate::configure::entry::Folders;
use crate::configure::json::Member;
use crate::configure::program::Program;
use crate::configure::setup::Setup;

pub fn setup(program: Program, folders: &Folders) -> Setup {
    let member = Member {
        path: folders.of("CLAUDE_CONFIG_DIR", ".claude").join("settings.json"),
        names: vec!["apiKeyHelper".into()],
        value: program.get_token().into(),
        is_ours: Box::new(move |value| value.as_str().is_some_and(|c| program.gets_token(c))),
        sends_to: None,
    };
    let note = "Claude Code sends the token to ANTHROPIC_BASE_URL: set it to a gateway that takes a \
                ChatGPT token; Anthropic's own API does not";
    Setup { entries: vec![Box::new(member)], link: None, note: Some(note.into()) }
}
