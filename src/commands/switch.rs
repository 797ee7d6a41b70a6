//! `switch`: lists the accounts of a storage, and makes another one the account in use.
//!
//! Codex's storage has room for one login, so the others are parked in a storage of our own, where they are renewed as any
//! login is. A login is written to its new place before it is removed from the old one: a kill in between leaves it in both.
//! Then the copy in Codex's storage is the one that Codex renews, and the parked one is neither renewed nor used.

use crate::account::{Account, AccountRules};
use crate::account_policy;
use crate::answer::get::is_due;
use crate::audit::Action;
use crate::clock::{self, Deadline};
use crate::commands::codex_processes::app_servers;
use crate::error::{Error, Kind, Result};
use crate::login::Login;
use crate::profile::Profile;
use crate::renewal::commit::commit;
use crate::renewal::recover::{recover, recover_sign_in};
use crate::storage::Change;
use crate::storage::codex_home::CodexHome;
use crate::storage::lock::Lock;
use crate::storage::login_dir::LoginDir;
use crate::storage::records::InvalidToken;
use crate::ui;
use serde_json::json;

/// Renews the login of a profile if that is due, without asking the user.
pub type Renew<'a> = &'a mut dyn FnMut(&Profile) -> Result<()>;

/// Returns the accounts of the profile's storage, and marks the one in use.
pub fn list(profile: &Profile, as_json: bool) -> Result<String> {
    let current = current(profile)?.map(|login| login.account());
    let is_current = |account: &Account| current.as_ref().is_some_and(|it| it.is_same_as(account));
    let mut accounts = match profile.storage.as_codex() {
        Some(_) => profile.parked(None)?.storage.accounts()?,
        None => profile.storage.accounts()?,
    };
    accounts.retain(|account| !is_current(account));
    accounts.splice(..0, current.clone());
    if as_json {
        let entry = |account| json!({"account": account, "current": is_current(account)});
        return Ok(format!("{}\n", json!(accounts.iter().map(entry).collect::<Vec<_>>())));
    }
    let line = |account: &Account| {
        let mark = if is_current(account) { '*' } else { ' ' };
        let workspace = account.account_id.as_deref().unwrap_or("unknown");
        format!("{mark} {} (workspace {workspace})\n", account.username())
    };
    Ok(accounts.iter().map(line).collect::<Vec<_>>().concat())
}

/// Makes `name` the account in use.
///
/// # Errors
/// `LoginRequired` for an account without a login here; `LoginDead` for a login that has ended.
pub fn switch(profile: &Profile, name: &str, deadline: &Deadline, renew: Renew) -> Result<()> {
    if let Some(home) = profile.storage.as_codex() {
        return switch_codex(profile, home, name, deadline, renew);
    }
    let Some(local) = profile.storage.as_local() else {
        let what = format!("{} keeps one login", profile.storage.describe()?);
        return Err(Error::new(Kind::Usage, what).hint("name another profile with --profile"));
    };
    let account = local.make_default(name, deadline)?.ok_or_else(|| not_kept(profile, name))?;
    ui::say(&format!("{} is the default account now", account.username()));
    Ok(())
}

/// Renews each parked login that is due, except a copy of the login in Codex's storage.
pub fn renew_parked(profile: &Profile, renew: Renew) -> Result<()> {
    if profile.storage.as_codex().is_none() {
        return Ok(());
    }
    // Without a folder of our own, no login is parked.
    let Ok(parked) = profile.parked(None) else { return Ok(()) };
    let current = current(profile)?.map(|login| login.account());
    let accounts = parked.storage.accounts()?;
    for account in &accounts {
        if current.as_ref().is_some_and(|current| current.is_same_as(account)) {
            continue;
        }
        let parked = profile.parked(Some(name_among(account, &accounts)))?;
        if parked.storage.load()?.is_some()
            && let Err(error) = renew(&parked)
        {
            ui::say(&format!("the parked login of {}: {}", account.username(), error.text()));
        }
    }
    Ok(())
}

