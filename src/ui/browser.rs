//! Opens a page in the user's browser.

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

/// What the environment says about browsers.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// `$BROWSER`: commands to try, separated as in `PATH`. `%s` in a command stands for the URL.
    commands: Option<OsString>,
    has_display: bool,
}

impl Browser {
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let has = |name| set(name).is_some();
        let is_desktop = cfg!(any(windows, target_os = "macos")) || has("WSL_DISTRO_NAME");
        Self {
            commands: set("BROWSER"),
            // A desktop has nobody in front of it that comes in over SSH.
            has_display: has("DISPLAY")
                || has("WAYLAND_DISPLAY")
                || (is_desktop && !has("SSH_CONNECTION")),
        }
    }

    /// Whether a page can be opened on this machine.
    pub fn is_here(&self) -> bool {
        self.commands.is_some() || self.has_display
    }

    /// Opens `url`, without waiting for the browser and without its output.
    ///
    /// # Errors
    /// If no browser was started.
    pub fn open(&self, url: &str) -> io::Result<()> {
        let Some(commands) = &self.commands else { return open::that_detached(url) };
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for command in std::env::split_paths(commands) {
            match start(&command.to_string_lossy(), url) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Starts `command`, a program with arguments between blanks.
fn start(command: &str, url: &str) -> io::Result<()> {
    let mut words = command.split_whitespace().map(|word| word.replace("%s", url));
    let program = words.next().ok_or(io::ErrorKind::NotFound)?;
    let mut process = Command::new(program);
    process.args(words);
    if !command.contains("%s") {
        process.arg(url);
    }
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C at the prompt does not end the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    process.spawn().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(variables: &[(&str, &str)]) -> Browser {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Browser::from_environment(|name| find(name).map(|(_, value)| (*value).into()))
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn page_can_be_opened_where_a_display_or_a_command_is() {
        for (variables, is_here) in [
            (&[][..], false),
            (&[("DISPLAY", "")], false),
            (&[("DISPLAY", ":0")], true),
            (&[("WAYLAND_DISPLAY", "wayland-0"), ("SSH_CONNECTION", "x")], true),
            (&[("WSL_DISTRO_NAME", "Debian")], true),
            (&[("WSL_DISTRO_NAME", "Debian"), ("SSH_CONNECTION", "x")], false),
            (&[("BROWSER", "firefox"), ("SSH_CONNECTION", "x")], true),
        ] {
            assert_eq!(browser(variables).is_here(), is_here, "{variables:?}");
        }
    }

    #[test]
    fn first_command_that_can_be_started_opens_the_page() {
        assert!(
            browser(&[("BROWSER", "/nonexistent:/also/nonexistent")]).open("https://a").is_err()
        );
        assert!(browser(&[("BROWSER", "/nonexistent:true --new %s")]).open("https://a").is_ok());
    }
}
