//! A `get` in so few words that it needs no command line parser. What is not understood here is no mistake: the full
//! program understands it, or says what is wrong with it.

use clap::ValueEnum;
use codex_credential::answer::formats::Format;
use codex_credential::cli::{MIN_VALIDITY, PROGRAMS_PATIENCE};
use codex_credential::clock;
use codex_credential::ui::{ErrorFormat, Interactive};
use lexopt::{Arg, Parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub struct Get {
    pub format: Option<Format>,
    pub profile: Option<String>,
    pub config: Option<PathBuf>,
    /// In seconds.
    pub min_validity: i64,
    pub wait: Duration,
}

impl Default for Get {
    fn default() -> Self {
        Self {
            format: None,
            profile: None,
            config: None,
            min_validity: clock::seconds(MIN_VALIDITY),
            wait: PROGRAMS_PATIENCE,
        }
    }
}

impl Get {
    pub fn of(args: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut get = Self::default();
        let (mut is_get, mut said) = (false, Vec::new());
        let mut args = Parser::from_args(args);
        while let Some(arg) = args.next().ok()? {
            let word = match arg {
                Arg::Value(word) if word == "get" && !is_get => {
                    is_get = true;
                    continue;
                }
                Arg::Long(word) => word.to_owned(),
                _ => return None,
            };
            if said.contains(&word) {
                return None;
            }
            let value = args.value().ok()?.into_string().ok()?;
            match word.as_str() {
                "format" => get.format = Some(Format::from_str(&value, false).ok()?),
                "profile" => get.profile = Some(value),
                "config" => get.config = Some(value.into()),
                "min-validity" => get.min_validity = clock::seconds(clock::duration(&value).ok()?),
                "wait" => get.wait = clock::duration(&value).ok()?,
                // For what is handed over alone; but a mistake in it has to be told.
                "interactive" => drop(Interactive::from_str(&value, false).ok()?),
                "error-format" => drop(ErrorFormat::from_str(&value, false).ok()?),
                _ => return None,
            }
            said.push(word);
        }
        // The version that Kubernetes asks for is read by the full program.
        (is_get && get.format != Some(Format::ExecCredential)).then_some(get)
    }

    /// Docker's `get`, which has no options.
    pub fn of_docker(args: impl Iterator<Item = OsString>) -> Option<Self> {
        args.eq(["get"]).then(Self::default)
    }
}
