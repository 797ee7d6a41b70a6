//! `erase`: rejects an access token, or removes the login here.

use crate::machine::{Machine, OURS};
use predicates::prelude::*;
use predicates::str::{contains, is_empty};

fn request_with(token: &str) -> String {
    format!("protocol=https\nhost=chatgpt.com\npassword={token}\n")
}

#[test]
fn rejected_token_is_renewed_by_the_next_get() {
    let (machine, tokens) = Machine::signed_in(3600);
    let input = request_with(&tokens.access_token);
    machine.command("erase").write_stdin(input.as_str()).assert().success().stderr(is_empty());
    assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
    let renewed = machine.token();
    assert_ne!(renewed, tokens.access_token);
    // Another caller rejects the same token later. It is no longer stored.
    machine.command("erase").write_stdin(input).assert().success();
    assert_eq!(machine.token(), renewed);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn erase_with_another_password_changes_nothing() {
    let (machine, tokens) = Machine::signed_in(3600);
    machine
        .command("erase")
        .write_stdin(request_with("other"))
        .assert()
        .success()
        .stderr(is_empty());
    assert_eq!(machine.token(), tokens.access_token);
    assert_eq!(machine.issuer.counts().refreshes, 0);
}

#[test]
fn erase_without_a_password_removes_the_login_and_revokes_nothing() {
    let (machine, tokens) = Machine::signed_in(3600);
    machine.command("erase").write_stdin(OURS).assert().success().stderr(is_empty());
    assert!(!machine.path("auth.json").exists());
    assert!(machine.issuer.is_live_refresh_token(&tokens.refresh_token));
    machine.command("erase").write_stdin(OURS).assert().success();
}

#[test]
fn erase_without_a_match_removes_nothing() {
    let (machine, tokens) = Machine::signed_in(3600);
    for input in [
        "",
        "\n",
        "capability[]=authtype\n",
        "protocol=https\nhost=github.com\n",
        "protocol=https\nhost=chatgpt.com\nusername=someone.else@example.com\n",
        "host=chatgpt.com\n",
    ] {
        machine.command("erase").write_stdin(input).assert().success().stdout(is_empty());
    }
    assert_eq!(machine.token(), tokens.access_token);
}

#[test]
fn erase_with_yes_removes_the_login_without_asking() {
    let (machine, _) = Machine::signed_in(3600);
    let output = machine.command("erase --yes").assert().success();
    output.stderr(contains("ada@example.com").and(contains("auth.json")));
    assert!(!machine.path("auth.json").exists());
    machine.command("erase --yes").assert().success();
}

#[test]
fn login_stored_while_erase_waits_is_kept() {
    let (machine, _) = Machine::signed_in(3600);
    let codex = crate::machine::lock(&machine.path("auth.lock"));
    let erase = machine.start("erase --yes --wait 20s");
    crate::machine::eventually(|| waits_for_lock(erase.id()));
    let grace = machine.issuer.grant(&issuer::Issuer::accounts()[2], 3600);
    let mut document = machine.auth_json();
    document["tokens"]["access_token"] = serde_json::json!(grace.access_token);
    document["tokens"]["id_token"] = serde_json::json!(grace.id_token);
    document["tokens"]["account_id"] = serde_json::json!(grace.account_id);
    machine.write_auth_json(&document);
    drop(codex);
    let output = erase.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("changed"), "{text}");
    assert_eq!(machine.token(), grace.access_token);
}

/// The program waits for a lock on a second thread.
fn waits_for_lock(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
}

#[test]
fn erase_with_a_held_lock_fails_after_wait() {
    let (machine, _) = Machine::signed_in(3600);
    let stuck = crate::machine::lock(&machine.path("auth.json.lock"));
    let output = machine.command("erase --wait 300ms").write_stdin(OURS).assert().code(1);
    output.stderr(contains("auth.json.lock"));
    drop(stuck);
    assert!(machine.path("auth.json").exists());
}

