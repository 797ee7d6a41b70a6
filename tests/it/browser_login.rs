//! A sign-in with a browser on this machine: the answer comes to a listener of the sign-in process.

use crate::gateway::Gateway;
use crate::machine::{Machine, PATIENCE, ada, eventually, kill, lock, token_of, told};
use crate::visitor::{approve, decide, get, machine, page_of, parameter, pending_page};
use issuer::{Account, Endpoint, Fault, Issuer};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Output};
use std::time::Duration;
use std::{fs, thread};

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

fn login(gateway: &Gateway) -> Child {
    gateway.start("login --browser --wait 60s --error-format json")
}

fn end(login: Child) -> Output {
    login.wait_with_output().unwrap()
}

/// Asserts that the address of the redirect URI of `page` refuses connections.
fn assert_nobody_listens(page: &str) {
    let redirect_uri = parameter(page, "redirect_uri").unwrap();
    eventually(|| get(&redirect_uri).is_none());
}

/// Takes a port, or leaves it to the program that has it. The kernel closes the sockets of a killed process a moment after the
/// process is gone.
fn take(address: &str) -> Option<TcpListener> {
    let tries = (0..200).map(|_| TcpListener::bind(address));
    let pause = |bound: &std::io::Result<_>| {
        if bound.is_err() {
            thread::sleep(Duration::from_millis(5));
        }
    };
    tries.inspect(pause).find_map(std::io::Result::ok)
}

#[test]
fn approval_signs_in_and_the_last_page_says_so() {
    let gateway = Gateway::new();
    let login = login(&gateway);
    let page = page_of(&gateway);
    let redirect_uri = parameter(&page, "redirect_uri").unwrap();
    assert!(redirect_uri.starts_with("http://127.0.0.1:"), "{redirect_uri}");
    assert_eq!(parameter(&page, "scope").unwrap(), "openid email offline_access");
    let (status, text) = approve(&page, &ada());
    assert_eq!(status, 200);
    assert!(text.contains("use the terminal again"), "{text}");
    assert!(!text.contains("<script") && !text.contains("http"), "{text}");
    let output = end(login);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.contains(&format!("\n\n{page}\n")), "alone on a line: {shown}");
    assert_nobody_listens(&page);
    assert!(gateway.machine.issuer.is_live_access_token(&gateway.token()));
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.exchanges, counts.exchanges_granted), (0, 1, 1));
}

