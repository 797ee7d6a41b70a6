//! The argument lists that the answering program answers itself, without clap: those that `configure` writes and the
//! documents show. The full program takes every other list.

use crate::answer::formats::Format;
use crate::clock;
use crate::login::TokenKind;
use clap::ValueEnum;
use std::time::Duration;

/// A request for a token, as far as the command line describes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SimpleGet {
    pub format: Option<Format>,
    pub profile: Option<String>,
    pub token: Option<TokenKind>,
    pub min_validity: Option<Duration>,
    pub wait: Option<Duration>,
    /// `token` reads no request from standard input.
    pub reads_request: bool,
}

impl SimpleGet {
    /// Recognizes `get` and `token` with options behind them, and git's order, which has the profile before `get`.
    pub fn recognize(arguments: &[&str]) -> Option<Self> {
        let get = Self { reads_request: true, ..Self::default() };
        match arguments {
            ["--profile", profile, "get"] => get.with_option("--profile", profile),
            ["get", options @ ..] => get.with_options(options),
            ["token", options @ ..] if !options.contains(&"--format") => {
                Self { format: Some(Format::Token), ..Self::default() }.with_options(options)
            }
            _ => None,
        }
    }

    fn with_options(mut self, options: &[&str]) -> Option<Self> {
        let (pairs, rest) = options.as_chunks::<2>();
        for [name, value] in pairs {
            self = self.with_option(name, value)?;
        }
        rest.is_empty().then_some(self)
    }

    /// Sets an option that is not set yet. clap reports an option that is given twice.
    fn with_option(mut self, name: &str, value: &str) -> Option<Self> {
        // clap takes a value with a dash for an option.
        let value = Some(value).filter(|value| !value.starts_with('-'))?;
        let was_set = match name {
            "--format" => self.format.replace(Format::from_str(value, false).ok()?).is_some(),
            "--profile" => self.profile.replace(value.to_owned()).is_some(),
            "--token" => self.token.replace(TokenKind::from_str(value, false).ok()?).is_some(),
            "--min-validity" => self.min_validity.replace(clock::duration(value).ok()?).is_some(),
            "--wait" => self.wait.replace(clock::duration(value).ok()?).is_some(),
            _ => return None,
        };
        (!was_set).then_some(self)
    }
}
