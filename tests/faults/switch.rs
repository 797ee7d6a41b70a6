//! SIGKILL at each system call of a switch between two accounts: afterwards both logins work and can be renewed.

use crate::machine::{Machine, ada};
use crate::report::report;
use crate::scene::Outcome;
use crate::strace::{Call, Fault, Who, calls, disturbed};
use crate::tries::{chosen, each};
use issuer::{Account, Issuer};
use std::fs;
use std::path::PathBuf;

fn grace() -> Account {
    Issuer::accounts()[2].clone()
}

/// Ada's login is Codex's, and that of Grace is parked.
fn scene() -> (Machine, PathBuf) {
    let mut machine = Machine::new();
    machine.aged_sign_in(7200, 100);
    let tokens = machine.issuer.grant(&grace(), 7200);
    machine.park(&tokens, "file");
    let input = machine.path("input");
    fs::write(&input, "").unwrap();
    (machine, input)
}

fn line() -> String {
    format!("switch {} --wait 20s", grace().email)
}

fn play(call: &Call) -> Result<Outcome, String> {
    let (machine, input) = scene();
    let (_, injected) =
        disturbed(&machine.std_command(&line()), &input, Who::All, call, Fault::Kill);
    for account in [grace(), ada(), grace()] {
        works(&machine, &account).map_err(|what| {
            format!("killed at {} {}: {}: {what}", call.name, call.nth, account.email)
        })?;
    }
    Ok(if injected > 0 { Outcome::NothingLost } else { Outcome::NotReached })
}

/// Whether `account` can be used, and its login renewed.
fn works(machine: &Machine, account: &Account) -> Result<(), String> {
    let run = |line: &str| {
        let output = machine.std_command(line).output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        if output.status.success() { Ok(text) } else { Err(format!("{line}: {says}")) }
    };
    let get = "get --format token --wait 20s --interactive never";
    run(&format!("switch {} --wait 20s", account.email))?;
    let token = run(get)?;
    machine.refuse(&token);
    let renewed = run(get)?;
    let status = run("status")?;
    let counts = machine.issuer.counts();
    let is_good = machine.issuer.is_live_access_token(&renewed)
        && renewed != token
        && status.contains(&account.email)
        && (counts.reuses, machine.issuer.resent_after_answer()) == (0, 0);
    if is_good { Ok(()) } else { Err(format!("{status}\n{counts:?}")) }
}

pub fn kills() {
    let (machine, input) = scene();
    let calls = chosen(calls(&machine.std_command(&line()), &input, Who::All), 40);
    println!("{} tries", calls.len());
    report("killed at a system call: switch", "switch::kills", each(&calls, play));
}
