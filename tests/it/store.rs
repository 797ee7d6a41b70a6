//! `store` for a host of the profile: git calls it with each token that worked, and with what a URL contains.

use crate::machine::{Machine, OURS, PATIENCE, ada, eventually, is_answered, lock};
use issuer::{Endpoint, Issuer, Tokens};
use predicates::str::is_empty;
use serde_json::json;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

fn request_with(token: &str) -> String {
    format!("{}\nusername=ada@example.com\npassword={token}\n", OURS.trim_end())
}

fn login(tokens: &Tokens) -> String {
    let refresh_token = &tokens.refresh_token;
    format!("{}oauth_refresh_token={refresh_token}\n", request_with(&tokens.access_token))
}

/// An unsigned token that claims anything.
fn forged(claims: &serde_json::Value) -> String {
    use base64::Engine;
    let encode = |json: &serde_json::Value| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
    };
    format!("{}.{}.c2ln", encode(&json!({"alg": "none"})), encode(claims))
}

#[test]
fn access_token_alone_changes_nothing_and_says_nothing() {
    let (machine, stored) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let evil = Issuer::start();
    let now = codex_credential::clock::now();
    let newer = machine.issuer.grant(&ada(), 7200);
    let other = machine.issuer.grant(&Issuer::accounts()[2], 7200);
    let claims =
        json!({"iss": evil.url(), "iat": now + 60, "exp": now + 86_400, "sub": "user-ada"});
    for token in [
        stored.access_token.as_str(),
        &newer.access_token,
        &other.access_token,
        &forged(&claims),
        &forged(&json!({"exp": 1})),
        "hunter2",
        "gho_0123456789",
        "",
    ] {
        let output = machine.command("store").write_stdin(request_with(token)).assert();
        output.success().stdout(is_empty()).stderr(is_empty());
        let request = format!(
            "capability[]=authtype\n{}\nauthtype=Bearer\ncredential={token}\n",
            OURS.trim_end()
        );
        let output = machine.command("store").write_stdin(request).assert();
        output.success().stdout(is_empty()).stderr(is_empty());
    }
    assert_eq!(machine.auth_json(), before);
    assert_eq!(machine.issuer.counts().refreshes + evil.counts().refreshes, 0);
}

#[test]
fn claimed_issuer_of_the_stored_token_never_gets_the_refresh_token() {
    let (machine, stored) = Machine::signed_in(-1);
    let evil = Issuer::start();
    let mut document = machine.auth_json();
    let now = codex_credential::clock::now();
    document["tokens"]["access_token"] =
        forged(&json!({"iss": evil.url(), "iat": now - 20, "exp": now - 10})).into();
    machine.write_auth_json(&document);
    machine.command("get --wait 20s").assert().code(2);
    machine.command("logout").assert().code(2);
    assert_eq!(machine.issuer.times_sent(&stored.refresh_token), 0);
    assert!(evil.log().is_empty());
}

#[test]
fn login_of_the_same_account_is_proved_by_one_refresh_and_stored() {
    let (machine, old) = Machine::signed_in(3600);
    let mut document = machine.auth_json();
    document["future"] = json!({"a": [1, null]});
    machine.write_auth_json(&document);
    let new = machine.issuer.grant(&ada(), 7200);
    machine.command("store").write_stdin(login(&new)).assert().success().stderr(is_empty());
    assert_eq!(machine.issuer.times_sent(&new.refresh_token), 1);
    let stored = machine.auth_json();
    let refresh_token = stored["tokens"]["refresh_token"].as_str().unwrap();
    assert!(refresh_token != old.refresh_token && refresh_token != new.refresh_token);
    assert!(machine.issuer.is_live_refresh_token(refresh_token));
    assert_eq!(stored["future"], document["future"]);
    // The same input again, or the stored tokens, send nothing.
    machine.command("store").write_stdin(login(&new)).assert().success().stderr(is_empty());
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_eq!(machine.auth_json(), stored);
}

