//! What `configure` writes for each tool. To add a tool: a value in `options::Tool`, and a function here. The pages in
//! helpers/ say what each tool does with it.

use crate::configure::codex;
use crate::configure::context::Context;
use crate::configure::entry::Entry;
use crate::configure::helper_link::HelperLink;
use crate::configure::json_member::JsonMember;
use crate::configure::lines::{Format, Lines, line};
use crate::configure::options::{ConfigureOptions, Tool};
use crate::configure::setup::Setup;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::programs::DOCKER_SUFFIX;
use crate::quote;
use serde_json::{Value, json};

/// pi's own URL of the provider openai-codex; pi requires a URL beside a key.
const PI_URL: &str = "https://chatgpt.com/backend-api";

/// Returns what `configure` writes with these options, or, without options, what `unconfigure` looks for.
///
/// # Errors
/// `Configuration` if the profile has no hosts for a tool that needs them.
pub fn setup(context: &Context, options: Option<&ConfigureOptions>) -> Result<Setup> {
    let base_url = options.and_then(|options| options.base_url.as_deref());
    let profile = context.profile;
    if context.tool.asks_by_host() && profile.settings.hosts.is_empty() {
        let message = format!("the profile {} has no hosts", profile.name);
        return Err(Error::new(Kind::Configuration, message)
            .hint(format!("add hosts = [\"…\"] to [profiles.{}] in config.toml", profile.name)));
    }
    match context.tool {
        Tool::Git => git(context),
        Tool::Codex => codex::provider(context, options),
        Tool::CodexMcp => codex::mcp_server(context, options.is_some()),
        Tool::ClaudeCode => claude_code(context),
        Tool::Pi => pi(context, base_url.unwrap_or(PI_URL)),
        Tool::Docker => docker(context),
        Tool::Bazel => Ok(bazel(context)),
        Tool::Keepalive => unreachable!("keepalive has no tool's file"),
    }
}

/// A credential helper for each host. An empty helper first clears the list for that host, so that git does not give
/// the token to another helper (`store`, `cache`) to keep.
fn git(context: &Context) -> Result<Setup> {
    // The file that `git config --global` writes.
    let xdg = context.xdg_config().join("git/config");
    let home = context.home.join(".gitconfig");
    let default = if !home.exists() && xdg.exists() { xdg } else { home };
    let path = context.path_in("GIT_CONFIG_GLOBAL")?.unwrap_or(default);
    let program = &context.program;
    // git runs an absolute path, or a shell command after `!` if the path needs quotes.
    let quoted = quote::shell(&program.path);
    let mark = if quoted == program.path { "" } else { "!" };
    let helper = format!("{mark}{quoted}{}", program.profile_option());
    let value = quote::git_config(&helper);
    let entries = context.profile.settings.hosts.iter().map(|host| {
        let section = format!("[credential \"https://{host}\"]");
        let lines = vec![line(&section, ""), line("\thelper =", ""), line("\thelper = ", &value)];
        let (host, helper) = (host.to_string(), helper.clone());
        Lines::entry(context, &path, lines, Format::Git { host, helper })
    });
    let entries = entries.collect();
    Ok(Setup { files: vec![(path, entries)], ..Setup::default() })
}

/// `apiKeyHelper`, a shell command that prints the key.
fn claude_code(context: &Context) -> Result<Setup> {
    let path = context.path_or("CLAUDE_CONFIG_DIR", ".claude")?.join("settings.json");
    let program = context.program.clone();
    let member = JsonMember {
        path: path.clone(),
        names: vec!["apiKeyHelper".into()],
        value: program.token_command().into(),
        is_ours: Box::new(move |value| {
            value.as_str().is_some_and(|text| program.prints_token(text))
        }),
    };
    let note = "Claude Code sends the token to ANTHROPIC_BASE_URL: set it to a gateway that accepts a ChatGPT \
                token (Anthropic's own API does not)";
    let (entries, note): (Vec<Box<dyn Entry>>, _) = (vec![Box::new(member)], Some(note.into()));
    Ok(Setup { files: vec![(path, entries)], note, ..Setup::default() })
}

/// The provider openai-codex, with a shell command that prints its key.
fn pi(context: &Context, base_url: &str) -> Result<Setup> {
    let path = context.path_or("PI_CODING_AGENT_DIR", ".pi/agent")?.join("models.json");
    let program = context.program.clone();
    let member = JsonMember {
        path: path.clone(),
        names: vec!["providers".into(), "openai-codex".into()],
        value: json!({ "baseUrl": base_url, "apiKey": format!("!{}", program.token_command()) }),
        is_ours: Box::new(move |value| {
            let command = value["apiKey"].as_str().and_then(|key| key.strip_prefix('!'));
            value.as_object().is_some_and(|members| members.len() == 2)
                && command.is_some_and(|command| program.prints_token(command))
        }),
    };
    let note = "pi prefers its own login for openai-codex, which /logout in pi removes; then choose a model of \
                openai-codex";
    let (entries, note): (Vec<Box<dyn Entry>>, _) = (vec![Box::new(member)], Some(note.into()));
    let token_url = Some(base_url.to_owned());
    Ok(Setup { files: vec![(path, entries)], note, token_url, ..Setup::default() })
}

/// `credHelpers`, and a link to this program by the name that Docker calls.
fn docker(context: &Context) -> Result<Setup> {
    let path = context.path_or("DOCKER_CONFIG", ".docker")?.join("config.json");
    let members = context.profile.settings.hosts.iter().map(|host| JsonMember {
        path: path.clone(),
        names: vec!["credHelpers".into(), host.to_string()],
        value: Value::from(DOCKER_SUFFIX),
        is_ours: Box::new(|_| false),
    });
    let entries = members.map(|member| -> Box<dyn Entry> { Box::new(member) }).collect();
    let link = HelperLink::new(&context.program);
    let folder = link.path.parent().unwrap_or(&link.path).display();
    let note = Some(format!("Docker finds the link only if {folder} is on its PATH"));
    Ok(Setup { files: vec![(path, entries)], link: Some(link), note, ..Setup::default() })
}

/// A `--credential_helper` flag for each host. Bazel calls the program with one argument, `get`.
fn bazel(context: &Context) -> Setup {
    let path = context.home.join(".bazelrc");
    let program = &context.program.path;
    // Bazel ignores the port when it chooses a helper.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let names = context.profile.settings.hosts.iter().map(|host| match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    });
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    let flag = |name: &&str| {
        let flag = line(&format!("common --credential_helper={name}="), &quote::bazelrc(program));
        let (host, helper) = ((*name).to_owned(), program.clone());
        Lines::entry(context, &path, vec![flag], Format::Bazel { host, helper })
    };
    let entries = names.iter().map(flag).collect();
    Setup { files: vec![(path, entries)], ..Setup::default() }
}

/// Refuses a URL that is neither on a host of the profile, over https, nor on this machine.
pub fn refuse_other_host(profile: &Profile, url: &str) -> Result<()> {
    quote::refuse_control_characters(url)?;
    if profile.serves_url(url) {
        return Ok(());
    }
    let message = format!("the profile {} does not allow the token for {url}", profile.name);
    Err(Error::new(Kind::Usage, message).hint(format!(
        "use https and a host of the profile ({}), or a program on this machine",
        profile.settings.hosts.join(", ")
    )))
}
