//! Claude Code: `apiKeyHelper` in `~/.claude/settings.json`, a shell command that prints the key.

use crate::configure::folders::Folders;
use crate::configure::json_member::JsonMember;
use crate::configure::program::Program;
use crate::configure::setup::{ToolSetup, undo_command};

pub fn setup(program: Program, folders: &Folders) -> ToolSetup {
    let member = JsonMember {
        path: folders.named_or("CLAUDE_CONFIG_DIR", ".claude").join("settings.json"),
        names: vec!["apiKeyHelper".into()],
        value: program.get_token().into(),
        is_ours: Box::new(move |value| value.as_str().is_some_and(|text| program.gets_token(text))),
        token_url: None,
    };
    let note = "Claude Code sends the token to ANTHROPIC_BASE_URL: set it to a gateway that accepts a ChatGPT \
                token (Anthropic's own API does not)";
    ToolSetup {
        entries: vec![Box::new(member)],
        link: None,
        note: Some(note.into()),
        undo: undo_command("claude-code"),
    }
}
