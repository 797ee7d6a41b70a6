//! The options of `configure` and `unconfigure`.
#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct ConfigureOptions {
    #[command(flatten)]
    pub common: Options,

    /// Override an entry that configure did not write; unconfigure may be unable to restore it
    #[arg(long)]
    pub force: bool,

    /// Use the model provider at this URL (codex, pi) [default: the one for ChatGPT logins]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct Options {
    /// Change the configuration of this tool
    #[arg(value_enum)]
    pub tool: Tool,

    /// Change the entry of this MCP server (codex-mcp)
    #[arg(value_name = "NAME", required_if_eq("tool", "codex-mcp"))]
    pub server: Option<String>,

    /// Show the change without writing it
    #[arg(long)]
    pub print: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// git's credential.helper, for the profile's hosts
    Git,
    /// Codex: a model provider with a token command
    Codex,
    /// Codex: the authorization header of an MCP server
    CodexMcp,
    /// Claude Code's apiKeyHelper, for a gateway that accepts the token
    ClaudeCode,
    /// pi: the key command of the provider openai-codex
    Pi,
    /// Docker's credHelpers, for a registry at the profile's hosts
    Docker,
    /// Bazel's credential helper, for the profile's hosts
    Bazel,
    /// A timer that renews the login in the background
    Keepalive,
}

impl Tool {
    /// Tells whether the tool names a host in each request. The host chooses the profile unless the command names one.
    pub fn asks_by_host(self) -> bool {
        matches!(self, Self::Git | Self::Docker | Self::Bazel)
    }
}
