//! Generated input for everything that reads data from outside: no panic, no content in an error, and only valid values
//! are accepted.

mod files;
mod requests;
mod responses;

use crate::attack::Attack;
use crate::hostile_caller::{holds, run};
use crate::machine::Machine;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use codex_credential::account::Claims;
use codex_credential::answer::credential::Credential;
use codex_credential::client::ClientRegistration;
use codex_credential::client::{Endpoints, Standard};
use codex_credential::error::{Error, Kind};
use codex_credential::login::{Lifetime, Login};
use codex_credential::oauth::codex;
use codex_credential::oauth::discovery::discover;
use codex_credential::oauth::http::{Http, Response};
use codex_credential::oauth::standard;
use codex_credential::profile::config::Config;
use codex_credential::storage::Storage;
use codex_credential::storage::codex_config::CodexConfig;
use codex_credential::storage::codex_home::CodexHome;
use codex_credential::storage::keyring::DEFAULT_TIMEOUT;
use codex_credential::tokens::{Secret, is_valid_token};
use codex_credential::urls::is_secure;
use issuer::{Endpoint, Fault, Issuer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};

/// Stands for a secret. No error may contain it.
const SECRET: &str = "made-up-secret-0123456789abcdef0123456789abcdef";

/// Runs `check` with `count` generated inputs. It panics if an input has a wrong effect.
fn for_each<S: Strategy>(attack: &Attack, count: u32, inputs: &S, check: impl Fn(S::Value)) {
    let config =
        ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(inputs, |input| {
        attack.again();
        check(input);
        Ok(())
    });
    outcome.unwrap();
}

/// Asserts that the error is one line, without the secret.
fn assert_one_line_without_secret(error: &Error) {
    let text = serde_json::to_string(error).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert_one_line(error);
}

fn assert_one_line(error: &Error) {
    for text in [Some(&error.text()), error.hint.as_ref()].into_iter().flatten() {
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.len() < 1000, "{} bytes", text.len());
    }
}

const ODD: &[&str] = &[
    "",
    " ",
    "a\nb",
    "a\rb",
    "a\0b",
    "\u{1b}[2J",
    "ä",
    "\u{202e}",
    "chatgpt.com",
    "https",
    "-1",
    "1e400",
    SECRET,
    "18446744073709551615",
    "https://a.example/%0a",
    "pending",
    "2026-01-01T00:00:00Z",
];

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => select(ODD).prop_map(str::to_owned),
        5 => Just(SECRET.to_owned()),
        4 => any::<String>(),
        1 => select(&[64_usize, 65, 201, 64_001][..]).prop_map(|length| "x".repeat(length)),
    ]
}

/// Generates objects with members of these names and any type.
fn json_of(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        odd_text().prop_map(Value::from),
    ];
    let inner = leaf.prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            object(names, inner).prop_map(Value::from),
        ]
    });
    object(names, inner).prop_map(Value::from)
}

fn object(
    names: &'static [&'static str],
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![9 => select(names).prop_map(str::to_owned), 1 => any::<String>()];
    vec((name, value), 0..8).prop_map(|members| members.into_iter().collect())
}

/// Generates variants of a valid document: some members, at the top or one level below, have another value.
fn nearly(good: &Value, names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let good = good.clone();
    let odd = prop_oneof![3 => odd_text().prop_map(Value::from), 1 => json_of(names)];
    vec((select(names), odd, any::<bool>()), 0..3).prop_map(move |odds| {
        let mut document = good.clone();
        for (name, value, below) in odds {
            match document.get_mut("tokens").filter(|tokens| below && tokens.is_object()) {
                Some(tokens) => tokens[name] = value,
                None => document[name] = value,
            }
        }
        document
    })
}

/// Generates the bytes of a document, cut or with a changed byte in some cases.
fn spoiled(document: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = proptest::option::of((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()));
    (document, change).prop_map(|(mut bytes, change)| {
        if let (Some((at, byte, cut)), false) = (change, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
        }
        bytes
    })
}

fn bytes_of(names: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    spoiled(json_of(names).prop_map(|json| json.to_string().into_bytes()))
}

fn login(access_token: &str) -> Login {
    let by = ClientRegistration { issuer: "https://a.example".into(), client_id: "c".into() };
    let reply = json!({"access_token": "a"}).to_string().into_bytes();
    let reply = Response { status: 200, body: reply.into(), ..Response::default() };
    let login = Login::from_response(&reply.tokens().unwrap(), &by).unwrap();
    Login { access_token: Secret::from(access_token).into(), skew: i64::MIN, ..login }
}

#[test]
fn a_token_of_any_claims_is_a_token() {
    let attack = attack!(Servers, "claims of any form in a token");
    each(&attack, 1000, &bytes_of(CLAIMS), |claims| {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let _ = Claims::from_jwt(&token);
        let login = login(&token);
        let _ = (login.renew_at(), login.lifetime().covers(300, 0));
        let account = login.account();
        assert!(!account.username().contains(char::is_control));
        let end = login.lifetime().expires_at.map(codex_credential::clock::rfc3339);
        assert!(end.is_none_or(|end| end.ends_with('Z')));
    });
}

