//! What `configure` writes for Codex: a model provider with a profile that selects it, and the header of an MCP server.

use crate::configure::context::Context;
use crate::configure::environment::{session_variables, variables};
use crate::configure::lines::{Format, Lines, line, parse_toml};
use crate::configure::options::ConfigureOptions;
use crate::configure::program::one_line;
use crate::configure::setup::Setup;
use crate::configure::table_key::TableKey;
use crate::configure::text_file::TextFile;
use crate::error::{Error, Kind, Result};
use crate::quote;
use crate::storage::files::read;
use serde_json::json;
use std::path::Path;
use toml::Table;

/// Codex itself sends requests with a ChatGPT login to this URL. Only Codex's source documents it.
const DEFAULT_URL: &str = "https://chatgpt.com/backend-api/codex";

const ACCOUNT_HEADER: &str = "chatgpt-account-id";

/// A model provider with a command that prints its token, and a profile file that selects it. With the profile, Codex does
/// not load its own login, so it does not refresh it either. The same setting in config.toml would hide the login from
/// every program.
pub fn provider(context: &Context, options: Option<&ConfigureOptions>) -> Result<Setup> {
    let base_url = options.and_then(|options| options.base_url.as_deref()).unwrap_or(DEFAULT_URL);
    let home = context.path_or("CODEX_HOME", ".codex")?;
    let program = &context.program;
    let name = format!("codex-credential{}", program.suffix());
    let (config, profile) = (home.join("config.toml"), home.join(format!("{name}.config.toml")));
    let args = format!("token{}", program.profile_option());
    let headers = if options.is_some() { account_header(context)? } else { "{}".into() };
    let provider = vec![
        line(&format!("[model_providers.{name}]"), ""),
        line("name = ", &quote::json(&name)),
        line("base_url = ", &quote::json(base_url)),
        line("wire_api = \"responses\"", ""),
        line("http_headers = ", &headers),
        line(&format!("[model_providers.{name}.auth]"), ""),
        line("command = ", &quote::json(&program.path)),
        line("args = ", &json!(args.split(' ').collect::<Vec<_>>()).to_string()),
        line("timeout_ms = 5000", ""),
        line("refresh_interval_ms = 300000", ""),
    ];
    let selection = vec![
        line("model_provider = ", &quote::json(&name)),
        line("cli_auth_credentials_store = \"ephemeral\"", ""),
    ];
    let provider = Lines::entry(context, &config, provider, Format::TomlTables);
    let selection = Lines::entry(context, &profile, selection, Format::TomlKeys);
    Ok(Setup {
        files: vec![(config, vec![provider]), (profile, vec![selection])],
        note: Some(format!("to use it, run: codex -p {name}")),
        token_url: Some(base_url.to_owned()),
        ..Setup::default()
    })
}

/// Returns the headers of the provider as an inline table: the workspace, which Codex sends with its own login.
fn account_header(context: &Context) -> Result<String> {
    let login = context.profile.storage.load()?;
    let account_id = login.and_then(|login| login.account().account_id);
    Ok(account_id.map_or("{}".into(), |id| {
        format!("{{ {} = {} }}", quote::json(ACCOUNT_HEADER), quote::json(&id))
    }))
}

/// A command that prints the authorization header, in the table of an MCP server that `config.toml` has.
///
/// # Errors
/// `Configuration` if an entry is to be added and the server has no URL.
pub fn mcp_server(context: &Context, is_added: bool) -> Result<Setup> {
    let config = context.path_or("CODEX_HOME", ".codex")?.join("config.toml");
    let server = context.server.unwrap_or_default();
    let program = &context.program;
    let variables = if is_added { assignments(context)? } else { String::new() };
    let command = format!("{variables}{}", program.headers_command());
    let file = TextFile::read(&config)?;
    let table = parse_toml(&config, file.text().unwrap_or_default())?;
    let server_table = table.get("mcp_servers").and_then(|servers| servers.get(server));
    let token_url = server_table.and_then(|server| server.get("url")?.as_str().map(str::to_owned));
    if is_added && token_url.is_none() {
        let (config, word) = (config.display(), quote::shell(server));
        let message = format!("{config} has no MCP server {server:?} with a URL");
        return Err(Error::new(Kind::Configuration, message)
            .hint(format!("to add it, run: codex mcp add {word} --url URL")));
    }
    let program = program.clone();
    let key = TableKey {
        path: config.clone(),
        table: vec!["mcp_servers".to_owned(), server.to_owned()],
        key: "http_headers_helper".to_owned(),
        value: command,
        is_ours: Box::new(move |value| program.prints_headers(value)),
    };
    Ok(Setup { files: vec![(config, vec![Box::new(key)])], token_url, ..Setup::default() })
}

/// Returns what Codex does not pass on to the command, as assignments in the shell's language.
fn assignments(context: &Context) -> Result<String> {
    let home = context.path_in("CODEX_HOME")?;
    let home = home.map(|home| one_line(&home, "set CODEX_HOME to another folder")).transpose()?;
    let home = home.map(|home| ("CODEX_HOME", home)).into_iter();
    let variables = home.chain(variables(context)?).chain(session_variables(context)?);
    let assigned: Vec<String> =
        variables.map(|(name, value)| format!("{name}={} ", quote::shell(&value))).collect();
    Ok(assigned.concat())
}

/// Tells whether a model provider of ours for this profile names another workspace than that of the login.
///
/// # Errors
/// `Storage` if Codex's configuration cannot be read.
pub fn names_another_workspace(codex_home: &Path, profile: &str, account_id: &str) -> Result<bool> {
    let config = read(&codex_home.join("config.toml"))?.unwrap_or_default();
    let config: Table = toml::from_str(&String::from_utf8_lossy(&config)).unwrap_or_default();
    let names = ["codex-credential".to_owned(), format!("codex-credential-{profile}")];
    Ok(names.iter().any(|name| {
        let provider = config.get("model_providers").and_then(|providers| providers.get(name));
        let headers = provider.and_then(|provider| provider.get("http_headers"));
        let workspace = headers.and_then(|headers| headers.get(ACCOUNT_HEADER)?.as_str());
        workspace.is_some_and(|workspace| workspace != account_id)
    }))
}
