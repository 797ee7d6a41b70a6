//! A sign-in by Codex or by our program signs in both.

use crate::app_server::AppServer;
use crate::codex;
use crate::keyring::Keyring;
use crate::machine::Machine;

fn sign_in_with_us(machine: &Machine) {
    let login = machine.start("login --wait 60s");
    machine.approve_next();
    let output = login.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Asserts that `codex login status`, `codex exec` and the app server work, after one user code in all.
fn assert_codex_is_signed_in(machine: &Machine) {
    assert_eq!(codex::status(machine), ("Logged in using ChatGPT".to_owned(), true));
    assert!(codex::exec(machine));
    assert_eq!(AppServer::start(machine).token(), machine.token());
    let counts = machine.issuer.counts();
    assert_eq!((counts.user_codes, counts.refreshes, counts.responses_refused), (1, 0, 0));
}

pub fn our_sign_in_signs_codex_in() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    sign_in_with_us(&machine);
    assert_codex_is_signed_in(&machine);
}

pub fn codexs_sign_in_signs_us_in() {
    let machine = Machine::new();
    codex::configure(&machine, "file");
    codex::login(&machine);
    assert_codex_is_signed_in(&machine);
}

pub fn our_sign_in_signs_codex_in_through_the_keyring() {
    let mut machine = Machine::new();
    let keyring = Keyring::unlocked(&mut machine);
    codex::configure(&machine, "keyring");
    sign_in_with_us(&machine);
    assert!(!machine.path("auth.json").exists());
    let ours = keyring.codex_item();
    assert_codex_is_signed_in(&machine);
    // Codex's own item has the same attributes.
    codex::login(&machine);
    assert_eq!(keyring.codex_item(), ours);
    assert!(ours.contains("attribute.application = rust-keyring"), "{ours}");
}

pub fn codexs_sign_in_signs_us_in_through_the_keyring() {
    let mut machine = Machine::new();
    let _keyring = Keyring::unlocked(&mut machine);
    codex::configure(&machine, "keyring");
    codex::login(&machine);
    assert_codex_is_signed_in(&machine);
    let status = machine.command("status").assert().success();
    let status = String::from_utf8(status.get_output().stdout.clone()).unwrap();
    assert!(status.contains("the keyring item \"Codex Auth\""), "{status}");
}

pub fn auto_storage_finds_the_login_in_keyring_or_file() {
    let mut machine = Machine::new();
    let tokens = machine.sign_in(3600);
    let _keyring = Keyring::unlocked(&mut machine);
    codex::configure(&machine, "auto");
    // Without an item the file is read, as Codex does.
    assert_eq!(machine.token(), tokens.access_token);
    assert_eq!(AppServer::start(&machine).token(), tokens.access_token);
    // A sign-in stores the login in the keyring and removes the file.
    sign_in_with_us(&machine);
    assert!(!machine.path("auth.json").exists());
    assert_ne!(machine.token(), tokens.access_token);
    assert_eq!(AppServer::start(&machine).token(), machine.token());
    // Without a bus there is no login, and a sign-in stores it in the file.
    machine.set("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    sign_in_with_us(&machine);
    assert!(machine.path("auth.json").exists());
    assert_eq!(AppServer::start(&machine).token(), machine.token());
}

pub fn codex_uses_a_login_that_we_renewed_in_the_keyring() {
    let mut machine = Machine::new();
    let keyring = Keyring::unlocked(&mut machine);
    codex::configure(&machine, "keyring");
    codex::login(&machine);
    let before = machine.token();
    let item = keyring.codex_item();
    let input = format!("protocol=https\nhost=chatgpt.com\npassword={before}\n");
    machine.command("erase").write_stdin(input).assert().success();
    let tokens = machine.crowd(8);
    assert!(tokens.iter().all(|token| *token == tokens[0] && *token != before));
    assert_eq!(AppServer::start(&machine).token(), tokens[0]);
    assert!(codex::exec(&machine));
    assert_eq!(machine.issuer.counts().refreshes, 1);
    assert_eq!(keyring.codex_item(), item, "one item, with the same attributes");
}

pub fn locked_keyring_is_reported_and_starts_no_sign_in() {
    for store in ["keyring", "auto"] {
        let mut machine = Machine::new();
        let keyring = Keyring::unlocked(&mut machine);
        codex::configure(&machine, store);
        codex::login(&machine);
        keyring.lock();
        for command in ["get", "status", "logout"] {
            let output = machine.command(command).assert().code(1);
            let says = String::from_utf8(output.get_output().stderr.clone()).unwrap();
            assert!(says.contains("unlock the keyring"), "{store} {command}: {says}");
        }
        assert_eq!(machine.issuer.counts().user_codes, 1);
        assert_eq!(machine.issuer.counts().revocations, 0);
    }
}