#[test]
fn any_text_is_a_token_or_none() {
    let attack = attack!(Servers, "any text for a token");
    each(&attack, 1000, &odd_text(), |token| {
        let _ = Claims::from_jwt(&token);
        let _ = login(&token).account();
    });
}

#[test]
fn an_answer_of_the_token_endpoint_is_tokens_or_an_error() {
    let attack = attack!(Servers, "answers of the token endpoint of any form");
    each(&attack, 1000, &(100..=999_u16, bytes_of(BODY)), |(status, body)| {
        let reply = Response { status, body: body.into(), ..Response::default() };
        is_decent(&reply.error("https://a.example/oauth/token"));
        let grant = reply.tokens();
        let tokens = grant
            .iter()
            .flat_map(|grant| [&grant.access_token, &grant.refresh_token, &grant.id_token]);
        for token in tokens.flatten() {
            assert!(is_valid_token(token.expose()) && !token.expose().is_empty());
        }
    });
}

#[test]
fn an_auth_json_is_a_login_or_an_error_that_does_not_quote_it() {
    let attack = attack!(Callers, "`auth.json`, spoilt in any way: nothing of it quoted");
    let good = good_auth_json();
    let nearly = nearly(&good, AUTH_JSON);
    let documents = prop_oneof![
        1 => bytes_of(AUTH_JSON),
        3 => spoiled(nearly.prop_map(|json| json.to_string().into_bytes())),
    ];
    each(&attack, 300, &documents, |document| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("auth.json"), &document).unwrap();
        let home = CodexHome::new(folder.path().to_owned(), DEFAULT_TIMEOUT);
        match home.load() {
            Ok(Some(login)) => assert!(is_valid_token(login.access_token.expose())),
            Ok(None) => {}
            Err(error) => is_decent(&error),
        }
        if let Err(error) = home.load_api_key() {
            is_decent(&error);
        }
    });
}

#[test]
fn a_secret_in_any_member_of_an_auth_json_is_in_no_error() {
    let attack = attack!(Secrets, "a token in any member of `auth.json`, quoted in an error");
    for name in AUTH_JSON {
        for odd in [json!(SECRET), json!([SECRET]), json!({ SECRET: SECRET }), json!(7)] {
            for below in [false, true] {
                attack.again();
                let mut document = good_auth_json();
                let place = if below { &mut document["tokens"] } else { &mut document };
                place[*name] = odd.clone();
                let folder = tempfile::tempdir().unwrap();
                fs::write(folder.path().join("auth.json"), document.to_string()).unwrap();
                let home = CodexHome::new(folder.path().to_owned(), DEFAULT_TIMEOUT);
                let failures = [home.load().err(), home.load_api_key().err()];
                failures.iter().flatten().for_each(is_decent);
            }
        }
    }
}

const CONFIG: &str = r#"default_profile = "company"
[git]
storage = "file"
[profiles.company]
issuer = "https://id.company.example"
client_id = "codex"
scope = "openid"
hosts = ["gateway.company.example", "h.example:8443"]
storage = "file"
interactive = "auto"
"#;

const CODEX_CONFIG: &str = r#"model = "gpt-5"
cli_auth_credentials_store = "file"
forced_login_method = "chatgpt"
forced_chatgpt_workspace_id = ["a"]
[model_providers.x]
experimental_bearer_token = "made-up-secret-0123456789abcdef0123456789abcdef"
[features]
secret_auth_storage = false
"#;

/// A document with some characters put in, some taken out, some lines twice.
fn edited(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let put = select(
        &["\"", "'", "=", "[", "]", "{", "}", "\n", ".", "\u{0}", "ä", "\\u", "\"\"\"", "#", "9"][..],
    );
    vec((any::<prop::sample::Index>(), put, 0..3_usize), 0..4).prop_map(move |edits| {
        let mut text = text.as_bytes().to_vec();
        for (at, put, gone) in edits {
            let at = at.index(text.len());
            let end = (at + gone).min(text.len());
            text.splice(at..end, put.bytes());
        }
        text
    })
}

#[test]
fn our_configuration_is_understood_or_refused_by_line() {
    let attack = attack!(Callers, "`config.toml`, spoilt in any way: nothing of it quoted");
    each(&attack, 1000, &prop_oneof![edited(CONFIG), vec(any::<u8>(), 0..200)], |text| {
        let text = String::from_utf8_lossy(&text);
        if let Err(error) = Config::parse(Path::new("/config.toml"), &text) {
            assert!(matches!(error.kind, Kind::Configuration | Kind::Usage), "{error}");
            is_decent(&error);
        }
    });
}

#[test]
fn codexs_configuration_is_understood_or_refused_without_its_secrets() {
    let attack = attack!(Callers, "Codex's `config.toml`, spoilt in any way: nothing of it quoted");
    each(&attack, 1000, &edited(CODEX_CONFIG), |text| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.toml"), text).unwrap();
        if let Err(error) = CodexConfig::load(folder.path()) {
            assert_eq!(error.kind, Kind::Configuration);
            is_decent(&error);
        }
    });
}