/// Other programs of this machine may use the ports, so this is one test.
#[test]
fn client_of_codex_uses_the_first_free_one_of_its_two_ports() {
    let machine = Machine::new();
    let login = machine.start("login --browser --wait 60s");
    let page = pending_page(&machine, "");
    let redirect_uri = parameter(&page, "redirect_uri").unwrap();
    assert!(
        ["http://127.0.0.1:1455/auth/callback", "http://127.0.0.1:1457/auth/callback"]
            .contains(&&*redirect_uri),
        "{redirect_uri}"
    );
    for (name, value) in [
        ("scope", "openid profile email offline_access api.connectors.read api.connectors.invoke"),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
        ("originator", "codex-credential"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&page, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(parameter(&page, "allowed_workspace_id"), None);
    assert_eq!(approve(&page, &ada()).0, 200);
    assert!(end(login).status.success());
    machine.token();

    let first = take("127.0.0.1:1455");
    fs::write(machine.path("config.toml"), "forced_chatgpt_workspace_id = \"w-1\"\n").unwrap();
    let login = machine.start("login --browser --wait 60s");
    let page = pending_page(&machine, "");
    assert!(parameter(&page, "redirect_uri").unwrap().contains(":1457/"));
    assert_eq!(parameter(&page, "allowed_workspace_id").as_deref(), Some("w-1"));
    machine.command("login --cancel").assert().success();
    assert_eq!(end(login).status.code(), Some(3));
    let second = take("127.0.0.1:1457");
    let output = machine.command("login --browser --wait 60s").assert().code(1);
    output.stderr(contains(":1455/auth/callback").and(contains("login --paste")));
    drop((first, second));
}

#[test]
fn denial_is_told_in_words_on_the_page_and_in_the_terminal() {
    let gateway = Gateway::new();
    let login = login(&gateway);
    let page = page_of(&gateway);
    let (status, text) = get(&decide(&page, &ada(), "deny")).unwrap();
    assert_eq!(status, 400);
    assert!(text.contains("the sign-in was denied in the browser"), "{text}");
    let output = end(login);
    assert_eq!(output.status.code(), Some(4));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("\"denied\"") && text.contains("The user denied the request."), "{text}");
    assert_nobody_listens(&page);
    gateway.command("login --cancel").assert().success().stderr(contains("no sign-in is pending"));
}

#[test]
fn requests_that_are_no_answer_change_nothing() {
    let gateway = Gateway::new();
    let login = login(&gateway);
    let page = page_of(&gateway);
    let redirect_uri = parameter(&page, "redirect_uri").unwrap();
    let (state, issuer) = (parameter(&page, "state").unwrap(), gateway.machine.issuer.url());
    let origin = redirect_uri.strip_suffix("/callback").unwrap();
    for (path, status) in [
        ("/", 404),
        ("/favicon.ico", 404),
        ("/callback/x", 404),
        ("/callback", 400),
        (&format!("/callback?code=x&state={state}"), 400),
        (&format!("/callback?code=x&state={state}&iss=https://evil.example"), 400),
        (&format!("/callback?code=x&state={state}x&iss={issuer}"), 400),
        (&format!("/callback?code=x&state={state}&state=y&iss={issuer}"), 400),
        (&format!("/callback?code=x&code=y&state={state}&iss={issuer}"), 400),
        (&format!("/callback?code=x&error=y&state={state}&iss={issuer}"), 400),
        (&format!("/callback?error=access_denied&state=&iss={issuer}"), 400),
        (&format!("/callback?error=access_denied&iss={issuer}"), 400),
    ] {
        assert_eq!(get(&format!("{origin}{path}")).unwrap().0, status, "{path}");
    }
    let address = origin.strip_prefix("http://").unwrap();
    let long = format!("GET /callback?{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let post = format!("POST /callback?code=x&state={state}&iss={issuer} HTTP/1.1\r\n\r\n");
    for garbage in ["\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n", &long, &post] {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(garbage.as_bytes());
    }
    // Clients that send nothing, or never end, do not keep the browser waiting.
    let slow: Vec<_> = (0..16).map(|_| TcpStream::connect(address).unwrap()).collect();
    let _ = (&slow[0]).write_all(b"GET /callback?co");
    assert_eq!(approve(&page, &ada()).0, 200);
    assert!(end(login).status.success());
    assert_eq!(gateway.machine.issuer.counts().exchanges, 1);
    drop(slow);
}

#[test]
fn of_two_answers_at_once_one_is_taken() {
    let gateway = Gateway::new();
    gateway.machine.issuer.fault(Endpoint::Exchange, Fault::DelayBefore(Duration::from_secs(1)), 1);
    let login = login(&gateway);
    let page = page_of(&gateway);
    let address = decide(&page, &ada(), "approve");
    let answers: Vec<_> = (0..4)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || get(&address))
        })
        .collect();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.join().unwrap()).collect();
    let taken = answers.iter().flatten().filter(|(status, _)| *status == 200);
    assert_eq!(taken.count(), 1, "{answers:?}");
    assert!(end(login).status.success());
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.exchanges, counts.codes_replayed), (1, 0));
    assert_nobody_listens(&page);
}

#[test]
fn sign_in_to_another_account_is_revoked_and_the_page_says_why() {
    let gateway = Gateway::with("account = \"ada@example.com\"", |_| {});
    let login = login(&gateway);
    let (status, text) = approve(&page_of(&gateway), &grace());
    assert_eq!(status, 400);
    assert!(text.contains("grace@example.org") && text.contains("revoked"), "{text}");
    let output = end(login);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(gateway.machine.issuer.counts().revocations, 1);
    gateway.command("status").assert().code(3);
}

#[test]
fn id_token_of_another_sign_in_is_revoked() {
    let gateway = Gateway::with("", |s| {
        s.standard.id_token_claims.insert("nonce".into(), "another".into());
    });
    let login = login(&gateway);
    let (status, text) = approve(&page_of(&gateway), &ada());
    assert_eq!(status, 400);
    assert!(text.contains("nonce"), "{text}");
    assert_eq!(end(login).status.code(), Some(1));
    assert_eq!(gateway.machine.issuer.counts().revocations, 1);
}

#[test]
fn answer_of_a_server_that_does_not_name_itself_is_accepted() {
    let gateway = Gateway::with("", |s| s.answers_iss = false);
    let login = login(&gateway);
    assert_eq!(approve(&page_of(&gateway), &ada()).0, 200);
    assert!(end(login).status.success());
}

