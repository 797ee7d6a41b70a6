//! The program on a terminal.

use crate::machine::{Machine, PATIENCE, eventually};
use rexpect::session::{PtySession, spawn_command};
use rustix::termios::{Winsize, tcsetwinsize};
use std::time::Duration;

pub fn run(machine: &Machine, line: &str) -> PtySession {
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap();
    spawn_command(machine.terminal_command(line), Some(patience)).unwrap()
}

pub fn type_in(terminal: &mut PtySession, text: &str) {
    terminal.send(text).unwrap();
    terminal.flush().unwrap();
}

#[test]
fn prompt_shows_url_and_code_alone_on_a_line_and_then_who_signed_in() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "get");
    let url = format!("\r\n{}/codex/device\r\n", machine.issuer.url());
    terminal.exp_string(&url).unwrap();
    terminal.exp_string("valid for 1").unwrap();
    terminal.exp_string("never share it").unwrap();
    let code = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    terminal.exp_string(&format!("\r\n{code}\r\n")).unwrap();
    terminal.exp_string("waiting for your approval, 14 min").unwrap();
    machine.issuer.approve(&code);
    terminal.exp_string("signed in as ada@example.com").unwrap();
    // A token is shown on a terminal only with --show.
    terminal.exp_string("add --show to print it").unwrap();
    let mut terminal = run(&machine, "get --format token --show");
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    terminal.exp_string(&token).unwrap();
}

#[test]
fn ctrl_c_at_the_prompt_cancels_the_sign_in() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "get");
    terminal.exp_string("waiting for your approval").unwrap();
    assert!(machine.sign_in_file("pending").exists());
    terminal.send_control('c').unwrap();
    terminal.exp_string("the sign-in was cancelled").unwrap();
    assert!(!machine.sign_in_file("pending").exists());
    eventually(|| machine.renewers().is_empty());
}

#[test]
fn enter_replaces_an_expired_code() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(2));
    let mut terminal = run(&machine, "get");
    let expired = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    terminal.exp_string("the code has expired; press Enter").unwrap();
    machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(600));
    type_in(&mut terminal, "\r");
    let code = machine.approve_another_than(&expired);
    terminal.exp_string(&code).unwrap();
    terminal.exp_string("signed in as ada@example.com").unwrap();
    assert_eq!(machine.issuer.counts().user_codes, 2);
}

#[test]
fn ctrl_c_or_end_of_input_after_an_expired_code_ends_the_call() {
    for key in ['c', 'd'] {
        let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(2));
        let mut terminal = run(&machine, "get");
        terminal.exp_string("the code has expired; press Enter").unwrap();
        terminal.send_control(key).unwrap();
        terminal.exp_string("the device code expired before it was approved").unwrap();
        assert_eq!(machine.issuer.counts().user_codes, 1);
    }
}

/// A longer line would wrap, and each update would leave a line behind.
#[test]
fn countdown_fits_the_width_of_the_terminal() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "get");
    let size = Winsize { ws_row: 24, ws_col: 30, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal.process().get_file_handle().unwrap(), size).unwrap();
    terminal.exp_string("waiting for your approval").unwrap();
    // The first line may precede the change of the width.
    let is_cut = (0..5).any(|_| {
        let between = terminal.exp_string("waiting for your approval").unwrap();
        !between.contains("Ctrl-C")
    });
    assert!(is_cut);
}

#[test]
fn erase_asks_before_it_removes_a_login() {
    let (machine, _) = Machine::signed_in(3600);
    let mut terminal = run(&machine, "erase");
    terminal.exp_string("remove the login of ada@example.com in ").unwrap();
    terminal.exp_string("[y/N]").unwrap();
    type_in(&mut terminal, "n\r");
    terminal.exp_string("nothing was removed").unwrap();
    assert!(machine.path("auth.json").exists());
    let mut terminal = run(&machine, "erase");
    terminal.exp_string("[y/N]").unwrap();
    type_in(&mut terminal, "y\r");
    terminal.exp_string("removed the login of ada@example.com").unwrap();
    assert!(!machine.path("auth.json").exists());
}

#[test]
fn unknown_command_is_reported() {
    let machine = Machine::new();
    let mut terminal = run(&machine, "stauts");
    terminal.exp_string("unknown command \"stauts\"").unwrap();
    terminal.exp_string("hint: did you mean \"status\"?").unwrap();
}

#[test]
fn caller_that_joined_a_sign_in_can_replace_an_expired_code() {
    let machine = Machine::with(|s| s.code_lifetime = Duration::from_secs(3));
    let mut program = machine.start("get --wait 60s");
    let expired = machine.issuer.wait_for_user_code(PATIENCE).unwrap();
    eventually(|| machine.sign_in_file("pending").exists());
    let mut terminal = run(&machine, "get");
    terminal.exp_string("waiting for your approval").unwrap();
    terminal.exp_string("the code has expired; press Enter").unwrap();
    machine.issuer.set(|s| s.code_lifetime = Duration::from_secs(600));
    type_in(&mut terminal, "\r");
    machine.approve_another_than(&expired);
    terminal.exp_string("signed in as ada@example.com").unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(3));
}

#[test]
fn question_ends_after_the_callers_wait() {
    let (machine, _) = Machine::signed_in(3600);
    let mut terminal = run(&machine, "erase --wait 300ms");
    terminal.exp_string("[y/N]").unwrap();
    terminal.exp_string("nothing was removed").unwrap();
    assert!(machine.path("auth.json").exists());
}

#[test]
fn ctrl_c_during_a_renewal_does_not_stop_it() {
    let (machine, _) = Machine::signed_in(-1);
    let slow = issuer::Fault::DelayAfter(Duration::from_secs(1));
    machine.issuer.fault(issuer::Endpoint::Refresh, slow, 1);
    let mut terminal = run(&machine, "get");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    terminal.send_control('c').unwrap();
    terminal.exp_string("the renewal goes on in the background").unwrap();
    eventually(|| machine.renewers().is_empty());
    machine.token();
    assert_eq!(machine.issuer.counts().refreshes, 1);
}
