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
use crate::storage::lock::Lock;
use crate::ui;
use std::fs;
use std::path::Path;

/// Removes the file with `remove`.
///
/// # Errors
/// `BadInput` when the file has no ChatGPT login; `Usage` when another login is stored, or when the file is where the
/// profile keeps its login.
pub fn import(profile: &Profile, from: &Path, remove: bool, deadline: &Deadline) -> Result<()> {
    let login = read_login(from)?;
    if is_stored_in(profile, from)? {
        let what = format!("the profile {} keeps its login in {}", profile.name, from.display());
        return Err(Error::new(Kind::Usage, what)
            .hint("name another storage with --profile or CODEX_CREDENTIAL_STORAGE"));
    }
    adopt(profile, &login, deadline)?;
    let into = profile.storage.describe()?;
    let (user, file) = (login.username(), from.display());
    ui::say(&format!("imported the login of {user} from {file} into {into}"));
    if remove {
        let _codex = lock_as_codex_does(from, deadline)?;
        // A program may have renewed the copy in the meantime. Then only the copy is valid.
        if read_login(from)?.version() != login.version() {
            let what = format!("another program has changed {file}");
            return Err(Error::new(Kind::Busy, what).hint("import it again; it was not removed"));
        }
        fs::remove_file(from).context("remove", from)?;
        ui::say(&format!("removed {file}"));
    } else {
        ui::say(&format!(
            "{file} still holds a copy: a program that refreshes it ends the login for all; remove it, or import with --remove"
        ));
    }
    Ok(())
}

/// Takes the locks under which Codex changes the file, where Codex uses its folder.
fn lock_as_codex_does(file: &Path, deadline: &Deadline) -> Result<Vec<Lock>> {
    let auth_lock = file.with_file_name("auth.lock");
    if !auth_lock.exists() {
        return Ok(Vec::new());
    }
    let mut write_lock = file.as_os_str().to_owned();
    write_lock.push(".lock");
    [auth_lock, write_lock.into()]
        .iter()
        .map(|path| Lock::acquire_or_busy(path, deadline))
        .collect()
}

/// Whether the profile's storage is the file at `path`, or `path` links to it.
fn is_stored_in(profile: &Profile, path: &Path) -> Result<bool> {
    let Some(home) = profile.storage.as_codex() else { return Ok(false) };
    let is_in_file = home.config()?.store != Store::Keyring;
    let real = |path: &Path| path.canonicalize().ok();
    Ok(is_in_file && real(path) == real(&home.dir().join("auth.json")))
}

fn read_login(path: &Path) -> Result<Login> {
    let document = read(path)?.and_then(|bytes| AuthJson::parse(&bytes).ok());
    let contents = document.map(AuthJson::contents);
    let why = match contents.map(|contents| contents.map(|contents| contents.used)) {
        Some(Ok(Content::ChatGpt(login))) if login.refresh_token.is_some() => return Ok(login),
        Some(Ok(Content::ChatGpt(_))) => "it has only an access token",
        Some(_) => "it has no ChatGPT login",
        None => "it is missing or not an auth.json",
    };
    let what = format!("{} has no login to import: {why}", path.display());
    Err(Error::new(Kind::BadInput, what))
}