fn switch_codex(
    profile: &Profile,
    home: &CodexHome,
    name: &str,
    deadline: &Deadline,
    renew: Renew,
) -> Result<()> {
    let target = profile.parked(Some(name.to_owned()))?;
    let in_use = current(profile)?;
    let Some(coming) = target.storage.load()? else {
        let is_in_use = in_use.is_some_and(|login| login.account().is_named(name));
        if !is_in_use {
            return Err(not_kept(&target, name));
        }
        ui::say(&format!("the login of {name} is in use already"));
        return Ok(());
    };
    let is_same = |login: &Login| login.account().is_same_as(&coming.account());
    let is_copy = in_use.as_ref().is_some_and(is_same);
    // A Codex that runs may be renewing a login that is due. It would not find its login any more, and discard the answer.
    if let Some(login) = in_use.filter(|login| !is_copy && is_due(login)) {
        let _ = renew(profile).inspect_err(|error| note_failure(&login, error));
    }
    if !is_copy
        && is_due(&coming)
        && let Err(error) = renew(&target)
    {
        if error.is_cured_by_sign_in() {
            return Err(error);
        }
        note_failure(&coming, &error);
    }
    let locks = Locks::take(profile, &target, deadline)?;
    let left = replace(profile, home, &target, name, deadline)?;
    drop(locks);
    report(profile, name, left.as_ref())
}

fn note_failure(login: &Login, error: &Error) {
    ui::say(&format!("the login of {} was not renewed: {}", login.username(), error.text()));
}

/// The locks of both storages, which keep renewals and sign-ins from changing the logins.
struct Locks {
    _locks: Vec<Lock>,
}

impl Locks {
    /// Takes the locks, and commits what killed processes left.
    fn take(profile: &Profile, target: &Profile, deadline: &Deadline) -> Result<Self> {
        let mut locks = Vec::new();
        for profile in [profile, target] {
            locks.push(profile.storage.sign_in_dir().acquire(deadline)?.ok_or_else(busy)?);
            recover_sign_in(profile, deadline)?;
        }
        for profile in [profile, target] {
            let login_dir = profile.storage.login_dir()?.ok_or_else(changed)?;
            locks.push(login_dir.acquire(deadline)?.ok_or_else(busy)?);
            recover(profile, &login_dir, deadline)?;
        }
        Ok(Self { _locks: locks })
    }
}

/// Parks the login in Codex's storage and replaces it by that of `target`. Returns the parked account.
fn replace(
    profile: &Profile,
    home: &CodexHome,
    target: &Profile,
    name: &str,
    deadline: &Deadline,
) -> Result<Option<Account>> {
    let hold = profile.storage.hold(deadline)?;
    hold.probe()?;
    let coming = target.storage.load()?.ok_or_else(changed)?;
    if let Some(invalid) = InvalidToken::of(target, &coming)? {
        return Err(invalid.error());
    }
    let named = AccountRules { account: Some(name.to_owned()), ..account_policy::rules(profile) };
    account_policy::check_by(profile, &named, &coming)?;
    let here = current(profile)?;
    let is_same = |login: &&Login| login.account().is_same_as(&coming.account());
    // Codex keeps the tokens of an earlier login beside an API key, and a sign-in overwrites them.
    let unused = home.contents()?.and_then(|(_, contents)| contents.unused_login);
    let leaving = here.as_ref().or(unused.as_ref()).filter(|login| !is_same(login));
    let has_ended =
        |login: &Login| -> Result<bool> { Ok(InvalidToken::of(profile, login)?.is_some()) };
    let is_used_up = has_ended(&coming)?;
    // What a killed switch left in both places, and one of the copies may have been renewed since; or another session.
    let is_leftover = match here.as_ref().filter(is_same) {
        Some(login) if login.version() == coming.version() || is_used_up => true,
        Some(login) => login.last_refresh >= coming.last_refresh && !has_ended(login)?,
        None => false,
    };
    let is_pinned = home.login_dir().pinned().load()?.is_some();
    if !is_leftover {
        if let Some(leaving) = leaving {
            park(profile, home.login_dir(), leaving, deadline)?;
        }
        home.login_dir().pinned().remove()?;
        let replaces = profile.storage.fingerprint();
        let change = Change::SignedIn { login: &coming, is_default: true };
        if !commit(profile, &*hold, Action::Switch, replaces.as_ref(), &change, deadline)? {
            return Err(changed());
        }
        let stored = profile.storage.load()?;
        if stored.is_none_or(|stored| stored.version() != coming.version()) {
            return Err(changed());
        }
        carry_records(
            &target.storage.login_dir()?.ok_or_else(changed)?,
            home.login_dir(),
            &coming,
        )?;
    }
    if is_pinned {
        account_policy::pin(profile, &named)?;
    }
    // A login with other tokens may be another session, which another CODEX_HOME has parked.
    let is_meant = |login: &Login| login.version() == coming.version();
    if is_used_up || profile.storage.load()?.as_ref().is_some_and(is_meant) {
        target.storage.hold(deadline)?.remove(&is_meant, deadline)?;
    }
    Ok(leaving.map(Login::account))
}