fn report_rejection(machine: &Machine, token: &str) -> String {
    let input = format!("{}password={token}\n", OURS.trim_end().to_owned() + "\n");
    let output = machine.command("erase").write_stdin(input).assert().success();
    String::from_utf8(output.get_output().stderr.clone()).unwrap()
}

#[test]
fn server_that_rejects_every_token_costs_one_renewal() {
    let (machine, _) = Machine::signed_in(864_000);
    let mut messages = Vec::new();
    for _ in 0..15 {
        messages.push(report_rejection(&machine, &machine.token()));
    }
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_eq!(messages[0], "");
    assert!(
        messages[1..].iter().all(|text| text.contains("rejects new tokens too")),
        "{messages:?}"
    );
    assert!(messages[1].contains("hint: check that ada@example.com may use this server"));
}

#[test]
fn repeated_rejections_of_one_token_count_once() {
    let (machine, tokens) = Machine::signed_in(864_000);
    for _ in 0..3 {
        assert_eq!(report_rejection(&machine, &tokens.access_token), "");
    }
    assert_ne!(machine.token(), tokens.access_token);
}

#[test]
fn pause_after_a_rejection_ends_and_grows() {
    let (machine, _) = Machine::signed_in(864_000);
    report_rejection(&machine, &machine.token());
    machine.token();
    let path = machine.own("rejected");
    // As if the last rejection was that long ago, in seconds; then how many rejections it was, and whether one more is kept.
    for (age, count, is_braked) in [
        (31, 1, false),
        (20, 1, true),
        (50, 2, true),
        (61, 2, false),
        (3590, 20, true),
        (3601, 20, false),
    ] {
        let mut record: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        record["at"] = (codex_credential::clock::now() - age).into();
        record["count"] = count.into();
        std::fs::write(&path, record.to_string()).unwrap();
        let text = report_rejection(&machine, &machine.token());
        assert_eq!(text.contains("rejects new tokens too"), is_braked, "{age} s, {count}: {text}");
        machine.token();
    }
    // A clock that was set back, and a clock in the future, do not brake for long.
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["at"] = (codex_credential::clock::now() + 86_400).into();
    std::fs::write(&path, record.to_string()).unwrap();
    assert_eq!(report_rejection(&machine, &machine.token()), "");
}

#[test]
fn misspelled_password_removes_nothing() {
    let (machine, tokens) = Machine::signed_in(3600);
    for line in ["Password=", "password =", "pass=", "token="] {
        let input = format!("{}\n{line}{}\n", OURS.trim_end(), tokens.access_token);
        let output = machine.command("erase").write_stdin(input).assert().code(2);
        output.stderr(
            contains("nothing was removed\nhint: ")
                .and(contains(tokens.access_token.as_str()).not()),
        );
    }
    for input in ["password=made-up\n", "host=chatgpt.com\npassword=made-up\n"] {
        machine.command("erase").write_stdin(input).assert().code(2);
    }
    // A url clears the attributes before it.
    for key in ["password", "credential", "Password"] {
        let input = format!("{key}={}\nurl=https://chatgpt.com/\n", tokens.access_token);
        let output = machine.command("erase").write_stdin(input).assert().code(2);
        output.stderr(contains("nothing was removed"));
    }
    assert!(machine.path("auth.json").exists());
}

#[test]
fn absurd_times_in_records_stop_nothing() {
    let (machine, _) = Machine::signed_in(3600);
    std::fs::create_dir(machine.own("")).unwrap();
    for at in [i64::MIN, i64::MAX, -1] {
        let token = machine.token();
        let rejected = serde_json::json!({"token": "0".repeat(64), "at": at, "count": u32::MAX});
        std::fs::write(machine.own("rejected"), rejected.to_string()).unwrap();
        let failure = serde_json::json!({
            "error": {"kind": "network", "message": "made up"}, "id": "x", "count": u32::MAX,
            "at": at, "not_before": i64::MIN,
        });
        std::fs::write(machine.own("failure"), failure.to_string()).unwrap();
        assert_eq!(report_rejection(&machine, &token), "");
        assert_ne!(machine.token(), token);
    }
}
