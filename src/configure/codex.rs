//! Codex: a model provider in `$CODEX_HOME/config.toml`, with a command that prints its token.

use crate::configure::appended_lines::{self, edited};
use crate::configure::context::Context;
use crate::configure::entry::{Entry, EntryState};
use crate::configure::program::Program;
use crate::configure::quote;
use crate::configure::setup::{COMMENT, ToolSetup};
use crate::configure::text_file::{line_of, malformed};
use crate::error::{Error, Kind, Result};
use std::path::PathBuf;
use toml::{Table, Value};

const NAME: &str = "codex-credential";
const PROVIDERS: &str = "model_providers";

/// Codex itself sends requests with a ChatGPT login to this URL. Only Codex's source documents it.
const BASE_URL: &str = "https://chatgpt.com/backend-api/codex";

/// A provider with one of these keys gets its token another way, and Codex refuses both together.
const OTHER_AUTH: [&str; 4] =
    ["auth", "env_key", "experimental_bearer_token", "requires_openai_auth"];

pub fn setup(context: &Context, name: Option<&str>, base_url: Option<&str>) -> Result<ToolSetup> {
    let name = name.unwrap_or(NAME);
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_bare) {
        let message = format!("{name:?} is not a valid name for a model provider");
        return Err(Error::new(Kind::Usage, message).hint("use letters, digits, - and _"));
    }
    let path = context.path_or("CODEX_HOME", ".codex").join("config.toml");
    let provider = ModelProvider {
        path: path.clone(),
        name: name.to_owned(),
        base_url: base_url.map(str::to_owned),
        program: context.program.clone(),
    };
    let undo = provider.undo();
    let note = Some(format!("to use it, run: codex -c model_provider={name}"));
    Ok(ToolSetup { path, entries: vec![Box::new(provider)], link: None, note, undo })
}

pub struct ModelProvider {
    pub path: PathBuf,
    pub name: String,
    /// The URL that the user gave.
    pub base_url: Option<String>,
    pub program: Program,
}

impl ModelProvider {
    fn undo(&self) -> String {
        if self.name == NAME { "codex".to_owned() } else { format!("codex --name {}", self.name) }
    }

    /// Returns the provider's table in `text`, if there is one.
    fn find(&self, text: Option<&str>) -> Result<Option<Table>> {
        let text = text.unwrap_or_default();
        let mut config: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text.as_bytes(), span.start));
            malformed(&self.path, line, error.message())
        })?;
        let provider = config.get_mut(PROVIDERS).and_then(|all| all.get_mut(&self.name));
        Ok(provider.and_then(Value::as_table_mut).map(std::mem::take))
    }

    /// Returns the lines of the provider, or only those of its command if `base_url` is `None`.
    fn lines(&self, base_url: Option<&str>, command: &str, args: &[&str]) -> Vec<String> {
        let name = &self.name;
        let args: Vec<String> = args.iter().map(|arg| quote::json(arg)).collect();
        let mut lines = vec![format!("{COMMENT}{}", self.undo())];
        if let Some(base_url) = base_url {
            lines.extend([
                format!("[{PROVIDERS}.{name}]"),
                format!("name = {}", quote::json(name)),
                format!("base_url = {}", quote::json(base_url)),
                "wire_api = \"responses\"".to_owned(),
            ]);
        }
        lines.extend([
            format!("[{PROVIDERS}.{name}.auth]"),
            format!("command = {}", quote::json(command)),
            format!("args = [{}]", args.join(", ")),
            "timeout_ms = 5000".to_owned(),
            "refresh_interval_ms = 300000".to_owned(),
        ]);
        lines
    }

    /// Returns the URL that a new provider gets.
    fn new_base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE_URL)
    }
}

fn base_url(provider: &Table) -> Option<&str> {
    provider.get("base_url")?.as_str()
}

fn command(provider: &Table) -> Option<&str> {
    provider.get("auth")?.get("command")?.as_str()
}

fn args(provider: &Table) -> Vec<&str> {
    let args = provider.get("auth").and_then(|auth| auth.get("args")).and_then(Value::as_array);
    args.into_iter().flatten().filter_map(Value::as_str).collect()
}

impl Entry for ModelProvider {
    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let Some(provider) = self.find(text)? else { return Ok(EntryState::Absent) };
        let has_url = self.base_url.is_none() || self.base_url.as_deref() == base_url(&provider);
        let is_set =
            |key: &str| provider.get(key).is_some_and(|value| value != &Value::from(false));
        Ok(match command(&provider) {
            Some(command) if self.program.is(command) => {
                let is_current = command == self.program.path
                    && args(&provider) == self.program.get_token_args();
                if is_current && has_url { EntryState::Current } else { EntryState::Outdated }
            }
            // A provider without authentication gets our command.
            None if has_url && !OTHER_AUTH.into_iter().any(is_set) => EntryState::Absent,
            _ => EntryState::Other(format!("already has another model provider {}", self.name)),
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let base_url = if self.find(text)?.is_some() { None } else { Some(self.new_base_url()) };
        let lines = self.lines(base_url, &self.program.path, &self.program.get_token_args());
        let added = appended_lines::append(text, &lines);
        // TOML does not allow a [table] that extends an inline table.
        self.find(Some(&added)).map_err(|_| {
            let path = self.path.display();
            let message = format!("cannot add to the inline table {PROVIDERS} in {path}");
            let hint = format!("write it as [{PROVIDERS}.NAME] tables");
            Error::new(Kind::Configuration, message).hint(hint)
        })?;
        Ok(added)
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let mut provider = self.find(Some(text))?.unwrap_or_default();
        let lines = [base_url(&provider), None].map(|base_url| {
            self.lines(base_url, command(&provider).unwrap_or_default(), &args(&provider))
        });
        let rest = appended_lines::remove(&self.path, text, &lines)?;
        // A provider that remains must not miss a key: a table after our lines may belong to it.
        provider.remove("auth");
        match self.find(rest.as_deref())? {
            Some(remaining) if remaining != provider => Err(edited(&self.path)),
            _ => Ok(rest),
        }
    }

    fn make_room(&self, _: &str) -> Result<Option<String>> {
        let message = format!("configure did not write the model provider {}", self.name);
        Err(Error::new(Kind::Configuration, message).hint("choose another name with --name"))
    }

    fn token_url(&self, text: Option<&str>) -> Result<Option<String>> {
        Ok(match self.find(text)? {
            Some(provider) => base_url(&provider).map(str::to_owned),
            None => Some(self.new_base_url().to_owned()),
        })
    }
}
