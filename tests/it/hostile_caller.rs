//! A hostile caller: no token goes to a host outside the profile, no input fills the memory, and nothing in the environment
//! makes the program do what the user did not ask for.

mod environment;

use crate::docker::{NOT_FOUND, docker};
use crate::machine::Machine;
use std::process::Output;

/// Runs `line` with `input` and returns its output.
pub fn run(machine: &Machine, line: &str, input: impl AsRef<[u8]>) -> Output {
    machine.command(line).write_stdin(input.as_ref()).output().unwrap()
}

pub fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Attributes that resemble the profile's: protocol and host.
const RESEMBLING: [(&str, &str); 21] = [
    ("https", "chatgpt.com."),
    ("https", "chatgpt.com:8443"),
    ("https", " chatgpt.com"),
    ("https", "chatgpt.com "),
    ("https", "chatgpt.com\t"),
    ("https", "chatgpt.com/"),
    ("https", "chatgpt.com#"),
    ("https", "chatgpt.com@evil.example"),
    ("https", "evil.example@chatgpt.com"),
    ("https", "chatgpt.com.evil.example"),
    ("https", "evil-chatgpt.com"),
    ("https", "www.chatgpt.com"),
    ("https", "chatgpt.co"),
    ("https", "chаtgpt.com"),
    ("https", "xn--chtgpt-2nf.com"),
    ("https", "chatgpt。com"),
    ("https", "ＣＨＡＴＧＰＴ.com"),
    ("https", "chatgpt%2ecom"),
    ("https", "api.openai.com"),
    ("http", "chatgpt.com"),
    ("", "chatgpt.com"),
];

const RESEMBLING_URLS: [&str; 14] = [
    "https://chatgpt.com@evil.example/",
    "https://chatgpt.com:443@evil.example/",
    "https://chatgpt.com%40evil.example/",
    "https://chatgpt.com%2eevil.example/",
    "https://chatgpt.com:443.evil.example/",
    "https://evil.example#@chatgpt.com/",
    "https://evil.example?@chatgpt.com/",
    "https://evil.example/@chatgpt.com/",
    "https://chatgpt.com\\@evil.example/",
    "https://evil.example\\@chatgpt.com/",
    "https://chatgpt.com./",
    "https:///chatgpt.com/",
    "http://chatgpt.com/",
    "https+x://chatgpt.com/",
];

#[test]
fn resembling_host_gets_no_token() {
    let attack = attack!(
        Callers,
        "hosts that resemble ours: case, dot, port, space, user, other letters, punycode, a domain below another, `http`"
    );
    let (mut machine, tokens) = Machine::signed_in(3600);
    machine.set("CODEX_CREDENTIAL_GIT_STORAGE", "none");
    let attributes =
        RESEMBLING.map(|(protocol, host)| format!("protocol={protocol}\nhost={host}\n"));
    let urls = RESEMBLING_URLS.map(|url| format!("url={url}\n"));
    for request in attributes.iter().chain(&urls) {
        attack.again();
        for capability in ["", "capability[]=authtype\ncapability[]=state\n"] {
            let output = run(&machine, "get", format!("{request}{capability}"));
            assert!(output.status.success(), "{request}: {output:?}");
            assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{request}: {output:?}");
        }
        // Such a request neither removes nor replaces the login.
        run(&machine, "erase", request);
        run(&machine, "store", format!("{request}username=ada@example.com\npassword=stolen\n"));
        assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens.access_token, "{request}");
        assert!(!machine.own("rejected").exists(), "{request}");
    }
    for url in RESEMBLING_URLS {
        attack.again();
        let request = serde_json::json!({ "uri": url }).to_string();
        let output = run(&machine, "get", request);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{}\n", "{url}");
        let (code, answer) = docker(&machine, "get", url);
        assert_eq!((code, answer.as_str()), (Some(1), NOT_FOUND), "{url}");
    }
    // Docker ignores blanks and what follows the host.
    let spellings = ["chatgpt.com", "chatgpt.com/", "chatgpt.com#"];
    for (protocol, host) in RESEMBLING {
        if protocol == "https" && !spellings.contains(&host.trim()) {
            attack.again();
            let (code, answer) = docker(&machine, "get", host);
            assert_eq!((code, answer.as_str()), (Some(1), NOT_FOUND), "{host}");
        }
    }
    // Case and the default port change nothing.
    for (protocol, host) in [
        ("https", "ChatGPT.com"),
        ("HTTPS", "chatgpt.com"),
        ("https", "chatgpt.com:443"),
        ("https", "chatgpt.com:"),
    ] {
        let output = run(&machine, "get", format!("protocol={protocol}\nhost={host}\n"));
        assert!(holds(&output.stdout, &tokens.access_token), "{protocol}://{host}");
    }
}

#[test]
fn user_path_or_repeated_attribute_does_not_redirect_the_token() {
    let attack = attack!(Callers, "users, paths and repeated attributes that move the token");
    let (machine, tokens) = Machine::signed_in(3600);
    for (request, answered) in [
        ("url=https://evil.example%2f@chatgpt.com/\n", false),
        ("url=https://ada%40example.com@chatgpt.com/x\n", true),
        ("protocol=https\nhost=chatgpt.com\npath=../../evil.example\n", true),
        ("protocol=https\nhost=evil.example\nhost=chatgpt.com\n", true),
        ("protocol=https\nhost=chatgpt.com\nhost=evil.example\n", false),
        ("protocol=https\nhost=chatgpt.com\nurl=https://evil.example\n", false),
    ] {
        attack.again();
        let output = run(&machine, "get", request);
        assert_eq!(holds(&output.stdout, &tokens.access_token), answered, "{request}");
        // An answer names its host.
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("host=chatgpt.com\n"), answered, "{request}: {text}");
    }
}

#[test]
fn encoded_newline_in_a_url_is_rejected() {
    let attack = attack!(Callers, "a newline, CR or NUL in a URL, in git's form and in Bazel's");
    let (machine, tokens) = Machine::signed_in(3600);
    for newline in ["%0a", "%0A", "%0d", "%00", "%0d%0a"] {
        for url in [
            format!("https://evil.example{newline}host=chatgpt.com/"),
            format!("https://evil.example/x{newline}host=chatgpt.com"),
            format!("https://a{newline}b@chatgpt.com/"),
            format!("https://a:b{newline}host=chatgpt.com@evil.example/"),
        ] {
            for operation in ["get", "store", "erase"] {
                attack.again();
                let output = run(&machine, operation, format!("url={url}\n"));
                assert_eq!(output.status.code(), Some(2), "{url}");
                assert!(output.stdout.is_empty(), "{url}");
                assert!(!holds(&output.stderr, "evil"), "{url}: the error contains no input");
            }
            attack.again();
            let request = serde_json::json!({ "uri": url }).to_string();
            assert_eq!(run(&machine, "get", request).status.code(), Some(2), "{url}");
        }
    }
    // A newline in JSON's notation.
    let request = "{\"uri\":\"https://evil.example/\\nprotocol=https\\nhost=chatgpt.com\"}";
    let output = run(&machine, "get", request);
    assert!(!holds(&output.stdout, &tokens.access_token));
}
