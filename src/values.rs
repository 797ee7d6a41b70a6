//! Values of the configuration, checked when they are read.

use crate::urls::is_secure;
use crate::visible::is_hidden;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::str::FromStr;
use url::Url;

/// Defines a string that is checked, with the message of a failed check.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $is_valid:expr, $message:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a value of our own, without the check: a warm `get` would pay for it.
            pub fn built_in(text: &'static str) -> Self {
                debug_assert!($is_valid(text), "{text}");
                Self(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, &'static str> {
                if $is_valid(&text) { Ok(Self(text)) } else { Err($message) }
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.to_owned().try_into()
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self)
            }
        }
    };
}

checked_string!(
    /// One line of text that is not empty.
    OneLine,
    is_one_line,
    "expected one line of text"
);
checked_string!(
    /// A URL that may be sent a secret.
    EndpointUrl,
    is_secure,
    "expected an https URL, or http on a loopback address"
);
checked_string!(
    /// An issuer, kept as written: it is compared with the issuer of the discovery document (RFC 8414 §3.3).
    IssuerUrl,
    |url: &str| is_secure(url) && !url.contains('?'),
    "expected an https URL without a query, or http on a loopback address"
);
checked_string!(
    /// An address on this machine that a browser is sent back to. Without a port, any port (RFC 8252 §7.3).
    RedirectUri,
    |url: &str| is_secure(url) && url.starts_with("http://") && !url.contains('?'),
    "expected http on a loopback address, such as http://127.0.0.1/callback"
);
checked_string!(
    /// The host of a URL, with its port unless that is 443, as git sends it.
    Host,
    is_host,
    "expected a host name in lower case, with a port unless it is 443, and nothing else"
);
checked_string!(
    ProfileName,
    is_profile_name,
    "expected a profile name of at most 64 lower-case letters, digits, \"_\" and \"-\""
);

fn is_one_line(text: &str) -> bool {
    !text.is_empty() && !text.contains(is_hidden)
}

fn is_host(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("https://{host}/")) else { return false };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let is_same = url.host_str().is_some_and(|name| format!("{name}{port}") == host);
    // URLs allow quotes and more in a host. We write hosts to the files of other tools.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    is_same && host.chars().all(is_plain)
}

fn is_profile_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('-')
}

/// A parameter of a request, written `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: OneLine,
    pub value: OneLine,
}

/// The parameters that this program sets, by the RFCs or by keys of the profile.
const OWN_PARAMETERS: [&str; 18] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "token",
];

impl Parameter {
    fn new(name: String, value: OneLine) -> Result<Self, String> {
        if OWN_PARAMETERS.contains(&&*name) {
            return Err(format!("codex-credential sets the parameter {name} itself"));
        }
        let name = name.try_into().map_err(|why| format!("a parameter without a name: {why}"))?;
        Ok(Self { name, value })
    }
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        Self::new(name.to_owned(), value.parse()?)
    }
}

/// For serde: parameters as a table of names and values.
pub mod parameters {
    use super::{Deserialize, Deserializer, Error, OneLine, Parameter};
    use serde::Serializer;
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(parameters: &[Parameter], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(parameters.iter().map(|parameter| (&parameter.name, &parameter.value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Parameter>, D::Error> {
        let table = BTreeMap::<String, OneLine>::deserialize(from)?;
        let parameters = table.into_iter().map(|(name, value)| Parameter::new(name, value));
        parameters.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// Deserializes the path of a file, which is absolute or relative to the folder of `config.toml`.
pub fn file<'de, D: Deserializer<'de>, T: From<PathBuf>>(value: D) -> Result<T, D::Error> {
    let text = String::from(OneLine::deserialize(value)?);
    if text.starts_with(['~', '$', '%']) {
        return Err(D::Error::custom("expected a whole path: ~ and variables are not expanded"));
    }
    Ok(PathBuf::from(text).into())
}
