//! `import`: takes the login of a file, and leaves no copy of it unmentioned.

use crate::machine::{Machine, token_of};
use predicates::str::contains;
use std::os::unix::fs::symlink;

/// The only copy there is, by whichever name it is called.
#[test]
fn the_login_itself_is_no_copy_of_it() {
    let (machine, tokens) = Machine::signed_in(864_000);
    let link = machine.path("link");
    symlink(machine.path("auth.json"), &link).unwrap();
    let of_link = format!("import {} --remove", link.display());
    for line in ["import", "import --remove", of_link.as_str()] {
        let refused = machine.command(line).assert().code(2);
        refused.stderr(contains("the profile codex keeps its login in "));
        assert_eq!(machine.auth_json()["tokens"]["refresh_token"], tokens.refresh_token);
    }
    assert!(link.exists());
}

#[test]
fn a_copy_is_taken_into_another_storage_and_removed_where_that_is_said() {
    let (mut machine, tokens) = Machine::signed_in(864_000);
    machine.set("CODEX_CREDENTIAL_STORAGE", "file");
    let taken = machine.command("import").assert().success();
    taken.stderr(contains("still holds a copy"));
    assert!(machine.path("auth.json").exists());
    machine.command("import --remove").assert().success().stderr(contains("removed "));
    assert!(!machine.path("auth.json").exists());
    assert_eq!(token_of(machine.start("get --format token")), tokens.access_token);
}
