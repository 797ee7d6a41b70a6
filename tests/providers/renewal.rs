//! Renewal with rotation: two of the providers end a login whose refresh token is sent twice.

use crate::home::{Home, outcome, token_of, wait_for_expiry};
use crate::machine::eventually;
use crate::provider::{Kind, PUBLIC, Provider, Refreshes, post};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;

/// Short, but long enough that the new token is not due before the last caller asks.
const SHORT: [(&str, &str); 1] = [("ACCESS_TOKEN_SECONDS", "30")];

/// Starts `count` callers in each home at once. Returns the distinct tokens.
fn crowd(homes: &[&Home], count: usize) -> HashSet<String> {
    let start = |home: &&Home| home.command("get --format token --wait 60s").spawn().unwrap();
    let callers: Vec<_> = (0..count).flat_map(|_| homes.iter().map(start)).collect();
    callers.into_iter().map(|caller| token_of(caller.wait_with_output().unwrap())).collect()
}

pub fn each_refresh_token_is_sent_once(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    let mut tokens = vec![home.sign_in(&provider, "ada")];
    for _ in 0..5 {
        home.reject(tokens.last().unwrap());
        tokens.push(home.token());
    }
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 6);
    assert!(provider.is_active(&tokens[5]));
    assert_eq!(provider.refreshes(), Refreshes { granted: 5, refused: 0, reused: 0 });
}

pub fn concurrent_callers_with_an_expired_token_refresh_once(kind: Kind) {
    let provider = Provider::start(kind, &SHORT);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    wait_for_expiry(&provider, &token);
    let before = provider.refreshes();
    let answers = crowd(&[&home], 32);
    assert_eq!(answers.len(), 1, "all callers get one token");
    let renewed = answers.into_iter().next().unwrap();
    assert_ne!(renewed, token);
    assert!(provider.is_active(&renewed));
    let after = provider.refreshes();
    assert_eq!(after, Refreshes { granted: before.granted + 1, refused: 0, reused: 0 });
}

pub fn two_homes_with_one_storage_refresh_once(kind: Kind) {
    let provider = Provider::start(kind, &SHORT);
    let first = Home::new(&provider);
    let token = first.sign_in(&provider, "ada");
    let second = first.beside(&provider);
    assert_eq!(second.token(), token);
    wait_for_expiry(&provider, &token);
    let before = provider.refreshes();
    let answers = crowd(&[&first, &second], 8);
    assert_eq!(answers.len(), 1, "both homes get one token");
    assert!(!answers.contains(&token));
    let after = provider.refreshes();
    assert_eq!(after, Refreshes { granted: before.granted + 1, refused: 0, reused: 0 });
}

/// Another program has used the refresh token: the provider refuses it, in its own words.
pub fn ended_refresh_token_needs_a_sign_in(kind: Kind) {
    let provider = Provider::start(kind, &[]);
    let home = Home::new(&provider);
    let token = home.sign_in(&provider, "ada");
    let login = home.files_with("refresh_token").into_iter().find(|path| path.ends_with("login"));
    let login: Value = serde_json::from_slice(&fs::read(login.unwrap()).unwrap()).unwrap();
    let refresh_token = login["refresh_token"].as_str().unwrap();
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", PUBLIC)];
    assert_eq!(post(&provider.endpoints.token_endpoint, None, &form).0, 200);
    home.reject(&token);
    eventually(|| outcome(&home.run("get --interactive never --wait 20s")).0 == 3);
    // It is not sent again.
    let sent = provider.requests("refresh_token").len();
    assert_eq!(outcome(&home.run("get --interactive never")).0, 3);
    assert_eq!(provider.requests("refresh_token").len(), sent);
}
