//! pi: the provider openai-codex in `~/.pi/agent/models.json`, with a shell command that prints its key.

use crate::configure::context::Context;
use crate::configure::json_member::JsonMember;
use crate::configure::setup::ToolSetup;
use serde_json::json;

/// pi's own URL of this provider; pi requires a URL beside a key.
const BASE_URL: &str = "https://chatgpt.com/backend-api";

pub fn setup(context: &Context, base_url: Option<&str>) -> ToolSetup {
    let base_url = base_url.unwrap_or(BASE_URL);
    let path = context.path_or("PI_CODING_AGENT_DIR", ".pi/agent").join("models.json");
    let program = context.program.clone();
    let member = JsonMember {
        path: path.clone(),
        names: vec!["providers".into(), "openai-codex".into()],
        value: json!({ "baseUrl": base_url, "apiKey": format!("!{}", program.get_token()) }),
        is_ours: Box::new(move |value| {
            let command = value["apiKey"].as_str().and_then(|key| key.strip_prefix('!'));
            value.as_object().is_some_and(|members| members.len() == 2)
                && command.is_some_and(|command| program.gets_token(command))
        }),
        token_url: Some(base_url.to_owned()),
    };
    let note = "pi prefers its own login for openai-codex, which /logout in pi removes; then choose a model of \
                openai-codex";
    let (entries, undo) = (vec![Box::new(member) as _], "pi".into());
    ToolSetup { path, entries, link: None, note: Some(note.into()), undo }
}
