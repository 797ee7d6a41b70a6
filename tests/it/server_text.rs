//! Text that a server sends and we show: invisible characters, and those that change how other text is shown, are refused
//! or made visible.

use crate::gateway::Gateway;
use crate::machine::{Machine, ada};
use issuer::{Endpoint, Fault};
use serde_json::json;

/// Control characters, embeddings, overrides, isolates, marks, and characters without a width.
const HIDDEN: [&str; 18] = [
    "\u{1b}[2J",
    "\u{7}",
    "\r",
    "\n",
    "\u{7f}",
    "\u{9b}2J",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{200e}",
    "\u{200f}",
    "\u{202a}",
    "\u{202e}",
    "\u{2066}",
    "\u{2069}",
    "\u{2028}",
    "\u{feff}",
];

fn assert_nothing_hidden(text: &str) {
    for hidden in HIDDEN.iter().filter(|hidden| **hidden != "\n") {
        assert!(!text.contains(hidden), "{text:?}");
    }
}

#[test]
fn user_code_with_hidden_characters_is_refused() {
    for hidden in HIDDEN {
        let body = json!({"device_auth_id": "d", "user_code": format!("ABCD{hidden}12345")});
        let machine = Machine::new();
        machine.issuer.fault(Endpoint::UserCode, Fault::status(200, body.to_string()), 1);
        let output = machine.command("login --wait 20s").assert().code(1);
        let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(says.contains("did not send a user code"), "{hidden:?}: {says}");
        assert_nothing_hidden(&says);
    }
}

#[test]
fn verification_url_that_does_not_show_its_host_is_refused() {
    let urls = HIDDEN.iter().map(|hidden| format!("https://a.example/device{hidden}"));
    let hosts = HIDDEN.iter().map(|hidden| format!("https://a{hidden}.example/device"));
    let more = [
        "https://login.example@evil.example/",
        "https://login.example\\@evil.example/",
        "https://login.example\u{2215}x.evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
    ];
    for url in urls.chain(hosts).chain(more.map(str::to_owned)) {
        let gateway = Gateway::new();
        let body = json!({
            "device_code": "d", "user_code": "ABCD-1234", "verification_uri": url, "expires_in": 600,
        });
        let fault = Fault::status(200, body.to_string());
        gateway.machine.issuer.fault(Endpoint::UserCode, fault, 1);
        let output = gateway.command("login --wait 20s").assert().code(1);
        let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(
            says.contains("did not send a user code") && !says.contains("evil"),
            "{url:?}: {says}"
        );
    }
}

#[test]
fn endpoint_that_does_not_show_its_host_is_refused() {
    for endpoint in [
        "https://a\u{200b}.example/token",
        "https://a.example\\@evil.example/",
        "https://a.example/\u{202e}",
    ] {
        let gateway = Gateway::new();
        let issuer = gateway.machine.issuer.url();
        let body = json!({
            "issuer": issuer, "token_endpoint": endpoint,
            "device_authorization_endpoint": format!("{issuer}/device_authorization"),
        });
        gateway.machine.issuer.fault(Endpoint::Discovery, Fault::status(200, body.to_string()), 9);
        let output = gateway.command("login --wait 20s").assert().failure();
        let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert_nothing_hidden(&says);
        assert!(!says.contains("evil"), "{says}");
        assert_eq!(gateway.machine.issuer.counts().user_codes, 0);
    }
}

#[test]
fn hidden_characters_in_an_error_become_visible() {
    for hidden in HIDDEN {
        let body =
            json!({"error": "invalid_scope", "error_description": format!("not{hidden}granted")});
        let gateway = Gateway::new();
        let fault = Fault::status(400, body.to_string());
        gateway.machine.issuer.fault(Endpoint::UserCode, fault.clone(), 2);
        for line in ["login --wait 20s", "login --wait 20s -v --error-format json"] {
            let output = gateway.command(line).assert().code(2);
            let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
            assert_nothing_hidden(&says);
            assert!(says.contains("not") && says.contains("granted"), "{says}");
        }
        let (machine, _) = Machine::signed_in(-1);
        let body = json!({"error": format!("odd{hidden}code")});
        machine.issuer.fault(Endpoint::Refresh, Fault::status(400, body.to_string()), 1);
        let output = machine.command("get --wait 20s").assert().failure();
        let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(says.contains("odd") && says.contains("code"), "{says}");
        assert_nothing_hidden(&says);
    }
}

#[test]
fn account_name_with_hidden_characters_is_not_shown() {
    for hidden in HIDDEN {
        let gateway = Gateway::with("", |s| {
            let email = format!("mallory@example.com{hidden}");
            s.standard.id_token_claims.insert("email".into(), email.into());
            s.standard
                .id_token_claims
                .insert("preferred_username".into(), format!("mallory{hidden}").into());
        });
        let (code, says) = gateway.sign_in_as(&ada(), "");
        assert_eq!(code, Some(0), "{hidden:?}: {says}");
        let status = gateway.command("status").unwrap();
        for text in [says, String::from_utf8(status.stdout).unwrap()] {
            assert_nothing_hidden(&text);
            assert!(!text.contains("mallory"), "{text}");
        }
    }
}
