//! `import`: takes the login of an auth.json once, and leaves no copy of it unmentioned: two copies of a refresh token
//! kill each other.

use crate::clock::Deadline;
use crate::commands::move_login::adopt;
use crate::error::{Error, IoResultExt, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::storage::auth_json::{AuthJson, Content};
use crate::storage::codex_config::Store;
use crate::storage::files::read;
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
/// `BadInput` when there is no ChatGPT login in the file; `Usage` when another login is stored, or when the file is no
/// copy but the login itself.
pub fn import(profile: &Profile, from: &Path, copy: Copy, deadline: &Deadline) -> Result<()> {
    let login = login_in(from)?;
    if is_where_it_is_kept(profile, from)? {
        let what = format!("the profile {} keeps its login in {}", profile.name, from.display());
        return Err(Error::new(Kind::Usage, what)
            .hint("--profile and CODEX_CREDENTIAL_STORAGE name another storage to take it into"));
    }
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
        // While the person was asked, a program may have renewed the copy: then it is the one that is good.
        if login_in(from)?.version() != login.version() {
            let what = format!("another program has changed {} meanwhile", from.display());
            return Err(Error::new(Kind::Busy, what).hint("import it again; it was not removed"));
        }
        fs::remove_file(from).context("remove", from)?;
        ui::say(&format!("removed {}", from.display()));
    } else {
        ui::say(&format!(
            "{left}: whoever refreshes by it ends the login for all; remove it, also with --remove"
        ));
    }
    Ok(())
}

/// Whether `path` leads to the very file of a login that Codex keeps.
fn is_where_it_is_kept(profile: &Profile, path: &Path) -> Result<bool> {
    let Some(home) = profile.storage.as_codex() else { return Ok(false) };
    let is_in_file = home.config()?.store != Store::Keyring;
    let real = |path: &Path| path.canonicalize().ok();
    Ok(is_in_file && real(path) == real(&home.dir().join("auth.json")))
}

fn login_in(path: &Path) -> Result<Login> {
    let bytes = read(path)?;
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
