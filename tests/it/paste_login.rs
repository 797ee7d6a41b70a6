//! A sign-in by pasting the address of the page that the browser could not load, and the choice of a way at the prompt.

use crate::browser_login::write_browser;
use crate::gateway::Gateway;
use crate::machine::{Machine, PATIENCE, ada, eventually};
use crate::terminal::{run, type_in};
use crate::visitor::{approve, decide, machine, page_of, parameter, pending_page};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

const PROMPT: &str = "paste it here";

/// The address as a narrow terminal breaks it, with blanks around.
fn wrapped(address: &str, width: usize) -> String {
    let lines: Vec<_> = address.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
    format!("  {} ", lines.join("\r"))
}

#[test]
fn pasted_address_or_code_signs_in_and_is_not_shown() {
    for form in ["address", "wrapped", "code"] {
        let machine = machine();
        let mut terminal = run(&machine, "login --paste");
        terminal.exp_string(PROMPT).unwrap();
        let address = decide(&pending_page(&machine, ""), &ada(), "approve");
        let code = parameter(&address, "code").unwrap();
        let text = match form {
            "address" => address,
            "wrapped" => wrapped(&address, 40),
            _ => code.clone(),
        };
        type_in(&mut terminal, &format!("{text}\r"));
        let shown = terminal.exp_string("signed in as ada@example.com").unwrap();
        assert!(!shown.contains(&code[..20]), "{shown}");
        let counts = machine.issuer.counts();
        assert_eq!((counts.exchanges, counts.exchanges_granted), (1, 1), "{form}");
        assert!(!machine.sign_in_file("pasted").exists());
    }
}

#[test]
fn address_of_another_sign_in_is_refused_and_the_right_one_taken() {
    let machine = machine();
    let mut terminal = run(&machine, "login --paste");
    terminal.exp_string(PROMPT).unwrap();
    let address = decide(&pending_page(&machine, ""), &ada(), "approve");
    let state = parameter(&address, "state").unwrap();
    let other = address.replace(&state, &state.chars().rev().collect::<String>());
    type_in(&mut terminal, &format!("{other}\r"));
    terminal.exp_string("this is an address of another sign-in; paste the address again").unwrap();
    type_in(&mut terminal, &format!("{}\r", &address[..60]));
    type_in(&mut terminal, "\r");
    terminal.exp_string("this is not the whole address").unwrap();
    type_in(&mut terminal, &format!("{address}\r"));
    terminal.exp_string("signed in as ada@example.com").unwrap();
    assert_eq!(machine.issuer.counts().exchanges, 1);
}

#[test]
fn denial_can_be_pasted_as_well() {
    let machine = machine();
    let mut terminal = run(&machine, "login --paste");
    terminal.exp_string(PROMPT).unwrap();
    let address = decide(&pending_page(&machine, ""), &ada(), "deny");
    type_in(&mut terminal, &format!("{address}\r"));
    terminal.exp_string("the sign-in was denied in the browser").unwrap();
    eventually(|| machine.renewers().is_empty());
}

#[test]
fn address_comes_from_a_pipe_and_needs_no_free_port() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let uri = format!("http://127.0.0.1:{}/cb", taken.local_addr().unwrap().port());
    let line = format!("sign_in = \"paste\"\nredirect_uri = {uri:?}");
    let gateway = Gateway::with(&line, |s| s.redirect_uris = vec![uri.clone()]);
    let mut command = gateway.machine.std_command("login --wait 60s --profile company");
    let mut login = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let address = decide(&page_of(&gateway), &ada(), "approve");
    login.stdin.take().unwrap().write_all(address.as_bytes()).unwrap();
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn second_terminal_pastes_for_the_first() {
    let machine = machine();
    let mut first = run(&machine, "login --browser");
    first.exp_string("open this page in a browser on this machine").unwrap();
    let address = decide(&pending_page(&machine, ""), &ada(), "approve");
    let mut second = run(&machine, "login --paste");
    second.exp_string(PROMPT).unwrap();
    type_in(&mut second, &format!("{address}\r"));
    first.exp_string("signed in as ada@example.com").unwrap();
    second.exp_string("signed in as ada@example.com").unwrap();
    assert_eq!(machine.issuer.counts().authorizations, 1);
}

#[test]
fn ctrl_c_at_the_prompt_cancels_the_sign_in_and_leaves_the_terminal_as_it_was() {
    let machine = machine();
    let script = machine.path("session");
    let program = assert_cmd::cargo::cargo_bin!("codex-credential");
    fs::write(&script, format!("{program:?} login --paste\nstty -a\nsleep 60\n")).unwrap();
    let mut shell = machine.terminal_command("");
    let environment: Vec<_> =
        shell.get_envs().map(|(n, v)| (n.to_owned(), v.map(Into::into))).collect();
    shell = Command::new("/bin/sh");
    shell.env_clear().arg("-c").arg(format!("trap : INT; . '{}'", script.display()));
    for (name, value) in environment {
        let value: Option<std::ffi::OsString> = value;
        shell.env(name, value.unwrap_or_default());
    }
    shell.env("PATH", "/usr/bin:/bin");
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap();
    let mut terminal = rexpect::session::spawn_command(shell, Some(patience)).unwrap();
    terminal.exp_string(PROMPT).unwrap();
    terminal.exp_string("waiting for your approval").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("the sign-in was cancelled").unwrap();
    terminal.exp_string(" icanon").unwrap();
    assert!(!machine.sign_in_file("pending").exists());
}

