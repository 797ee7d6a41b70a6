//! What the first caller found out of a login serves the next ones, and never for another login.

use crate::machine::{Machine, OURS, Private, ada, files};
use codex_credential::answer::credential::Credential;
use codex_credential::answer::formats::Format;
use codex_credential::login::Login;
use codex_credential::storage::codex_home::CodexHome;
use codex_credential::storage::gist;
use codex_credential::storage::keyring::KeyringTimeouts;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

const FORMATS: [&str; 6] = ["git", "token", "json", "header", "env", "bazel"];

fn answer(machine: &Machine, format: &str) -> String {
    let request = if format == "bazel" { r#"{"uri":"https://chatgpt.com/"}"# } else { OURS };
    let line = format!("get --format {format} --wait 20s");
    let output = machine.command(&line).write_stdin(request).assert().success();
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

/// Another one, where the file was written anew.
fn file_number(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// Sets the clock of the file back to what it was: nothing but its content tells that it is another one.
fn write_unseen(machine: &Machine, content: &Value) {
    let before: SystemTime = fs::metadata(machine.path("auth.json")).unwrap().modified().unwrap();
    machine.write_auth_json(content);
    let file = File::options().write(true).open(machine.path("auth.json")).unwrap();
    file.set_modified(before).unwrap();
}

#[test]
fn the_second_answer_is_the_first_one_in_every_form() {
    for format in FORMATS {
        let (machine, _) = Machine::signed_in(864_000);
        let seconds = |answer: String| match serde_json::from_str::<Value>(&answer) {
            Ok(mut json) if format == "json" => {
                json["expires_in"].take();
                json.to_string()
            }
            _ => answer,
        };
        let first = seconds(answer(&machine, format));
        let noted = file_number(&machine.own("gist"));
        assert_eq!(seconds(answer(&machine, format)), first);
        assert_eq!(file_number(&machine.own("gist")), noted, "{format}: it is not written again");
    }
}

#[test]
fn a_login_that_another_program_writes_is_answered_at_once() {
    let (machine, tokens) = Machine::signed_in(864_000);
    assert_eq!(machine.token(), tokens.access_token);
    let mut document = machine.auth_json();
    let other = machine.issuer.grant(&ada(), 864_000).access_token;
    assert_eq!(other.len(), tokens.access_token.len(), "not even the length tells");
    document["tokens"]["access_token"] = other.clone().into();
    write_unseen(&machine, &document);
    assert_eq!(machine.token(), other);
    assert_eq!(machine.token(), other);
}

/// The token that was answered before lies where it lay.
#[test]
fn a_document_that_signs_in_by_something_else_answers_no_token() {
    let (machine, _) = Machine::signed_in(864_000);
    machine.token();
    let mut document = machine.auth_json();
    document["auth_mode"] = "apikeys".into();
    write_unseen(&machine, &document);
    machine.command("get").assert().code(1);
    fs::remove_file(machine.path("auth.json")).unwrap();
    machine.command("get --interactive never").assert().code(3);
}

#[test]
fn a_gist_holds_no_part_of_a_token() {
    let (machine, tokens) = Machine::signed_in(864_000);
    machine.token();
    let gist = fs::read(machine.own("gist")).unwrap();
    let gist = String::from_utf8_lossy(&gist);
    assert!(gist.contains("ada@example.com"), "it says whose login it is");
    for token in [tokens.access_token, tokens.id_token, tokens.refresh_token] {
        for part in token.split('.') {
            assert!(!gist.contains(&part[..part.len().min(12)]));
        }
    }
}

#[test]
fn whatever_lies_in_its_place_the_answer_is_the_login() {
    let (machine, tokens) = Machine::signed_in(864_000);
    machine.token();
    let gist = fs::read(machine.own("gist")).unwrap();
    let mut longer = gist.clone();
    longer.extend([0; 4096]);
    let shorter = &gist[..gist.len() / 2];
    for spoiled in [&b""[..], b"{}", &[0xff; 64], &[0; 4096], shorter, &longer] {
        fs::write(machine.own("gist"), spoiled).unwrap();
        assert_eq!(machine.token(), tokens.access_token);
    }
    for at in 0..gist.len() {
        let mut spoiled = gist.clone();
        spoiled[at] ^= 0x55;
        fs::write(machine.own("gist"), spoiled).unwrap();
        assert_eq!(machine.token(), tokens.access_token, "byte {at}");
    }
    fs::remove_file(machine.own("gist")).unwrap();
    fs::create_dir(machine.own("gist")).unwrap();
    assert_eq!(machine.token(), tokens.access_token);
    machine.command("logout").assert().success();
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn a_login_that_goes_takes_its_gist_along() {
    for line in ["logout", "erase --yes"] {
        let (machine, _) = Machine::signed_in(864_000);
        machine.token();
        machine.command(line).assert().success();
        assert!(!machine.own("gist").exists(), "{line}");
    }
}

#[test]
fn a_login_of_our_own_has_a_gist_too() {
    for storage in ["file", "memory"] {
        let private = Private::new(storage);
        let token = private.sign_in(&ada(), "");
        let machine = &private.machine;
        assert_eq!(machine.token(), token);
        let folder = if storage == "file" { &private.state } else { &private.runtime };
        let gist = files(folder.path()).into_iter().find(|file| file.ends_with("gist"));
        let gist = gist.unwrap();
        let noted = file_number(&gist);
        assert_eq!(machine.token(), token);
        assert_eq!(file_number(&gist), noted, "{storage}: it is not written again");
    }
}

/// The login in the document, and in its gist.
fn both(home: &Path, document: &Value) -> Option<(Login, Login)> {
    fs::write(home.join("auth.json"), document.to_string()).unwrap();
    let home = CodexHome::new(home.to_owned(), KeyringTimeouts::default());
    let read = home.read_cached(|_, _| None).unwrap()?;
    gist::note(&read);
    let known = home.read_cached(gist::read_cached).unwrap().unwrap();
    assert!(known.from_gist, "{document}");
    Some((read.login, known.login))
}

#[test]
fn a_gist_says_what_the_document_says() {
    let home = tempfile::tempdir().unwrap();
    let token = |claims: Value| {
        use base64::Engine;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
        Value::from(format!("e30.{claims}.c2ln"))
    };
    let auth = "https://api.openai.com/auth";
    let tokens = [
        Value::Null,
        "opaque".into(),
        token(json!({})),
        token(json!({"exp": 1.9e9, "iat": "soon", "email": "a@b.example"})),
        token(
            json!({"exp": 2_000_000_000, "iat": 1_900_000_000, "sub": "s", auth: {"chatgpt_account_id": "w"}}),
        ),
        token(
            json!({"preferred_username": "p", auth: {"chatgpt_account_id": "v", "chatgpt_plan_type": "pro"}}),
        ),
    ];
    let mut seen = 0;
    for access_token in &tokens {
        for id_token in &tokens {
            for account_id in [Value::Null, "w".into()] {
                let document = json!({
                    "tokens": {"id_token": id_token, "access_token": access_token, "account_id": account_id},
                    "last_refresh": "2026-01-01T00:00:00Z",
                });
                let Some((read, known)) = both(home.path(), &document) else { continue };
                seen += 1;
                assert_eq!(*known.access_token, *read.access_token);
                assert_eq!(known.lifetime(), read.lifetime(), "{document}");
                assert_eq!(known.renew_at(), read.renew_at());
                assert_eq!(known.username(), read.username(), "{document}");
                assert_eq!(known.account(), read.account(), "{document}");
                assert_eq!(known.recorded, read.recorded);
                assert_eq!(known.claimed_account(), read.claimed_account(), "{document}");
                for format in [Format::Git, Format::Env, Format::Bazel] {
                    let written = |login: &Login| {
                        let mut answer = Vec::new();
                        format.write(&mut answer, &Credential::default(), login, None).unwrap();
                        String::from_utf8(answer).unwrap()
                    };
                    assert_eq!(written(&known), written(&read));
                }
            }
        }
    }
    assert_eq!(seen, 60, "each but those without an access token");
}