#[test]
fn server_without_code_or_page_is_reported_before_the_user_is_asked() {
    for name in ["authorization_endpoint", "device_authorization_endpoint"] {
        let gateway = Gateway::with("", |s| s.standard.not_discovered = vec![name.into()]);
        let login = login(&gateway);
        if name == "authorization_endpoint" {
            let output = end(login);
            assert_eq!(output.status.code(), Some(2));
            assert!(String::from_utf8_lossy(&output.stderr).contains(name));
        } else {
            assert_eq!(approve(&page_of(&gateway), &ada()).0, 200);
            assert!(end(login).status.success());
        }
    }
}

#[test]
fn redirect_uri_of_the_profile_is_used() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let uri = format!("http://localhost:{free}/back");
    let line = format!("sign_in = \"browser\"\nredirect_uri = {uri:?}");
    let gateway = Gateway::with(&line, |s| s.redirect_uris = vec![uri.clone()]);
    let login = gateway.start("login --wait 60s");
    let page = page_of(&gateway);
    assert_eq!(parameter(&page, "redirect_uri").as_deref(), Some(&*uri));
    assert_eq!(approve(&page, &ada()).0, 200);
    assert!(end(login).status.success());
    for wrong in ["https://a.example/cb", "http://a.example/cb", "http://127.0.0.1/?x=y", "urn:x"] {
        gateway.configure(&format!("redirect_uri = {wrong:?}"));
        gateway.command("status").assert().code(2).stderr(contains("loopback"));
    }
}

#[test]
fn sixteen_callers_share_one_sign_in() {
    let gateway = Gateway::with("sign_in = \"browser\"", |_| {});
    let callers: Vec<_> = (0..16).map(|_| gateway.start("get --format token --wait 60s")).collect();
    assert_eq!(approve(&page_of(&gateway), &ada()).0, 200);
    let tokens: Vec<_> = callers.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let counts = gateway.machine.issuer.counts();
    assert_eq!((counts.authorizations, counts.exchanges, counts.user_codes), (1, 1, 0));
}

#[test]
fn cancelled_sign_in_ends_every_caller_and_stops_listening() {
    let gateway = Gateway::new();
    let login = login(&gateway);
    let page = page_of(&gateway);
    let mut caller = gateway.start("get --wait 60s --error-format json");
    let mut shown = [0];
    // It has joined the sign-in when it shows the address.
    caller.stderr.as_mut().unwrap().read_exact(&mut shown).unwrap();
    let address = decide(&page, &ada(), "approve");
    gateway.command("login --cancel").assert().success().stderr(contains("was cancelled"));
    for caller in [login, caller] {
        let output = end(caller);
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains("login_cancelled"));
    }
    assert_nobody_listens(&page);
    assert_eq!(get(&address), None);
    assert_eq!(gateway.machine.issuer.counts().exchanges, 0);
}

/// Starts a sign-in, and kills its caller and its process. Returns its page.
fn killed_sign_in(machine: &Machine) -> String {
    let mut login = machine.start("login --browser --wait 60s");
    let page = pending_page(machine, "");
    login.kill().unwrap();
    login.wait().unwrap();
    machine.kill_renewer();
    page
}

#[test]
fn killed_caller_does_not_end_the_sign_in() {
    let machine = machine();
    let mut login = machine.start("login --browser --wait 60s");
    let page = pending_page(&machine, "");
    login.kill().unwrap();
    login.wait().unwrap();
    assert_eq!(approve(&page, &ada()).0, 200);
    machine.token();
}

#[test]
fn killed_sign_in_goes_on_at_the_same_address() {
    let machine = machine();
    let login = machine.start("login --browser --wait 60s");
    let page = pending_page(&machine, "");
    machine.kill_renewer();
    // The waiting caller starts another process.
    let redirect_uri = parameter(&page, "redirect_uri").unwrap();
    eventually(|| get(&redirect_uri).is_some());
    assert_eq!(approve(&page, &ada()).0, 200);
    assert!(end(login).status.success());
    assert_eq!(machine.issuer.counts().exchanges, 1);
}

#[test]
fn killed_sign_in_whose_port_is_taken_starts_again() {
    let machine = machine();
    let page = killed_sign_in(&machine);
    let address = parameter(&page, "redirect_uri").unwrap();
    let address = address.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let _taken = take(address);
    let login = machine.start("login --browser --wait 60s");
    eventually(|| pending_page(&machine, "") != page);
    assert_eq!(approve(&pending_page(&machine, ""), &ada()).0, 200);
    assert!(end(login).status.success());
}