/// Ends the server of tmux that the test has started.
struct Tmux(String);

impl Tmux {
    fn run(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.0, "-f", "/dev/null"]).args(arguments);
        String::from_utf8(tmux.output().unwrap().stdout).unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[test]
fn address_that_was_wrapped_in_tmux_is_pasted_in_tmux() {
    if Command::new("tmux").arg("-V").output().is_err() {
        println!("skipped: no tmux");
        return;
    }
    let machine = machine();
    let command = machine.std_command("");
    let variables = command
        .get_envs()
        .map(|(name, value)| format!("{}='{}'", name.display(), value.unwrap().display()));
    let line = format!("env -i {}", variables.collect::<Vec<_>>().join(" "));
    let program = assert_cmd::cargo::cargo_bin!("codex-credential").display();
    let tmux = Tmux(format!("codex-credential-{}", std::process::id()));
    let session = format!("{line} '{program}' login --paste; sleep 60");
    tmux.run(&["new-session", "-d", "-x", "60", "-y", "50", &session]);
    eventually(|| tmux.run(&["capture-pane", "-p"]).contains("waiting for your approval"));
    // What a user copies from a pane of 60 columns has a line break after each.
    let shown = tmux.run(&["capture-pane", "-p"]);
    let page: String = shown
        .lines()
        .skip_while(|line| !line.starts_with("http"))
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(page, pending_page(&machine, ""));
    let address = decide(&page, &ada(), "approve");
    tmux.run(&["set-buffer", &wrapped(&address, 60).replace('\r', "\n")]);
    tmux.run(&["paste-buffer"]);
    tmux.run(&["send-keys", "Enter"]);
    eventually(|| tmux.run(&["capture-pane", "-p"]).contains("signed in as ada@example.com"));
    assert!(
        !tmux.run(&["capture-pane", "-p"]).contains(&parameter(&address, "code").unwrap()[..20])
    );
}

/// Creates a machine whose server has no device codes.
fn machine_without_device_codes() -> Machine {
    let machine = machine();
    machine.issuer.set(|s| s.device_login = false);
    machine
}

#[test]
fn login_offers_the_browser_where_device_codes_are_disabled() {
    for line in ["login", "get"] {
        let mut machine = machine_without_device_codes();
        let browser = write_browser(&machine);
        machine.set("BROWSER", &browser);
        let mut terminal = run(&machine, line);
        terminal.exp_string("does not offer device code sign-in").unwrap();
        terminal.exp_string("press Enter to sign in with a browser instead").unwrap();
        assert!(!machine.path("opened").exists());
        type_in(&mut terminal, "\r");
        terminal.exp_string("open this page in a browser on this machine").unwrap();
        eventually(|| machine.path("opened").exists());
        assert_eq!(approve(&pending_page(&machine, ""), &ada()).0, 200);
        terminal.exp_string("signed in as ada@example.com").unwrap();
    }
}

#[test]
fn login_offers_to_paste_where_there_is_no_browser() {
    let machine = machine_without_device_codes();
    let mut terminal = run(&machine, "login");
    terminal.exp_string("press Enter to sign in with a browser elsewhere instead").unwrap();
    type_in(&mut terminal, "\r");
    terminal.exp_string(PROMPT).unwrap();
    let address = decide(&pending_page(&machine, ""), &ada(), "approve");
    type_in(&mut terminal, &format!("{address}\r"));
    terminal.exp_string("signed in as ada@example.com").unwrap();
}

#[test]
fn offer_that_is_not_wanted_ends_the_call_with_the_three_ways() {
    let machine = machine_without_device_codes();
    let mut terminal = run(&machine, "login");
    terminal.exp_string("press Enter to sign in").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("login --browser").unwrap();
    let output = machine.command("get --wait 20s").assert().code(4);
    let ways = contains("administrator").and(contains("codex-credential login --browser"));
    output.stderr(ways.and(contains("--paste")));
}

#[test]
fn code_or_page_is_copied_to_the_clipboard_of_the_terminal() {
    let machine = machine();
    let mut terminal = run(&machine, "login --copy");
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    terminal.exp_string(&format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(&code))).unwrap();
    machine.command("login --cancel").assert().success();
    terminal.exp_string("was cancelled").unwrap();
    let mut terminal = run(&machine, "login --paste --copy");
    let page = pending_page(&machine, "");
    terminal.exp_string(&format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(&page))).unwrap();
    machine.command("login --cancel").assert().success();
    // Not where nobody has a terminal.
    let login = machine.start("login --browser --copy --wait 60s");
    pending_page(&machine, "");
    machine.command("login --cancel").assert().success();
    let output = login.wait_with_output().unwrap();
    assert!(!String::from_utf8(output.stderr).unwrap().contains('\u{1b}'));
}
