//! A person at a terminal.

use crate::machine::{Machine, PATIENCE, eventually};
use expectrl::{ControlCode, Expect, Session};
use std::time::Duration;

fn run(machine: &Machine, line: &str) -> impl Expect {
    let mut session = Session::spawn(machine.terminal_command(line)).unwrap();
    session.set_expect_timeout(Some(PATIENCE));
    session
}

#[test]
fn the_prompt_shows_url_and_code_each_alone_on_a_line_counts_down_and_says_who_signed_in() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "get");
    let url = format!("\r\n{}/codex/device\r\n", machine.issuer.url());
    terminal.expect(url.as_str()).unwrap();
    terminal.expect("good for 1").unwrap();
    terminal.expect("never share it").unwrap();
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    terminal.expect(format!("\r\n{code}\r\n").as_str()).unwrap();
    terminal.expect("waiting for your approval, 14 min").unwrap();
    machine.issuer.approve(&code);
    terminal.expect("signed in as ada@example.com").unwrap();
    // No token on a terminal unless it is asked for.
    terminal.expect("add --show to print it").unwrap();
    let mut terminal = run(&machine, "get --format token --show");
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    terminal.expect(token.as_str()).unwrap();
}

#[test]
fn ctrl_c_at_the_prompt_cancels_the_pending_login() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "get");
    terminal.expect("waiting for your approval").unwrap();
    assert!(machine.own("pending").exists());
    terminal.send(ControlCode::EndOfText).unwrap();
    terminal.expect("the sign-in was cancelled").unwrap();
    assert!(!machine.own("pending").exists());
    eventually(|| machine.renewers().is_empty());
}

#[test]
fn an_expired_code_is_replaced_when_the_person_presses_enter() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(2));
    let mut terminal = run(&machine, "get");
    let expired = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    terminal.expect("the code has expired; press Enter").unwrap();
    machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(600));
    terminal.send("\r").unwrap();
    let code = machine.approve_another_than(&expired);
    terminal.expect(code.as_str()).unwrap();
    terminal.expect("signed in as ada@example.com").unwrap();
    assert_eq!(machine.issuer.counts().user_codes, 2);
}

#[test]
fn ctrl_c_where_a_fresh_code_is_offered_ends_the_call() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(2));
    let mut terminal = run(&machine, "get");
    terminal.expect("the code has expired; press Enter").unwrap();
    terminal.send(ControlCode::EndOfText).unwrap();
    terminal.expect("the device code expired before it was approved").unwrap();
    assert_eq!(machine.issuer.counts().user_codes, 1);
}

/// A line that is longer is two, and clearing it would leave one of them each second.
#[test]
fn the_live_line_fits_the_terminal() {
    let machine = Machine::new();
    let mut session = Session::spawn(machine.terminal_command("get")).unwrap();
    session.set_expect_timeout(Some(PATIENCE));
    session.get_process_mut().set_window_size(30, 24).unwrap();
    session.expect("waiting for your approval").unwrap();
    // The first one may have come before the terminal was so narrow.
    let is_cut = (0..5).any(|_| {
        let rest = session.expect("waiting for your approval").unwrap();
        !String::from_utf8_lossy(rest.before()).contains("Ctrl-C")
    });
    assert!(is_cut);
}

#[test]
fn the_person_is_asked_before_a_login_is_removed() {
    let (machine, _) = Machine::signed_in(3600);
    let mut terminal = run(&machine, "erase");
    terminal.expect("remove the login of ada@example.com in ").unwrap();
    terminal.expect("[y/N]").unwrap();
    terminal.send("n\r").unwrap();
    terminal.expect("nothing was removed").unwrap();
    assert!(machine.path("auth.json").exists());
    let mut terminal = run(&machine, "erase");
    terminal.expect("[y/N]").unwrap();
    terminal.send("y\r").unwrap();
    terminal.expect("removed the login of ada@example.com").unwrap();
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn a_mistyped_operation_is_told_to_a_person() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "stauts");
    terminal.expect("there is no operation stauts").unwrap();
}

#[test]
fn a_person_who_joined_another_programs_login_is_offered_a_fresh_code_too() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(3));
    let mut program = machine.start("get --wait 60s");
    let expired = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.own("pending").exists());
    let mut terminal = run(&machine, "get");
    terminal.expect("waiting for your approval").unwrap();
    terminal.expect("the code has expired; press Enter").unwrap();
    machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(600));
    terminal.send("\r").unwrap();
    machine.approve_another_than(&expired);
    terminal.expect("signed in as ada@example.com").unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(3));
}

#[test]
fn a_question_is_not_waited_for_longer_than_was_said() {
    let (machine, _) = Machine::signed_in(3600);
    let mut terminal = run(&machine, "erase --wait 300ms");
    terminal.expect("[y/N]").unwrap();
    terminal.expect("nothing was removed").unwrap();
    assert!(machine.path("auth.json").exists());
}

#[test]
fn ctrl_c_during_a_renewal_says_that_it_goes_on() {
    let (machine, _) = Machine::signed_in(-1);
    let slow = issuer::Fault::DelayAfter(Duration::from_secs(1));
    machine.issuer.fault(issuer::Endpoint::Refresh, slow, 1);
    let mut terminal = run(&machine, "get");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    terminal.send(ControlCode::EndOfText).unwrap();
    terminal.expect("what was begun goes on in the background").unwrap();
    eventually(|| machine.renewers().is_empty());
    machine.token();
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
