//! Codex: a model provider in `$CODEX_HOME/config.toml`, with a command that prints its token.

use crate::configure::appended_lines::{self, Removed};
use crate::configure::entry::{Entry, EntryState, edited};
use crate::configure::folders::Folders;
use crate::configure::program::Program;
use crate::configure::quote;
use crate::configure::setup::{Options, ToolSetup, comment, undo_command};
use crate::configure::text_file::{line_of, malformed};
use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const NAME: &str = "codex-credential";
const PROVIDERS: &str = "model_providers";

/// Codex itself sends requests with a ChatGPT login to this URL. Only Codex's source documents it.
const BASE_URL: &str = "https://chatgpt.com/backend-api/codex";

/// A provider with one of these keys gets its token another way, and Codex refuses both together.
const OTHER_AUTH: [&str; 3] = ["env_key", "experimental_bearer_token", "requires_openai_auth"];

pub fn setup(program: Program, options: &Options, folders: &Folders) -> Result<ToolSetup> {
    let name = options.name.as_deref().unwrap_or(NAME);
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_bare) {
        let message = format!("{name:?} is not a valid name for a model provider");
        return Err(Error::new(Kind::Usage, message).hint("use letters, digits, - and _"));
    }
    let with_name = if name == NAME { String::new() } else { format!(" --name {name}") };
    let undo = undo_command(&format!("codex{with_name}"));
    let provider = ModelProvider {
        path: folders.named_or("CODEX_HOME", ".codex").join("config.toml"),
        name: name.to_owned(),
        base_url: options.base_url.clone(),
        program,
        comment: comment(&undo),
    };
    let note = format!("to use it, run: codex -c model_provider={name}");
    Ok(ToolSetup { entries: vec![Box::new(provider)], link: None, note: Some(note), undo })
}

pub(super) struct ModelProvider {
    pub path: PathBuf,
    pub name: String,
    /// The URL that the user gave.
    pub base_url: Option<String>,
    pub program: Program,
    pub comment: String,
}

impl ModelProvider {
    fn parse(&self, text: &str) -> Result<Table> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text.as_bytes(), span.start));
            malformed(&self.path, line, error.message())
        })
    }

    /// Returns the provider's table in `text`, if there is one.
    fn find(&self, text: Option<&str>) -> Result<Option<Table>> {
        let Some(text) = text else { return Ok(None) };
        let config = self.parse(text)?;
        let provider = config.get(PROVIDERS).and_then(|providers| providers.get(&self.name));
        Ok(provider.and_then(Value::as_table).cloned())
    }

    /// Returns the lines of the provider, or only those of its command if `base_url` is `None`.
    fn lines(&self, base_url: Option<&str>, command: &str, args: &[&str]) -> Result<Vec<String>> {
        let name = &self.name;
        let args: Vec<String> = args.iter().map(|arg| quote::toml(arg)).collect::<Result<_>>()?;
        let mut lines = vec![self.comment.clone()];
        if let Some(base_url) = base_url {
            lines.extend([
                format!("[{PROVIDERS}.{name}]"),
                format!("name = {}", quote::toml(name)?),
                format!("base_url = {}", quote::toml(base_url)?),
                "wire_api = \"responses\"".to_owned(),
            ]);
        }
        lines.extend([
            format!("[{PROVIDERS}.{name}.auth]"),
            format!("command = {}", quote::toml(command)?),
            format!("args = [{}]", args.join(", ")),
            "timeout_ms = 5000".to_owned(),
            "refresh_interval_ms = 300000".to_owned(),
        ]);
        Ok(lines)
    }

    /// Returns the URL that a new provider gets.
    fn new_base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(BASE_URL)
    }

    /// Removes our lines, with or without those of the provider itself. Returns `None` if they are not in `text`, or if
    /// that would change anything else in `config`, the content of `text`.
    fn without<'t>(
        &self,
        text: &'t str,
        config: &Table,
        base_url: Option<&str>,
    ) -> Option<Removed<'t>> {
        let mut expected = config.clone();
        let providers = expected.get_mut(PROVIDERS)?.as_table_mut()?;
        let provider = providers.get(&self.name)?.as_table()?.clone();
        let lines = self.lines(base_url, command(&provider)?, &args(&provider)).ok()?;
        let removed = appended_lines::remove(text, &lines)?;
        if base_url.is_some() {
            providers.remove(&self.name);
        } else {
            providers.get_mut(&self.name)?.as_table_mut()?.remove("auth");
        }
        let left = self.parse(removed.text.as_deref().unwrap_or_default()).ok()?;
        (without_empty_tables(left) == without_empty_tables(expected)).then_some(removed)
    }
}

fn without_empty_tables(table: Table) -> Table {
    let entries = table.into_iter().filter_map(|(key, value)| match value {
        Value::Table(inner) => {
            let inner = without_empty_tables(inner);
            (!inner.is_empty()).then_some((key, Value::Table(inner)))
        }
        value => Some((key, value)),
    });
    entries.collect()
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
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<EntryState> {
        let Some(provider) = self.find(text)? else { return Ok(EntryState::Absent) };
        let other = |what: &str| {
            Ok(EntryState::Other(format!("has a model provider {} with {what}", self.name)))
        };
        let is_set = |key: &&&str| provider.get(**key).is_some_and(|v| v != &Value::from(false));
        if let Some(key) = OTHER_AUTH.iter().find(is_set) {
            return other(key);
        }
        let has_url = self.base_url.is_none() || self.base_url.as_deref() == base_url(&provider);
        match command(&provider) {
            Some(command) if self.program.is(command) => {
                let is_current = command == self.program.text()
                    && args(&provider) == self.program.get_token_args();
                Ok(if is_current && has_url { EntryState::Current } else { EntryState::Outdated })
            }
            None if !provider.contains_key("auth") && has_url => Ok(EntryState::Absent),
            None if !provider.contains_key("auth") => other("another base_url"),
            _ => other("another auth command"),
        }
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let base_url = if self.find(text)?.is_some() { None } else { Some(self.new_base_url()) };
        let lines = self.lines(base_url, self.program.text(), &self.program.get_token_args())?;
        let added = appended_lines::append(text, &lines);
        // TOML does not allow a [table] that extends an inline table.
        self.parse(&added).map_err(|_| {
            let path = self.path.display();
            let message = format!("cannot add to the inline table {PROVIDERS} in {path}");
            let hint = format!("write it as [{PROVIDERS}.NAME] tables");
            Error::new(Kind::Configuration, message).hint(hint)
        })?;
        Ok(added)
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let (config, provider) = (self.parse(text)?, self.find(Some(text))?.unwrap_or_default());
        let removed = self
            .without(text, &config, base_url(&provider))
            .or_else(|| self.without(text, &config, None));
        let removed = removed.map(|removed| removed.text);
        removed.ok_or_else(|| edited(&self.path, &format!("the model provider {}", self.name)))
    }

    fn force(&self, _: &str) -> Result<(String, bool)> {
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
