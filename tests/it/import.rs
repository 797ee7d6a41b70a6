//! `import`: takes the login of a file, and leaves no copy of it unmentioned.

use crate::machine::{Machine, lock, token_of};
use predicates::str::contains;
use std::os::unix::fs::symlink;

/// The only copy there is, by whichever name it is called.
#[test]
fn import_of_the_stored_login_itself_is_refused() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let link = machine.path("link");
    symlink(machine.path("auth.json"), &link).unwrap();
    let of_link = format!("import {} --remove", link.display());
    for line in ["import", "import --remove", of_link.as_str()] {
        let refused = machine.command(line).assert().code(2);
        refused.stderr(contains(machine.codex_home().to_str().unwrap()));
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
    }
    assert!(link.exists());
}

#[test]
fn import_copies_the_login_and_removes_the_source_only_when_asked() {
    let (mut machine, tokens) = Machine::signed_in(864_000);
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    let taken = machine.command("import").assert().success();
    taken.stderr(contains("auth.json"));
    assert!(machine.path("auth.json").exists());
    machine.command("import --remove").assert().success();
    assert!(!machine.path("auth.json").exists());
    assert_eq!(token_of(machine.start("get --format token")), tokens.access_token);
}

#[test]
fn file_that_codex_is_changing_is_not_removed() {
    let (mut machine, _) = Machine::signed_in(864_000);
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    drop(lock(&machine.path("auth.lock")));
    for name in ["auth.lock", "auth.json.lock"] {
        let _codex = lock(&machine.path(name));
        let output = machine.command("import --remove --wait 300ms").assert().code(1);
        output.stderr(contains(name));
        assert!(machine.path("auth.json").exists());
    }
    machine.command("import --remove").assert().success();
}
