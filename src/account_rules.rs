//! Which account and workspace a request accepts.

use serde::{Deserialize, Serialize};

/// The rules of one request. They are kept with the sign-in that the request starts: the process that finishes the sign-in
/// judges the login by them, and not by the rules of its own caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRules {
    /// The account that `--account`, else the profile, names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account that the profile requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_account: Option<String>,
    /// The workspace that the profile requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_workspace: Option<String>,
}
