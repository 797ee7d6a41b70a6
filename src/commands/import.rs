//! `import`: copies the login of an auth.json file into the profile's storage. Two copies of one refresh token end each
//! other, so the command removes the file or says that it is still there.

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

/// What happens to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    Remove,
    /// Ask the user.
    Ask,
    Keep,
}

/// # Errors
/// `BadInput` when the file has no ChatGPT login; `Usage` when another login is stored, or when the file is where the
/// profile keeps its login.
pub fn import(profile: &Profile, from: &Path, copy: Copy, deadline: &Deadline) -> Result<()> {
    let login = login_in(from)?;
    if is_where_it_is_kept(profile, from)? {
        let what = format!("the profile {} keeps its login in {}", profile.name, from.display());
        return Err(Error::new(Kind::Usage, what)
            .hint("name another storage with --profile or CODEX_CREDENTIAL_STORAGE"));
    }
    adopt(profile, &login, deadline)?;
    let into = profile.storage.describe()?;
    let (user, file) = (login.username(), from.display());
    ui::say(&format!("imported the login of {user} from {file} into {into}"));
    let left = format!("{} still holds a copy", from.display());
    let removes = match copy {
        Copy::Remove => true,
        Copy::Ask => ui::confirm(&format!("{left}; remove it?"), deadline),
        Copy::Keep => false,
    };
    if removes {
        // A program may have renewed the copy while the user was asked. Then only the copy is valid.
        if login_in(from)?.version() != login.version() {
            let what = format!("another program has changed {}", from.display());
            return Err(Error::new(Kind::Busy, what).hint("import it again; it was not removed"));
        }
        fs::remove_file(from).context("remove", from)?;
        ui::say(&format!("removed {}", from.display()));
    } else {
        ui::say(&format!(
            "{left}: a program that refreshes it ends the login for all; remove it, or import with --remove"
        ));
    }
    Ok(())
}

/// Whether `path` is the file in which Codex keeps the login, or a link to it.
fn is_where_it_is_kept(profile: &Profile, path: &Path) -> Result<bool> {
    let Some(home) = profile.storage.as_codex() else { return Ok(false) };
    let is_in_file = home.config()?.store != Store::Keyring;
    let real = |path: &Path| path.canonicalize().ok();
    Ok(is_in_file && real(path) == real(&home.dir().join("auth.json")))
}

fn login_in(path: &Path) -> Result<Login> {
    let bytes = read(path)?;
    let none = |why: &str| {
        Error::new(Kind::BadInput, format!("{} has no login to import: {why}", path.display()))
    };
    let bytes = bytes.ok_or_else(|| none("there is no such file"))?;
    let document = AuthJson::parse(&bytes).map_err(|_| none("it is not an auth.json"))?;
    match document.content() {
        Ok(Content::ChatGpt(login)) if login.refresh_token.is_some() => Ok(login),
        Ok(Content::ChatGpt(_)) => Err(none("it has only an access token")),
        Ok(_) => Err(none("it has no ChatGPT login")),
        Err(mode) => Err(none(&format!("its auth_mode is {mode:?}"))),
    }
}
