//! Programs that need the ID token, such as kubectl: it is the token in every format, and is renewed by its own expiry.

use crate::docker::docker;
use crate::gateway::{Gateway, HOST, REQUEST, read};
use crate::machine::{eventually, token_of, told};
use codex_credential::clock;
use issuer::{Endpoint, Fault, Settings};
use serde_json::{Value, json};

const ID_TOKEN: &str = "token = \"id_token\"";

/// Lets ID tokens expire `lifetime` seconds from now.
fn expires_in(settings: &mut Settings, lifetime: i64) {
    let claims = &mut settings.standard.id_token_claims;
    claims.insert("exp".into(), json!(clock::now() + lifetime));
}

fn stored(gateway: &Gateway, token: &str) -> String {
    read(&gateway.logins()[0])[token].as_str().unwrap().to_owned()
}

/// Returns standard output.
fn run(gateway: &Gateway, line: &str, input: &str) -> String {
    let output = gateway.machine.command(line).write_stdin(input).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn id_token_is_the_token_in_every_format() {
    let gateway = Gateway::with(ID_TOKEN, |_| {});
    gateway.sign_in();
    let [id, access] = ["id_token", "access_token"].map(|name| stored(&gateway, name));
    let bazel = json!({ "uri": format!("https://{HOST}/") }).to_string();
    let mut answers = vec![
        run(&gateway, "get", REQUEST),
        run(&gateway, "get", &REQUEST.replace("\n\n", "\ncapability[]=authtype\n\n")),
        run(&gateway, "get", &bazel),
        run(&gateway, "token --profile company", ""),
        run(&gateway, "exec --profile company --env T=token -- /usr/bin/env", ""),
        docker(&gateway.machine, "get", HOST).1,
    ];
    for format in ["token", "json", "header", "env", "exec-credential"] {
        answers.push(run(&gateway, &format!("get --format {format} --profile company"), ""));
    }
    for answer in answers {
        assert!(answer.contains(&id) && !answer.contains(&access), "{answer}");
    }
    // The lifetime is the ID token's: an hour, not ten days.
    let answer: Value =
        serde_json::from_str(&run(&gateway, "get --format json --profile company", "")).unwrap();
    assert!((3000..=3600).contains(&answer["expires_in"].as_i64().unwrap()), "{answer}");
    let status: Value =
        serde_json::from_str(&run(&gateway, "status --json --profile company", "")).unwrap();
    assert_eq!(status["expires_at"], answer["expires_at"]);
}

#[test]
fn option_overrides_the_profile() {
    for (key, default, other) in [("", "access", "id"), (ID_TOKEN, "id", "access")] {
        let gateway = Gateway::with(key, |_| {});
        gateway.sign_in();
        let get = |options: &str| {
            let line = format!("get --format token --profile company {options}");
            run(&gateway, &line, "").trim_end().to_owned()
        };
        let stored = |kind: &str| stored(&gateway, &format!("{kind}_token"));
        assert_eq!(get(""), stored(default));
        assert_eq!(get(&format!("--token {default}")), stored(default));
        assert_eq!(get(&format!("--token {other}")), stored(other));
        assert_eq!(get(&format!("--token {other}_token")), stored(other));
        // The full program gives the same answer.
        assert_eq!(get(&format!("--account ada@example.com --token {other}")), stored(other));
    }
}

#[test]
fn id_token_is_renewed_by_its_own_expiry() {
    let gateway = Gateway::with(ID_TOKEN, |s| expires_in(s, 8));
    let issuer = &gateway.machine.issuer;
    let first = gateway.sign_in();
    let access = stored(&gateway, "access_token");
    issuer.set(|s| drop(s.standard.id_token_claims.remove("exp")));
    let line = "get --format token --token access --interactive never --profile company";
    eventually(|| {
        let callers: Vec<_> =
            (0..8).map(|_| gateway.start("get --format token --wait 60s")).collect();
        callers.into_iter().map(token_of).all(|token| token != first)
    });
    assert_eq!(issuer.counts().refreshes, 1);
    assert_eq!(gateway.token(), stored(&gateway, "id_token"));
    assert_ne!(run(&gateway, line, "").trim_end(), access);
}

#[test]
fn issuer_that_renews_no_id_token_is_asked_once() {
    let gateway = Gateway::with(ID_TOKEN, |s| {
        s.refresh_answers_id_token = false;
    });
    let issuer = &gateway.machine.issuer;
    let token = gateway.sign_in();
    gateway.erase(&token);
    let get = || {
        let line = "get --format token --interactive never --wait 30s --error-format json";
        gateway.command(line).output().unwrap()
    };
    for _ in 0..3 {
        let output = get();
        assert_eq!(output.status.code(), Some(3));
        let error = told(&output);
        assert_eq!(error["kind"], "login_required");
        assert!(error["message"].as_str().unwrap().contains("renews no ID token"), "{error}");
    }
    assert_eq!(issuer.counts().refreshes, 1);
    // The access token still works, and a sign-in brings a new ID token.
    run(&gateway, "get --format token --token access --profile company", "");
    let caller = gateway.start("get --format token --wait 60s");
    gateway.machine.approve_next();
    assert_eq!(token_of(caller), stored(&gateway, "id_token"));
}

#[test]
fn login_without_an_id_token_hands_out_no_other_token() {
    let gateway = Gateway::with(ID_TOKEN, |s| s.standard.answers_id_token = false);
    let (code, says) = gateway.sign_in_as(&crate::machine::ada(), "");
    assert_eq!(code, Some(0), "{says}");
    for line in ["get", "get --format exec-credential", "token"] {
        let output = gateway.command(line).output().unwrap();
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty() && says.contains("openid"), "{line}: {says}");
        assert_eq!(output.status.code(), Some(2), "{line}: {says}");
    }
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.refreshes, counts.user_codes), (0, 1));
    gateway.command("status").assert().code(3);
}

#[test]
fn renewal_waits_for_keys_that_cannot_be_had_now() {
    let gateway = Gateway::with(ID_TOKEN, |_| {});
    let issuer = &gateway.machine.issuer;
    let token = gateway.sign_in();
    gateway.erase(&token);
    issuer.fault(Endpoint::Keys, Fault::status(503, "<html>"), 1);
    gateway.command("get --format token --interactive never").assert().code(1);
    // The next request comes after a pause.
    eventually(|| gateway.command("get").output().unwrap().status.success());
    assert_ne!(gateway.token(), token);
    assert_eq!(issuer.counts().refreshes, 1);
}
