//! Claude Code: `apiKeyHelper` in `~/.claude/settings.json`, a shell command that prints the key.

use crate::configure::context::Context;
use crate::configure::json_member::JsonMember;
use crate::configure::setup::ToolSetup;

pub fn setup(context: &Context) -> ToolSetup {
    let path = context.path_or("CLAUDE_CONFIG_DIR", ".claude").join("settings.json");
    let program = context.program.clone();
    let member = JsonMember {
        path: path.clone(),
        names: vec!["apiKeyHelper".into()],
        value: program.get_token().into(),
        is_ours: Box::new(move |value| value.as_str().is_some_and(|text| program.gets_token(text))),
        token_url: None,
    };
    let note = "Claude Code sends the token to ANTHROPIC_BASE_URL: set it to a gateway that accepts a ChatGPT \
                token (Anthropic's own API does not)";
    let (entries, undo) = (vec![Box::new(member) as _], "claude-code".into());
    ToolSetup { path, entries, link: None, note: Some(note.into()), undo }
}
