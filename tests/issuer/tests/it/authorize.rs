use issuer::{CLIENT_ID, Issuer};

use crate::{Reply, get, post_form};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT_URI: &str = "http://127.0.0.1:8123/callback";
const STATE: &str = "a-state-of-some-length";

/// Opens the page of an authorization request with one parameter changed.
fn open(issuer: &Issuer, path: &str, changed: &str, to: &str) -> Reply {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", REDIRECT_URI),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", STATE),
    ] {
        query.append_pair(name, if name == changed { to } else { value });
    }
    get(&format!("{}{path}?{}", issuer.url(), query.finish()))
}

/// Decides on the page, and returns the parameters of the redirect.
fn decide(issuer: &Issuer, path: &str, page: &Reply, decision: &str) -> Vec<(String, String)> {
    let request = page.text.split("name=\"request\" value=\"").nth(1).unwrap();
    let request = request.split('"').next().unwrap();
    let account = Issuer::accounts()[2].account_id.clone();
    let fields = [("request", request), ("account", &account), ("decision", decision)];
    let answer = post_form(&(issuer.url() + path), &fields);
    assert_eq!(answer.status, 303);
    assert_eq!(post_form(&(issuer.url() + path), &fields).status, 400, "a decision is final");
    let location = answer.headers["location"].to_str().unwrap();
    let query = location.strip_prefix(REDIRECT_URI).unwrap().strip_prefix('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn value<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// Sends the code with one field changed.
fn exchange(issuer: &Issuer, path: &str, code: &str, changed: &str, to: &str) -> Reply {
    let mut fields = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    for (_, value) in fields.iter_mut().filter(|(name, _)| *name == changed) {
        *value = to;
    }
    post_form(&(issuer.url() + path), &fields)
}

const DIALECTS: [(&str, &str); 2] =
    [("/oauth/authorize", "/oauth/token"), ("/authorize", "/token")];

#[test]
fn approval_yields_a_code_for_tokens_once() {
    for (page, token) in DIALECTS {
        let issuer = Issuer::start();
        let answer = decide(&issuer, page, &open(&issuer, page, "", ""), "approve");
        assert_eq!((value(&answer, "state"), value(&answer, "iss")), (STATE, &*issuer.url()));
        let code = value(&answer, "code");
        let tokens = exchange(&issuer, token, code, "", "");
        assert_eq!(tokens.status, 200, "{}", tokens.text);
        assert!(issuer.is_live_refresh_token(&tokens.member("refresh_token")));
        // The second use ends the login.
        assert_eq!(exchange(&issuer, token, code, "", "").status, 400);
        assert!(!issuer.is_live_refresh_token(&tokens.member("refresh_token")));
        let counts = issuer.counts();
        assert_eq!((counts.exchanges, counts.exchanges_granted, counts.codes_replayed), (2, 1, 1));
    }
}

#[test]
fn denial_is_sent_to_the_app() {
    for (page, _) in DIALECTS {
        let issuer = Issuer::start();
        issuer.set(|s| s.answers_iss = false);
        let answer = decide(&issuer, page, &open(&issuer, page, "", ""), "deny");
        assert_eq!((value(&answer, "error"), value(&answer, "state")), ("access_denied", STATE));
        assert_eq!((value(&answer, "code"), value(&answer, "iss")), ("", ""));
    }
}

#[test]
fn request_with_a_wrong_parameter_is_not_shown() {
    let issuer = Issuer::start();
    for (name, wrong) in [
        ("response_type", "token"),
        ("client_id", "other"),
        ("redirect_uri", "http://127.0.0.1:8123/other"),
        ("redirect_uri", "http://127.0.0.1.evil.example/callback"),
        ("redirect_uri", "https://127.0.0.1:8123/callback"),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
        ("state", ""),
    ] {
        assert_eq!(open(&issuer, "/authorize", name, wrong).status, 400, "{name}");
    }
}

#[test]
fn code_is_bound_to_client_redirect_uri_and_verifier() {
    for (page, token) in DIALECTS {
        let issuer = Issuer::start();
        issuer.set(|s| s.client_id = None);
        let answer = decide(&issuer, page, &open(&issuer, page, "", ""), "approve");
        for (name, wrong) in [
            ("client_id", "other"),
            ("redirect_uri", "http://127.0.0.1:8124/callback"),
            ("code_verifier", "another-verifier-of-at-least-43-characters-xxxx"),
            ("code", "unknown"),
        ] {
            let refused = exchange(&issuer, token, value(&answer, "code"), name, wrong);
            assert_eq!(refused.status, 400, "{name}");
        }
        assert_eq!(issuer.counts().exchanges_granted, 0);
    }
}
