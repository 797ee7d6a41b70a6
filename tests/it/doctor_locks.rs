//! `doctor` names who holds a lock and who could, also where the system tells little.

use crate::doctor::{machine, run_doctor, says};
use crate::machine::{Machine, eventually, lock};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

fn named<'a>(checks: &'a [Value], name: &str) -> Vec<&'a str> {
    let checks = checks.iter().filter(|check| check["name"] == name);
    checks.map(|check| check["found"].as_str().unwrap()).collect()
}

#[test]
fn holder_of_a_lock_is_named_with_its_id() {
    let machine = machine(864_000);
    machine.token();
    run_doctor(&machine);
    fs::create_dir_all(machine.own("")).unwrap();
    let _lock = lock(&machine.own("lock"));
    let (checks, _) = run_doctor(&machine);
    let found = named(&checks, "renewals").join("\n");
    assert!(found.contains(&format!("process {} (", std::process::id())), "{found}");
}

#[test]
fn process_that_handed_its_lock_on_and_ended_is_not_named() {
    let machine = machine(864_000);
    run_doctor(&machine);
    let path = machine.own("lock");
    fs::create_dir_all(machine.own("")).unwrap();
    // flock(1) takes the lock for the open file and ends; sleep goes on with the file.
    let mut holder = Command::new("sh");
    holder.args(["-c", "exec 9>>\"$0\"; flock 9; exec sleep 60"]).arg(&path);
    let mut holder = holder.stdin(Stdio::null()).spawn().unwrap();
    eventually(|| {
        let file = fs::File::open(&path);
        file.is_ok_and(|file| fs4::FileExt::try_lock(&file).is_err())
    });
    let (checks, _) = run_doctor(&machine);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let found = named(&checks, "renewals").join("\n");
    assert!(found.contains("another process runs a renewal") && !found.contains("()"), "{found}");
}

#[test]
fn process_with_the_id_of_an_ended_holder_is_not_named() {
    let machine = machine(864_000);
    run_doctor(&machine);
    let script = r#"
        mkdir -p "$CODEX_HOME/codex-credential"
        exec 9>"$CODEX_HOME/codex-credential/lock"
        sh -c 'echo $$ > "$CODEX_HOME/pid"; exec flock 9'
        taken=$(cat "$CODEX_HOME/pid")
        # Another process may get the id first.
        for try in $(seq 200); do
            echo $((taken - 1)) > /proc/sys/kernel/ns_last_pid
            sleep 60 9>&- >/dev/null 2>&1 &
            [ $! != "$taken" ] || break
            kill $!
        done
        [ $! = "$taken" ]
        "$0" doctor --json || :
        kill $!
    "#;
    let Some(report) = with_own_mounts(&machine, script) else { return };
    let found = named(report["checks"].as_array().unwrap(), "renewals").join("\n");
    assert!(found.contains("another process runs a renewal"), "{found}");
}

/// The system tells nothing of a lock in a container whose taker has ended.
#[test]
fn renewal_under_way_in_a_container_is_not_called_interrupted() {
    let machine = machine(864_000);
    run_doctor(&machine);
    let script = r#"
        mkdir -p "$CODEX_HOME/codex-credential"
        cd "$CODEX_HOME/codex-credential"
        echo '{}' > journal
        exec 9>lock
        exec unshare --pid --fork --mount-proc sh -c 'flock 9; "$0" doctor --json || :' "$0"
    "#;
    let Some(report) = with_own_mounts(&machine, script) else { return };
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(named(checks, "renewals"), ["another process runs a renewal"]);
    assert!(named(checks, "journal").is_empty());
}

/// Runs `script` with file systems of its own, where $0 is the program. `None` without root.
fn with_own_mounts(machine: &Machine, script: &str) -> Option<Value> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root to mount");
        return None;
    }
    let doctor = machine.std_command("");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-ec", script]).arg(doctor.get_program()).env_clear();
    unshare.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    for (name, value) in doctor.get_envs().filter(|(name, _)| *name != "PATH") {
        unshare.env(name, value.unwrap());
    }
    let output = unshare.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    Some(serde_json::from_slice(&output.stdout).expect(&text))
}

#[test]
fn lock_with_the_same_inode_on_another_file_system_is_another_lock() {
    let machine = machine(864_000);
    let script = r#"
        mkdir "$CODEX_HOME/a" "$CODEX_HOME/b"
        mount -t tmpfs none "$CODEX_HOME/a"
        mount -t tmpfs none "$CODEX_HOME/b"
        for home in a b; do mkdir -m 700 "$CODEX_HOME/$home/codex-credential"; : > "$CODEX_HOME/$home/codex-credential/lock"; done
        [ "$(stat -c %i "$CODEX_HOME/a/codex-credential/lock")" = "$(stat -c %i "$CODEX_HOME/b/codex-credential/lock")" ]
        exec 9>"$CODEX_HOME/a/codex-credential/lock"
        flock 9
        export CODEX_HOME="$CODEX_HOME/HOME"
        exec "$0" doctor --json
    "#;
    for (home, is_held) in [("a", true), ("b", false)] {
        let script = script.replace("/HOME", &format!("/{home}"));
        let Some(report) = with_own_mounts(&machine, &script) else { return };
        for folder in ["a", "b"] {
            fs::remove_dir(machine.path(folder)).unwrap();
        }
        let found = named(report["checks"].as_array().unwrap(), "renewals").join("\n");
        assert_eq!(found.contains("runs a renewal"), is_held, "{home}: {found}");
    }
}

#[test]
fn doctor_and_renewal_work_where_proc_is_not_mounted() {
    let machine = machine(-1);
    let script =
        "mount -t tmpfs none /proc\n\"$0\" get --wait 20s >/dev/null\nexec \"$0\" doctor --json";
    let Some(report) = with_own_mounts(&machine, script) else { return };
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn lock_file_that_others_can_open_is_named() {
    let machine = machine(864_000);
    run_doctor(&machine);
    machine.refuse(&machine.token());
    machine.token();
    for (folder_mode, mode, who) in [
        (0o755, 0o644, Some("every user")),
        (0o755, 0o666, Some("every user")),
        (0o750, 0o640, None),
        (0o710, 0o660, None),
        (0o700, 0o666, None),
        (0o755, 0o600, None),
    ] {
        for name in ["auth.lock", "auth.json.lock"] {
            let path = machine.path(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let folder = Permissions::from_mode(folder_mode);
            fs::set_permissions(machine.codex_home(), folder).unwrap();
            let (checks, _) = run_doctor(&machine);
            let found = named(&checks, "permissions").join("\n");
            let is_named = found.contains(&format!("{name} can be opened by"));
            let expected =
                who.or((mode & 0o060 != 0 && folder_mode != 0o700).then_some("the group"));
            assert_eq!(is_named, expected.is_some(), "{folder_mode:o} {mode:o}: {found}");
            if let Some(who) = expected {
                assert!(found.contains(who), "{found}");
                let warning = checks
                    .iter()
                    .find(|check| check["found"].as_str().unwrap().contains("can be opened by"));
                says(warning.unwrap(), "chmod 600");
            }
            // The run itself made it private.
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
        }
    }
}
