//! `$CODEX_HOME/config.toml`: a model provider whose token comes from this program.

use crate::configure::entry::{Entry, Folders, Options, State, by_hand};
use crate::configure::file::{line_of, malformed};
use crate::configure::lines;
use crate::configure::program::Program;
use crate::configure::setup::Setup;
use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const NAME: &str = "codex-credential";

/// Where Codex itself sends requests with a ChatGPT login: in its source, and in no documentation.
const BASE_URL: &str = "https://chatgpt.com/backend-api/codex";

/// A provider that has one of these takes its token from elsewhere.
const RIVALS: [&str; 3] = ["env_key", "experimental_bearer_token", "requires_openai_auth"];

pub fn setup(program: Program, options: &Options, folders: &Folders) -> Result<Setup> {
    let name = options.name.as_deref().unwrap_or(NAME);
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_bare) {
        let message = format!("{name:?} is no name for a model provider");
        return Err(Error::new(Kind::Usage, message).hint("use letters, digits, - and _"));
    }
    let path = folders.of("CODEX_HOME", ".codex").join("config.toml");
    let base_url = options.base_url.clone();
    let provider = Provider { path, name: name.to_owned(), base_url, program };
    let note = format!("to use it: codex -c model_provider={name}");
    Ok(Setup { entries: vec![Box::new(provider)], link: None, note: Some(note) })
}

struct Provider {
    path: PathBuf,
    name: String,
    base_url: Option<String>,
    program: Program,
}

impl Provider {
    /// The provider's table in `text`, if there is one.
    fn table(&self, text: &str) -> Result<Option<Table>> {
        let table: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text.as_bytes(), span.start));
            malformed(&self.path, line, error.message())
        })?;
        let provider = table.get("model_providers").and_then(|all| all.get(&self.name));
        Ok(provider.and_then(Value::as_table).cloned())
    }

    /// Our command for the provider; with `base_url`, the provider, too.
    fn block(&self, base_url: Option<&str>, command: &str, args: &[&str]) -> Vec<String> {
        // A JSON string is one of TOML.
        let (name, quoted) = (&self.name, |text: &str| serde_json::Value::from(text).to_string());
        let mut block = vec![format!(
            "# by codex-credential; to undo: codex-credential unconfigure codex{}",
            if name == NAME { String::new() } else { format!(" --name {name}") }
        )];
        if let Some(base_url) = base_url {
            block.extend([
                format!("[model_providers.{name}]"),
                format!("name = {}", quoted(name)),
                format!("base_url = {}", quoted(base_url)),
                "wire_api = \"responses\"".to_owned(),
            ]);
        }
        block.extend([
            format!("[model_providers.{name}.auth]"),
            format!("command = {}", quoted(command)),
            format!(
                "args = [{}]",
                args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(", ")
            ),
            "timeout_ms = 5000".to_owned(),
            "refresh_interval_ms = 300000".to_owned(),
        ]);
        block
    }
}

fn command(provider: &Table) -> Option<&str> {
    provider.get("auth")?.get("command")?.as_str()
}

fn args(provider: &Table) -> Vec<&str> {
    let args = provider.get("auth").and_then(|auth| auth.get("args")).and_then(Value::as_array);
    args.into_iter().flatten().filter_map(Value::as_str).collect()
}

impl Entry for Provider {
    fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self, text: Option<&str>) -> Result<State> {
        let Some(provider) = text.map(|text| self.table(text)).transpose()?.flatten() else {
            return Ok(State::Absent);
        };
        let name = &self.name;
        let base_url = provider.get("base_url").and_then(Value::as_str);
        let is_asked_for = self.base_url.is_none() || self.base_url.as_deref() == base_url;
        let is_set = |key: &&&str| provider.get(**key).is_some_and(|v| v != &Value::from(false));
        if let Some(rival) = RIVALS.iter().find(is_set) {
            return Ok(State::Another(format!("has a model provider {name} with {rival}")));
        }
        Ok(match command(&provider) {
            Some(command)
                if command == self.program.text()
                    && args(&provider) == self.program.get_token_args()
                    && is_asked_for =>
            {
                State::Current
            }
            Some(command) if self.program.is(command) => State::Outdated,
            None if provider.get("auth").is_none() && is_asked_for => State::Absent,
            None if provider.get("auth").is_none() => {
                State::Another(format!("has a model provider {name} with another base_url"))
            }
            _ => State::Another(format!("has a model provider {name} with another auth command")),
        })
    }

    fn add(&self, text: Option<&str>) -> Result<String> {
        let provider = text.map(|text| self.table(text)).transpose()?.flatten();
        let base_url = self.base_url.as_deref().unwrap_or(BASE_URL);
        let base_url = if provider.is_some() { None } else { Some(base_url) };
        let added = lines::append(
            &self.path,
            text,
            &self.block(base_url, self.program.text(), &self.program.get_token_args()),
        )?;
        // A table that is written in one line cannot be gone on with below.
        match self.table(&added) {
            Ok(_) => Ok(added),
            Err(_) => Err(Error::new(
                Kind::Configuration,
                format!("{} has its model_providers in one line", self.path.display()),
            )
            .hint("write them as [model_providers.…] tables; nothing was changed")),
        }
    }

    fn sends_to(&self, text: Option<&str>) -> Result<Option<String>> {
        let provider = text.map(|text| self.table(text)).transpose()?.flatten();
        let base_url = match &provider {
            Some(provider) => provider.get("base_url").and_then(Value::as_str),
            None => Some(self.base_url.as_deref().unwrap_or(BASE_URL)),
        };
        Ok(base_url.map(str::to_owned))
    }

    fn remove(&self, text: &str) -> Result<Option<String>> {
        let provider = self.table(text)?.unwrap_or_default();
        let (command, args) = (command(&provider).unwrap_or_default(), args(&provider));
        let base_url = provider.get("base_url").and_then(Value::as_str);
        lines::cut(text, &self.block(base_url, command, &args))
            .or_else(|| lines::cut(text, &self.block(None, command, &args)))
            .filter(|rest| !rest.goes_on)
            .map(|rest| rest.text)
            .ok_or_else(|| by_hand(&self.path, &format!("the model provider {}", self.name)))
    }

    fn replace(&self, _: &str) -> Result<(String, bool)> {
        let message = format!("the model provider {} is another's", self.name);
        Err(Error::new(Kind::Configuration, message).hint("add ours beside it, with --name"))
    }
}
