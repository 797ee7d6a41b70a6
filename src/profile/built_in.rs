//! The built-in profile, for Codex's own login.

pub const BUILT_IN: &str = "codex";
pub const ISSUER: &str = "https://auth.openai.com";
pub const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
/// The host that its access tokens are for.
pub const HOST: &str = "chatgpt.com";
/// The host that an API key of the login is for.
pub const API_HOST: &str = "api.openai.com";
