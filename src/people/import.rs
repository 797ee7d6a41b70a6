//! `import`: takes the login of an auth.json once, and leaves no copy of it unmentioned: two copies of a refresh token
//! kill each other.

use super::relocate::adopt;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::auth_json::{AuthJson, Content};
use crate::storage::read::read;
use crate::ui;
use std::fs;
use std::path::Path;

/// What becomes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    Remove,
    /// Ask the person.
    Ask,
    Keep,
}

/// # Errors
/// `BadInput` when there is no ChatGPT login in the file; `Usage` when another login is stored.
pub fn import(profile: &Profile, from: &Path, copy: Copy, deadline: &Deadline) -> Result<()> {
    let login = login_in(from)?;
    adopt(profile, &login, deadline)?;
    let into = profile.storage.describe()?;
    ui::say(&format!("took the login of {} from {} into {into}", login.username(), from.display()));
    let left = format!("{} still holds a copy", from.display());
    let removes = match copy {
        Copy::Remove => true,
        Copy::Ask => ui::confirm(&format!("{left}; remove it?"), deadline),
        Copy::Keep => false,
    };
    if removes {
        fs::remove_file(from).map_err(|error| Error::io("remove", from, &error))?;
        ui::say(&format!("removed {}", from.display()));
    } else {
        ui::say(&format!(
            "{left}: whoever refreshes by it ends the login for all; remove it, also with --remove"
        ));
    }
    Ok(())
}

fn login_in(path: &Path) -> Result<Login> {
    let bytes = read(path).map_err(|error| Error::io("read", path, &error))?;
    let none = |why: &str| {
        Error::new(Kind::BadInput, format!("{} has no login to take: {why}", path.display()))
    };
    let bytes = bytes.ok_or_else(|| none("there is no such file"))?;
    let document = AuthJson::parse(&bytes).map_err(|_| none("it is not an auth.json"))?;
    match document.content() {
        Ok(Content::ChatGpt(login)) if login.refresh_token.is_some() => Ok(login),
        Ok(Content::ChatGpt(_)) => Err(none("it has an access token alone")),
        Ok(_) => Err(none("nobody is signed in to ChatGPT there")),
        Err(mode) => Err(none(&format!("its auth_mode is {mode:?}"))),
    }
}
