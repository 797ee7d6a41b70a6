//! `configure keepalive`: has the system run `codex-credential renew` every six hours, for machines on which no
//! program asks for a token for days.

mod job;
mod launchd;
mod systemd;

use crate::configure::folders::Folders;
use crate::configure::keepalive::job::Job;
use crate::configure::plan::{list, nothing_was_changed};
use crate::configure::program::{Program, profile_of_environment};
use crate::configure::setup::undo_command;
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::profile::config;
use crate::storage::files::{remove, replace};
use crate::storage::login_dir::create_private;
use crate::ui;
use std::ffi::OsString;
use std::fs;
use std::io::{Write, stdout};
use std::path::PathBuf;

/// The scheduler of this machine.
enum Scheduler {
    Systemd,
    Launchd,
    /// The user adds a line to a crontab.
    Cron,
}

impl Scheduler {
    fn of_this_machine() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else if systemd::is_running() {
            Self::Systemd
        } else {
            Self::Cron
        }
    }
}

/// The timer of one profile.
pub struct Keepalive {
    job: Job,
    /// The folder in which the scheduler looks for files.
    folder: PathBuf,
    /// The paths and texts of the scheduler's files.
    files: Vec<(PathBuf, String)>,
}

impl Keepalive {
    /// Prepares the timer of `profile`; `named` is the profile given by `--profile`.
    ///
    /// # Errors
    /// `Usage` when a path or the profile's name cannot be written to the scheduler's files.
    pub fn new(
        profile: &Profile,
        named: Option<&str>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let named = named.map(str::to_owned).or_else(|| profile_of_environment(variable));
        Self::with(profile, named, variable).map_err(nothing_was_changed)
    }

    fn with(
        profile: &Profile,
        named: Option<String>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if let Some(name) = named.as_deref().filter(|name| !name.chars().all(is_plain)) {
            let message = format!("cannot name a timer after the profile {name:?}");
            return Err(Error::new(Kind::Usage, message)
                .hint("rename the profile; use letters, digits, -, _ and ."));
        }
        let Some(codex_home) = profile.codex_home().to_str().map(str::to_owned) else {
            let message = format!("the path {} is not UTF-8", profile.codex_home().display());
            return Err(Error::new(Kind::Usage, message).hint("set CODEX_HOME to another folder"));
        };
        let job = Job { program: Program::this(variable, named)?, codex_home };
        let folders = Folders::new(variable)?;
        let (folder, files) = if cfg!(target_os = "macos") {
            (launchd::folder(&folders), launchd::files(&job)?)
        } else {
            (systemd::folder(&folders), systemd::files(&job)?)
        };
        let files = files.into_iter().map(|(name, text)| (folder.join(name), text)).collect();
        Ok(Self { job, folder, files })
    }

    /// Returns what `install` would write.
    pub fn preview(&self) -> Result<String> {
        let show = |(path, text): &(PathBuf, String)| format!("# {}\n{text}\n", path.display());
        let files: String = self.files.iter().map(show).collect();
        Ok(format!("{files}# or, with crontab -e:\n{}\n", self.job.cron_line()?))
    }

    /// Finds the timer of `profile`. Returns its first file, and whether its files are as `install` would write them,
    /// with the program's entry on the PATH or with its own path. Otherwise finds the package's timer, if it is
    /// enabled.
    pub fn found(
        profile: &Profile,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<(PathBuf, bool)>> {
        let is_default =
            config(variable, profile.config_file.clone())?.default_name() == profile.name;
        let without_path = |name: &str| variable(name).filter(|_| name != "PATH");
        let unnamed = is_default.then_some(None);
        for named in unnamed.into_iter().chain([Some(profile.name.clone())]) {
            let keepalive = Self::with(profile, named.clone(), variable)?;
            if let Some((first, _)) = keepalive.files.iter().find(|(path, _)| path.exists()) {
                let own = Self::with(profile, named, &without_path)?;
                let is_current = keepalive.is_written() || own.is_written();
                return Ok(Some((first.clone(), is_current)));
            }
            let enabled = systemd::enabled_package_timer(&Folders::new(variable)?);
            if is_default && enabled.exists() {
                return Ok(Some((enabled, true)));
            }
        }
        Ok(None)
    }

    fn is_written(&self) -> bool {
        let is_same = |(path, text): &(PathBuf, String)| {
            fs::read_to_string(path).is_ok_and(|found| found == *text)
        };
        self.files.iter().all(is_same)
    }

    /// Writes the scheduler's files and starts the timer; without a scheduler, prints a line for a crontab.
    ///
    /// # Errors
    /// `Storage` when a file cannot be written or the scheduler fails; the message says what was written.
    pub fn install(&self) -> Result<()> {
        let scheduler = Scheduler::of_this_machine();
        if let Scheduler::Cron = scheduler {
            ui::say("no systemd user manager is running; run crontab -e and add this line:");
            return writeln!(stdout(), "{}", self.job.cron_line()?).map_err(|error| {
                Error::new(Kind::Storage, "cannot write to standard output").caused_by(error)
            });
        }
        create_private(&self.folder).map_err(nothing_was_changed)?;
        let mut written = Vec::new();
        let mut result = Ok(());
        for (path, text) in &self.files {
            result = result.and_then(|()| replace(path, text.as_bytes()));
            if result.is_ok() {
                written.push(path.clone());
            }
        }
        let started = result.and_then(|()| match scheduler {
            Scheduler::Launchd => launchd::start(&self.job, &self.folder),
            _ => systemd::start(&self.job),
        });
        started.map_err(|error| match written.as_slice() {
            [] => nothing_was_changed(error),
            paths => error.map_text(|text| format!("{text}; {} was written", list(paths))),
        })?;
        let undo = undo_command("keepalive");
        let option = self.job.program.profile_option();
        ui::say(&format!("wrote {} and started the timer", list(&written)));
        ui::say(&format!(
            "the login is renewed when due, every six hours; to undo, run: {undo}{option}"
        ));
        Ok(())
    }

    /// Stops the timer and removes the scheduler's files.
    ///
    /// # Errors
    /// `Storage` when a file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        // The scheduler may not know the timer, and the files are removed anyway.
        let _ = match Scheduler::of_this_machine() {
            Scheduler::Systemd => systemd::stop(&self.job),
            Scheduler::Launchd => launchd::stop(&self.job, &self.folder),
            Scheduler::Cron => {
                ui::say("if you added a line with crontab -e, remove it there");
                Ok(())
            }
        };
        let mut is_removed = false;
        for (path, _) in &self.files {
            if remove(path)? {
                is_removed = true;
                ui::say(&format!("removed {}", path.display()));
            }
        }
        if !is_removed {
            ui::say("not configured; no file was removed");
        }
        Ok(())
    }
}