#[test]
fn page_that_nobody_answers_in_time_ends_with_its_listener() {
    let machine = machine();
    let page = killed_sign_in(&machine);
    // The next process goes on with the recorded sign-in, which ends in a moment.
    let file = machine.sign_in_file("pending");
    let mut pending: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let now = codex_credential::clock::now();
    let ends_at: jiff::Timestamp = pending["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((0..=600).contains(&(ends_at.as_second() - now)), "{ends_at}");
    pending["expires_at"] = jiff::Timestamp::from_second(now + 3).unwrap().to_string().into();
    fs::write(&file, pending.to_string()).unwrap();
    let output = end(machine.start("login --browser --wait 60s --error-format json"));
    assert_eq!((output.status.code(), &told(&output)["kind"]), (Some(3), &"login_expired".into()));
    assert_nobody_listens(&page);
}

#[test]
fn code_of_a_killed_sign_in_is_exchanged_by_the_next_caller() {
    let machine = machine();
    // The server does not process the request.
    machine.issuer.fault(Endpoint::Exchange, Fault::Endless, 1);
    let mut login = machine.start("login --browser --wait 60s");
    let address = decide(&pending_page(&machine, ""), &ada(), "approve");
    let browser = thread::spawn(move || get(&address));
    assert!(machine.issuer.wait_until(|c| c.exchanges == 1, PATIENCE));
    login.kill().unwrap();
    login.wait().unwrap();
    machine.renewers().into_iter().for_each(kill);
    browser.join().unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    let counts = machine.issuer.counts();
    assert_eq!((counts.authorizations, counts.exchanges_granted, counts.codes_replayed), (1, 1, 0));
}

#[test]
fn answer_of_a_killed_sign_in_is_stored_by_the_next_caller() {
    let machine = machine();
    let write_lock = lock(&machine.path("auth.json.lock"));
    let mut login = machine.start("login --browser --wait 60s");
    let address = decide(&pending_page(&machine, ""), &ada(), "approve");
    let browser = thread::spawn(move || get(&address));
    eventually(|| crate::machine::is_answered(&machine.sign_in_file("journal")));
    login.kill().unwrap();
    login.wait().unwrap();
    machine.kill_renewer();
    browser.join().unwrap();
    drop(write_lock);
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    assert_eq!(machine.issuer.counts().exchanges, 1);
}

/// Writes a browser that notes its address and writes to its standard output.
pub fn write_browser(machine: &Machine) -> String {
    let path = machine.path("browser");
    let opened = machine.path("opened");
    let script =
        format!("#!/bin/sh\necho noise\necho noise >&2\necho \"$1\" >> '{}'\n", opened.display());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn login_opens_the_page_once_and_the_output_of_the_browser_is_not_shown() {
    let mut gateway = Gateway::new();
    let browser = write_browser(&gateway.machine);
    gateway.machine.set("BROWSER", &format!("/nonexistent:{browser} %s"));
    let login = login(&gateway);
    let page = page_of(&gateway);
    let opened = || fs::read_to_string(gateway.machine.path("opened")).unwrap_or_default();
    eventually(|| !opened().is_empty());
    assert_eq!(opened(), format!("{page}\n"));
    approve(&page, &ada());
    let output = end(login);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("noise"));
}

#[test]
fn unattended_get_opens_no_browser_and_names_the_address() {
    let mut gateway = Gateway::with("sign_in = \"browser\"", |_| {});
    let browser = write_browser(&gateway.machine);
    gateway.machine.set("BROWSER", &browser);
    let output = gateway.command("get --error-format json").assert().code(3);
    let error = told(output.get_output());
    assert_eq!((&error["kind"], &error["user_code"]), (&"login_pending".into(), &().into()));
    assert_eq!(error["verification_uri"], *page_of(&gateway));
    assert!(error["hint"].as_str().unwrap().contains("login --paste"), "{error}");
    let status = gateway.command("status").assert().code(3);
    status.stdout(contains("sign in at ").and(contains(" min")));
    assert_eq!(approve(&page_of(&gateway), &ada()).0, 200);
    gateway.token();
    assert!(!gateway.machine.path("opened").exists());
}

#[test]
fn login_json_prints_the_page() {
    let gateway = Gateway::new();
    let login = gateway.start("login --browser --json --wait 60s");
    let page = page_of(&gateway);
    approve(&page, &ada());
    let output = end(login);
    let text = String::from_utf8(output.stdout).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["verification_uri"]), (&"page".into(), &page.into()));
    assert!(text.contains("\"approved\""), "{text}");
}
