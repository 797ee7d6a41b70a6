//! SIGKILL at each system call of the caller, of the renewal process, and of whichever process reaches the call first.

use crate::report::report;
use crate::scene::{Act, Scene};
use crate::strace::{Call, Fault, Who};
use crate::tries::{AT_ONCE, chosen, each_of_some, some};

pub fn refresh() {
    kills(
        "refresh",
        "kills::refresh",
        &[(Act::Refresh, Who::Caller), (Act::RefreshApart, Who::All), (Act::Refresh, Who::All)],
    );
}

pub fn sign_in() {
    kills(
        "sign-in",
        "kills::sign_in",
        &[(Act::SignIn, Who::Caller), (Act::SignInApart, Who::All), (Act::SignIn, Who::All)],
    );
}

pub fn store() {
    kills("store", "kills::store", &[(Act::Store, Who::All)]);
}

pub fn erase() {
    kills("erase", "kills::erase", &[(Act::EraseToken, Who::All), (Act::EraseLogin, Who::All)]);
}

pub fn logout() {
    kills("logout", "kills::logout", &[(Act::Logout, Who::All)]);
}

pub fn move_to_file() {
    kills(
        "move to a file and back",
        "kills::move_to_file",
        &[(Act::MoveOut, Who::All), (Act::MoveIn, Who::All)],
    );
}

pub fn move_to_keyring() {
    let acts = [(Act::MoveToKeyring, Who::All), (Act::MoveFromKeyring, Who::All)];
    kills("move to the keyring and back", "kills::move_to_keyring", &acts);
}

fn kills(what: &str, test: &'static str, acts: &[(Act, Who)]) {
    let tries: Vec<(Act, Who, Call)> = acts
        .iter()
        .flat_map(|&(act, who)| {
            let calls = Scene::calls(act, who);
            let calls = if act.has_keyring() { some(calls, 20) } else { chosen(calls, 20) };
            calls.into_iter().map(move |call| (act, who, call))
        })
        .collect();
    println!("{} tries", tries.len());
    // A keyring must answer within 3 s, which many at once do not.
    let at_once = if acts.iter().any(|(act, _)| act.has_keyring()) { 2 } else { AT_ONCE };
    let play = |(act, who, call): &(Act, Who, Call)| Scene::play(*act, *who, call, Fault::Kill);
    let results = each_of_some(at_once, &tries, play);
    report(&format!("killed at a system call: {what}"), test, results);
}
