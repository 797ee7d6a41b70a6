//! `~/.pi/agent/models.json`: the command that pi runs for the key of its provider openai-codex, at each request.

use crate::configure::entry::{Folders, Options};
use crate::configure::json::Member;
use crate::configure::program::Program;
use crate::configure::setup::Setup;
use serde_json::{Value, json};

/// pi's own URL of this provider; it wants one beside a key.
const BASE_URL: &str = "https://chatgpt.com/backend-api";

pub fn setup(program: Program, options: &Options, folders: &Folders) -> Setup {
    let base_url = options.base_url.as_deref().unwrap_or(BASE_URL);
    let command = |value: &Value| value["apiKey"].as_str()?.strip_prefix('!').map(str::to_owned);
    let member = Member {
        path: folders.of("PI_CODING_AGENT_DIR", ".pi/agent").join("models.json"),
        names: vec!["providers".into(), "openai-codex".into()],
        value: json!({ "baseUrl": base_url, "apiKey": format!("!{}", program.get_token()) }),
        is_ours: Box::new(move |value| {
            value.as_object().is_some_and(|members| members.len() == 2)
                && command(value).is_some_and(|command| program.gets_token(&command))
        }),
        sends_to: Some(base_url.to_owned()),
    };
    let note = "a login of pi's own wins over this one: /logout in pi removes it; then choose a model of \
                openai-codex";
    Setup { entries: vec![Box::new(member)], link: None, note: Some(note.into()) }
}