#[test]
fn login_that_is_not_the_signed_in_accounts_is_ignored() {
    let (machine, _) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let other = machine.issuer.grant(&Issuer::accounts()[2], 7200);
    machine.command("store").write_stdin(login(&other)).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json(), before);
    assert_eq!(machine.issuer.counts().revocations, 1, "the tokens that nobody keeps are revoked");
    forget_refused_store(&machine);
    let unknown = format!("{}oauth_refresh_token=made-up\n", request_with("made-up"));
    machine.command("store").write_stdin(unknown).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json(), before);
    forget_refused_store(&machine);
    machine.issuer.fault(Endpoint::Refresh, issuer::Fault::status(503, ""), 1);
    let new = machine.issuer.grant(&ada(), 7200);
    machine.command("store").write_stdin(login(&new)).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json(), before);
    // Nothing of it disturbs the next renewal.
    machine.refuse(before["tokens"]["access_token"].as_str().unwrap());
    machine.token();
}

/// Lets the next `store` send a request, as if the last refused one were long ago.
fn forget_refused_store(machine: &Machine) {
    std::fs::remove_file(machine.own("refused-store")).unwrap();
}

/// Moves the last refused `store` half a minute into the past.
fn pass_half_a_minute(machine: &Machine) {
    let path = machine.own("refused-store");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record["at"] = (record["at"].as_i64().unwrap() - 31).into();
    std::fs::write(&path, record.to_string()).unwrap();
}

#[test]
fn forged_refresh_tokens_cost_one_request_until_a_growing_pause_is_over() {
    let store = |machine: &Machine, input: String| {
        machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    };
    let with = |token: &str| format!("{}oauth_refresh_token={token}\n", request_with("forged"));
    let unavailable = issuer::Fault::status(503, "");
    for (is_other, fault) in [(false, None), (true, None), (false, Some(unavailable))] {
        let (machine, stored) = Machine::signed_in(3600);
        let other = || login(&machine.issuer.grant(&Issuer::accounts()[2], 7200));
        let requests = || {
            let log = machine.issuer.log();
            log.iter().filter(|entry| entry.path == "/oauth/token").count()
        };
        if let Some(fault) = fault {
            machine.issuer.fault(Endpoint::Refresh, fault, 1);
        }
        store(&machine, if is_other { other() } else { with("first") });
        let new = machine.issuer.grant(&ada(), 7200);
        for n in 0..5 {
            for input in [with(&format!("forged-{n}")), other(), login(&new)] {
                store(&machine, input);
            }
        }
        assert_eq!(requests(), 1);
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], stored.refresh_token);
        pass_half_a_minute(&machine);
        store(&machine, with("second"));
        pass_half_a_minute(&machine);
        store(&machine, login(&new));
        assert_eq!(requests(), 2, "the second pause is longer");
        pass_half_a_minute(&machine);
        store(&machine, login(&new));
        assert_eq!(machine.issuer.times_sent(&new.refresh_token), 1);
        assert_ne!(machine.auth_json()["tokens"]["refresh_token"], stored.refresh_token);
    }
}

#[test]
fn store_for_another_host_or_without_a_password_changes_nothing() {
    let (machine, _) = Machine::signed_in(3600);
    let before = machine.auth_json();
    for input in ["protocol=https\nhost=github.com\nusername=a\npassword=b\n", OURS, ""] {
        machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    }
    assert_eq!(machine.auth_json(), before);
}

#[test]
fn store_without_a_login_signs_nobody_in() {
    let machine = Machine::new();
    let tokens = machine.issuer.grant(&ada(), 3600);
    for input in [request_with(&tokens.access_token), login(&tokens)] {
        machine.command("store").write_stdin(input).assert().success().stderr(is_empty());
    }
    assert!(!machine.path("auth.json").exists());
    assert_eq!(machine.issuer.counts().refreshes, 0);
}

