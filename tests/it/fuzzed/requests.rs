//! Generated requests in git's protocol, for the reader and for the program.

use crate::fuzzed::{SECRET, assert_one_line_without_secret, for_each};
use crate::hostile_caller::{holds, run};
use crate::machine::Machine;
use codex_credential::answer::credential::Credential;
use codex_credential::error::Kind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const ATTRIBUTES: &[&str] = &[
    "protocol",
    "host",
    "path",
    "username",
    "password",
    "authtype",
    "credential",
    "password_expiry_utc",
    "oauth_refresh_token",
    "ephemeral",
    "state[]",
    "capability[]",
    "url",
    "wwwauth[]",
    "quit",
    "future",
    "",
];

const VALUES: &[&str] = &[
    "https",
    "http",
    "HTTPS",
    "chatgpt.com",
    "ChatGPT.com",
    "chatgpt.com:443",
    "chatgpt.com.",
    "evil.example",
    "authtype",
    "state",
    "codex-credential:x",
    "",
    "=",
    "0",
    "false",
    "99999999999999999999",
    "1",
    "a b",
    "ada@example.com",
    SECRET,
    "https://chatgpt.com/x",
    "https://u:p@chatgpt.com@evil.example:1/%20%0a",
    "https://chatgpt.com%00",
    "://",
    "a\0b",
    "a\rb",
    "https://%ff%fe/",
    "x://y?z#w",
];

/// Generates requests of attributes, malformed lines and arbitrary bytes.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        6 => select(VALUES).prop_map(|value| value.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..40),
    ];
    let line = prop_oneof![
        8 => (select(ATTRIBUTES), value).prop_map(|(key, value)| [key.as_bytes(), b"=", &value].concat()),
        1 => vec(any::<u8>(), 0..20),
    ];
    let end = select(&["\n", "\n", "\n", "\r\n", "", "\n\n", "\0"][..]);
    vec((line, end), 0..8).prop_map(|lines| {
        lines.iter().flat_map(|(line, end)| [line, end.as_bytes()].concat()).collect()
    })
}

#[test]
fn request_is_rejected_or_read_back_after_writing() {
    let attack = attack!(Callers, "the grammar of requests, to the reader");
    for_each(&attack, 4000, &request(), |request| match Credential::read(request.as_slice()) {
        Ok(read) => {
            let mut written = Vec::new();
            read.write(&mut written).unwrap();
            let again = Credential::read(written.as_slice()).unwrap();
            // What is not written, such as an empty state and the challenges of the server, leaves no trace.
            assert_eq!(
                Credential {
                    schemes: read.schemes,
                    attributes: read.attributes,
                    unknown_attributes: read.unknown_attributes,
                    ..again
                },
                read
            );
        }
        Err(error) => {
            assert_eq!(error.kind, Kind::BadInput);
            assert_one_line_without_secret(&error);
            assert!(error.text().starts_with("line "), "{error}");
        }
    });
}

/// Tells whether a request names nothing, or the host of the profile by https.
fn is_for_profile(request: &[u8]) -> bool {
    Credential::read(request).is_ok_and(|request| {
        let is = |value: &Option<Vec<u8>>, text: &[u8]| {
            value.as_ref().is_some_and(|value| value.eq_ignore_ascii_case(text))
        };
        let by_https = request.protocol == Some(b"https".to_vec());
        !request.names_something() || (by_https && is(&request.host, b"chatgpt.com"))
    })
}

/// Sends a few hundred requests to the program.
#[test]
fn program_answers_only_requests_for_the_profile() {
    let attack = attack!(Callers, "the grammar of requests, to the program");
    let (machine, tokens) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let operation = select(&["get", "get", "get --format json", "store", "erase"][..]);
    for_each(&attack, 250, &(operation, request()), |(operation, request)| {
        let credential = Credential::read(request.as_slice());
        // Without a token, erase removes the login.
        let removes = credential.as_ref().is_ok_and(|credential| credential.secret().is_none());
        if operation == "erase" && removes && is_for_profile(&request) {
            return;
        }
        let output = run(&machine, operation, &request);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 2)), "{operation}: {output:?}");
        assert_eq!(
            code == Some(0),
            !output.stderr.starts_with(b"codex-credential: "),
            "{output:?}"
        );
        assert!(
            !holds(&output.stderr, SECRET) && !holds(&output.stderr, "internal error"),
            "{output:?}"
        );
        if holds(&output.stdout, &tokens.access_token) {
            assert!(is_for_profile(&request), "{:?}", String::from_utf8_lossy(&request));
        }
        assert!(!holds(&output.stdout, &tokens.refresh_token));
        assert_eq!(machine.auth_json(), before);
    });
}