/// Stores `login` in our own storage. `from` is its login directory in Codex's storage.
fn park(profile: &Profile, from: &LoginDir, login: &Login, deadline: &Deadline) -> Result<()> {
    let all = profile.parked(None)?;
    let account = login.account();
    let parked = Login {
        registration: Some(profile.registration_of(login)?),
        stored_account: account.clone(),
        signed_in_at: clock::now(),
        ..login.clone()
    };
    let earlier = profile.parked(Some(name_among(&account, &all.storage.accounts()?)))?;
    let is_same = |stored: &Login| stored.account().is_same_as(&account);
    if let Some(stored) = earlier.storage.load()?.filter(is_same) {
        if stored.version() != login.version() && stored.last_refresh > login.last_refresh {
            ui::say(&format!("the parked login of {} is newer, and is kept", account.username()));
            return Ok(());
        }
        // What a killed switch left: the copy in Codex's storage has been in use since.
        earlier.storage.hold(deadline)?.remove(&is_same, deadline)?;
    }
    let hold = all.storage.hold(deadline)?;
    let change = Change::SignedIn { login: &parked, is_default: false };
    commit(&all, &*hold, Action::Switch, None, &change, deadline)?;
    let kept = profile.parked(Some(name_among(&account, &all.storage.accounts()?)))?;
    let is_kept = kept.storage.load()?.is_some_and(|kept| kept.version() == login.version());
    match kept.storage.login_dir()?.filter(|_| is_kept) {
        Some(login_dir) => carry_records(from, &login_dir, login),
        None => Err(Error::new(
            Kind::Storage,
            format!("{} did not keep the login; nothing was switched", kept.storage.describe()?),
        )),
    }
}

/// Takes along what is known about the tokens of `login`: which were used up, refused or rejected.
fn carry_records(from: &LoginDir, to: &LoginDir, login: &Login) -> Result<()> {
    to.create()?;
    let mut spent = to.spent_tokens().load()?.unwrap_or_default();
    let known = spent.clone();
    let more = from.spent_tokens().load()?.unwrap_or_default();
    spent.extend(more.into_iter().filter(|token| !known.contains(token)));
    if spent.len() > known.len() {
        to.spent_tokens().save(&spent)?;
    }
    let is_of_login = |invalid: &InvalidToken| invalid.refresh_token == login.fingerprint();
    if let Some(invalid) = from.invalid_token().load()?.filter(is_of_login) {
        to.invalid_token().save(&invalid)?;
    }
    if from.has_rejected(&login.access_token)
        && let Some(rejected) = from.rejected().load()?
    {
        to.rejected().save(&rejected)?;
    }
    Ok(())
}

fn report(profile: &Profile, name: &str, left: Option<&Account>) -> Result<()> {
    ui::say(&format!("Codex and codex-credential use the login of {name} now"));
    for process in app_servers(profile.codex_home()) {
        ui::say(&format!(
            "codex app-server (process {process}) goes on with the earlier account until it is started again"
        ));
    }
    if let Some(left) = left {
        let kept = profile.parked(None)?.storage.sign_in_dir();
        let folder = kept.dir().parent().unwrap_or(kept.dir()).display();
        ui::say(&format!("the login of {} is parked in {folder}", left.username()));
        ui::hint("to keep parked logins renewed", "codex-credential configure keepalive");
    }
    Ok(())
}

/// Returns the login in use; `None` where Codex uses something that is no login of an account.
fn current(profile: &Profile) -> Result<Option<Login>> {
    if profile.storage.as_codex().is_some_and(CodexHome::has_personal_access_token) {
        return Ok(None);
    }
    match profile.storage.load() {
        Err(error) if error.kind == Kind::LoginRequired => Ok(None),
        login => login,
    }
}

/// Returns a name that means `account` and none of the others, if it has one.
fn name_among(account: &Account, all: &[Account]) -> String {
    let names =
        [Some(account.username()), account.account_id.as_deref(), account.user_id.as_deref()];
    let is_only = |name: &&str| all.iter().filter(|other| other.is_named(name)).count() <= 1;
    names.into_iter().flatten().find(is_only).unwrap_or(account.username()).to_owned()
}

fn not_kept(profile: &Profile, name: &str) -> Error {
    let kept = profile.storage_kind().name();
    Error::new(Kind::LoginRequired, format!("no login of {name} is kept")).hint(format!(
        "`codex-credential switch` lists the accounts; to add one, run: CODEX_CREDENTIAL_STORAGE={kept} codex-credential login"
    ))
}

fn changed() -> Error {
    Error::new(Kind::Busy, "another program has changed the logins; try again")
        .run("to see which accounts there are", "codex-credential switch")
}

fn busy() -> Error {
    Error::new(Kind::Busy, "a renewal or a sign-in is under way; nothing was switched")
        .hint("try again, or wait longer with --wait")
}