/// Kills `store` when the answer of its request is recorded, and its login is not stored yet.
fn killed_store(machine: &Machine, offered: &Tokens) {
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut store = machine.std_command("store --wait 60s");
    let mut store = store.stdin(Stdio::piped()).spawn().unwrap();
    store.stdin.take().unwrap().write_all(login(offered).as_bytes()).unwrap();
    eventually(|| is_answered(&machine.own("journal")));
    store.kill().unwrap();
    store.wait().unwrap();
    drop(write_lock);
}

#[test]
fn killed_store_of_another_accounts_login_does_not_touch_the_stored_one() {
    for has_id_token in [true, false] {
        let (machine, ada) = Machine::signed_in(3600);
        machine.issuer.fault(
            Endpoint::Revoke,
            issuer::Fault::DelayBefore(Duration::from_secs(20)),
            1,
        );
        let other = machine.issuer.grant(&Issuer::accounts()[2], 7200);
        let mut store = machine.std_command("store --wait 60s");
        let mut store = store.stdin(Stdio::piped()).spawn().unwrap();
        store.stdin.take().unwrap().write_all(login(&other).as_bytes()).unwrap();
        eventually(|| is_answered(&machine.own("journal")));
        store.kill().unwrap();
        store.wait().unwrap();
        machine.issuer.clear_faults();
        if !has_id_token {
            let journal = std::fs::read_to_string(machine.own("journal")).unwrap();
            let (intent, answer) = journal.split_once('\n').unwrap();
            let mut answer: serde_json::Value =
                serde_json::from_str(answer.lines().next().unwrap()).unwrap();
            answer["id_token"].take();
            std::fs::write(machine.own("journal"), format!("{intent}\n{answer}\n")).unwrap();
        }
        machine.refuse(&ada.access_token);
        let account = machine.command("get --format json --wait 20s").assert().success();
        let answer: serde_json::Value =
            serde_json::from_slice(&account.get_output().stdout).unwrap();
        assert_eq!(answer["email"], "ada@example.com");
        let stored = machine.auth_json();
        assert_eq!(stored["tokens"]["account_id"], ada.account_id);
        assert_eq!(machine.issuer.counts().reuses, 0);
    }
}

#[test]
fn killed_store_of_the_same_accounts_login_is_finished() {
    let (machine, ada) = Machine::signed_in(3600);
    let new = machine.issuer.grant(&crate::machine::ada(), 7200);
    killed_store(&machine, &new);
    machine.refuse(&ada.access_token);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    let refresh_token = machine.auth_json()["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    assert!(machine.issuer.is_live_refresh_token(&refresh_token));
    assert_eq!(
        (machine.issuer.times_sent(&new.refresh_token), machine.issuer.counts().reuses),
        (1, 0)
    );
}

#[test]
fn store_and_logout_wait_for_a_slow_server_no_longer_than_their_wait() {
    let (machine, _) = Machine::signed_in(3600);
    let slow = || issuer::Fault::DelayBefore(Duration::from_secs(60));
    machine.issuer.fault(Endpoint::Refresh, slow(), 1);
    machine.issuer.fault(Endpoint::Revoke, slow(), 1);
    let new = machine.issuer.grant(&ada(), 7200);
    let mut store = machine.command("store --wait 1s");
    store.write_stdin(login(&new)).timeout(PATIENCE).assert().success();
    machine.command("logout --wait 1s").timeout(PATIENCE).assert().code(1);
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn refused_refresh_token_of_a_caller_is_sent_once() {
    let (machine, _) = Machine::signed_in(3600);
    let used = machine.issuer.grant(&ada(), 7200);
    machine.issuer.invalidate_refresh_token(&used.refresh_token);
    for _ in 0..4 {
        machine.command("store").write_stdin(login(&used)).assert().success();
    }
    assert_eq!(machine.issuer.times_sent(&used.refresh_token), 1);
}