/// By real HTTP, in both dialects.
#[test]
fn a_reply_to_a_device_login_is_a_code_or_an_error() {
    let attack = attack!(Servers, "replies to a device login of any form, in both dialects");
    let issuer = Issuer::start();
    let http = Http::new(None).unwrap();
    let client = ClientRegistration { issuer: issuer.url(), client_id: issuer::CLIENT_ID.into() };
    let url = |path: &str| Some(format!("{}{path}", issuer.url()));
    let endpoints = Endpoints {
        device_authorization: url("/device_authorization"),
        token: url("/token"),
        ..Endpoints::default()
    };
    let of_standards = Standard::default();
    let server = standard::StandardServer {
        http: &http,
        client: &client,
        standard: &of_standards,
        endpoints,
        secret_in_body: false,
    };
    let pending = codex::start(&http, &client).unwrap();
    let pending_by_standard = server.start().unwrap();
    let strategy = (select(&[200_u16, 200, 200, 400, 401, 403, 404, 429, 500][..]), json_of(BODY));
    each(&attack, 150, &strategy, |(code, body)| {
        for endpoint in [Endpoint::UserCode, Endpoint::DeviceToken] {
            issuer.fault(endpoint, Fault::status(code, body.to_string()), 2);
        }
        for started in [codex::start(&http, &client), server.start()] {
            match started {
                Ok(pending) => {
                    let prompt = &pending.verification;
                    assert!((1..=64).contains(&prompt.user_code.len()));
                    assert!(!prompt.user_code.contains(char::is_control));
                    assert!(prompt.verification_uri.starts_with("http"));
                }
                Err(error) => is_decent(&error),
            }
        }
        let mut pace = codex_credential::oauth::device::Polling::new(5);
        for poll in [codex::poll(&http, &pending), server.poll(&pending_by_standard)] {
            use codex_credential::oauth::device::PollStep;
            match pace.next_step(poll) {
                PollStep::Fail(error) => is_decent(&error),
                PollStep::Wait(pause) => assert!(pause >= Duration::from_secs(1)),
                PollStep::Store(grant) => {
                    assert!(is_valid_token(grant.access_token.unwrap().expose()));
                }
                PollStep::Exchange(_) => {}
            }
        }
    });
}

const METADATA: &[&str] = &[
    "issuer",
    "device_authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "token_endpoint_auth_methods_supported",
];

#[test]
fn what_an_issuer_says_of_itself_is_endpoints_by_https_or_an_error() {
    let attack = attack!(Servers, "discovery of any form");
    let issuer = Issuer::start();
    let http = Http::new(None).unwrap();
    let endpoint = |path: &str| format!("{}{path}", issuer.url());
    let good = json!({
        "issuer": issuer.url(),
        "device_authorization_endpoint": endpoint("/device_authorization"),
        "token_endpoint": endpoint("/token"),
    });
    each(&attack, 300, &nearly(&good, METADATA), |document| {
        issuer.fault(Endpoint::Discovery, Fault::status(200, document.to_string()), 2);
        let found = discover(&http, &issuer.url(), None);
        issuer.clear_faults();
        match found {
            Ok(found) => {
                let Endpoints { device_authorization, token, revocation, jwks, userinfo } =
                    found.metadata.endpoints();
                let named = [device_authorization, token, revocation, jwks, userinfo];
                assert!(named.iter().flatten().all(|url| is_secure(url)), "{named:?}");
            }
            // What it is called is shown: anybody may ask for that.
            Err(error) => is_one_line(&error),
        }
    });
}

/// Whether a request names nothing, or our host by https.
fn is_ours(request: &[u8]) -> bool {
    Credential::read(request).is_ok_and(|asked| {
        let is = |value: &Option<Vec<u8>>, text: &[u8]| {
            value.as_ref().is_some_and(|value| value.eq_ignore_ascii_case(text))
        };
        let by_https = asked.protocol == Some(b"https".to_vec());
        !asked.names_something() || (by_https && is(&asked.host, b"chatgpt.com"))
    })
}

/// A few hundred of them to the program itself.
#[test]
fn the_program_answers_no_request_but_for_its_own_host() {
    let attack = attack!(Callers, "the grammar of requests, to the program");
    let (machine, tokens) = Machine::signed_in(3600);
    let before = machine.auth_json();
    let operation = select(&["get", "get", "get --format json", "store", "erase"][..]);
    each(&attack, 250, &(operation, request()), |(operation, request)| {
        let named = Credential::read(request.as_slice());
        // That removes the login, as it should.
        let removes = named.as_ref().is_ok_and(|named| named.secret().is_none());
        if operation == "erase" && removes && is_ours(&request) {
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
            assert!(is_ours(&request), "{:?}", String::from_utf8_lossy(&request));
        }
        assert!(!holds(&output.stdout, &tokens.refresh_token));
        assert_eq!(machine.auth_json(), before);
    });
}
