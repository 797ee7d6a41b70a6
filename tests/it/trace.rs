//! Traces: `-v` and `CODEX_CREDENTIAL_TRACE`.

use crate::machine::{Machine, PATIENCE, eventually, kill, lock, token_of};
use issuer::{Endpoint, Fault};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Starts a machine that writes a trace, with a token that is valid for `lifetime` seconds.
fn tracing(lifetime: i64) -> Machine {
    let (mut machine, _) = Machine::signed_in(lifetime);
    let file = machine.path("trace").to_str().unwrap().to_owned();
    machine.set("CODEX_CREDENTIAL_TRACE", &file);
    machine
}

fn events(machine: &Machine) -> Vec<Value> {
    let text = fs::read_to_string(machine.path("trace")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn renewal_is_traced_by_both_processes_from_request_to_commit() {
    let machine = tracing(-1);
    machine.token();
    // The caller is answered before the renewal process ends.
    eventually(|| fs::read_to_string(machine.path("trace")).unwrap().contains("\"cleared\""));
    let events = events(&machine);
    let of = |name: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["event"] == name).collect()
    };
    assert_eq!(
        (&of("profile")[0]["profile"], &of("profile")[0]["target"]),
        (&"codex".into(), &"token".into())
    );
    assert_eq!(of("login")[0]["state"], "stale");
    let requests = of("request");
    assert_eq!(requests.len(), 1);
    let url = machine.issuer.url();
    assert_eq!(requests[0]["host"], url.strip_prefix("http://").unwrap());
    let request = [&requests[0]["method"], &requests[0]["path"], &requests[0]["status"]];
    assert_eq!(request, [&Value::from("POST"), &"/oauth/token".into(), &200.into()]);
    assert!(requests[0]["ms"].is_u64());
    let steps: Vec<_> = of("journal").iter().map(|event| event["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["intent", "answer", "cleared"]);
    assert_eq!(of("commit")[0]["stored"], true);
    assert_eq!(of("renewal_started")[0]["process"], of("commit")[0]["pid"]);
    assert_ne!(of("renewal_started")[0]["pid"], of("commit")[0]["pid"]);
    assert!(events.iter().all(|event| event["at"].as_str().unwrap().ends_with('Z')));
}

#[test]
fn warm_get_appends_two_events_to_a_private_file() {
    let machine = tracing(864_000);
    machine.token();
    machine.token();
    let events = events(&machine);
    assert_eq!(names(&events), ["profile", "login", "profile", "login"]);
    assert_eq!(events[1]["state"], "warm");
    assert!(events[1]["expires_at"].as_i64() > events[1]["renews_at"].as_i64());
    let mode = fs::metadata(machine.path("trace")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn trace_file_that_cannot_be_written_is_reported_and_get_succeeds() {
    let (mut machine, tokens) = Machine::signed_in(864_000);
    let file = machine.path("missing/trace");
    machine.set("CODEX_CREDENTIAL_TRACE", file.to_str().unwrap());
    let output = machine.command("get --format token").assert().success();
    let output = output.stdout(format!("{}\n", tokens.access_token));
    output.stderr(contains(file.to_str().unwrap()));
}

#[test]
fn verbose_shows_the_renewal_process_on_stderr_only() {
    let (machine, _) = Machine::signed_in(-1);
    let output = machine.command("-v get --format token").assert().success();
    let token = machine.auth_json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    let output = output.stdout(format!("{token}\n"));
    let host = machine.issuer.url().strip_prefix("http://").unwrap().to_owned();
    output.stderr(contains(format!(
        "request method=POST host={host} path=/oauth/token status=200 ms="
    )));
    let quiet = machine.command("get --format token").assert().success();
    quiet.stderr(predicates::str::is_empty());
}

#[test]
fn killed_verbose_caller_does_not_stop_the_renewal() {
    let (machine, tokens) = Machine::signed_in(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_secs(1)), 1);
    let mut caller = machine.start("get -v --format token --wait 30s");
    assert!(machine.issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    kill(caller.id());
    caller.wait().unwrap();
    eventually(|| machine.auth_json()["tokens"]["access_token"] != tokens.access_token);
    assert_eq!(machine.issuer.counts().refreshes, 1);
}

#[test]
fn lock_holder_and_back_off_are_traced() {
    let machine = tracing(-1);
    let codex = lock(&machine.path("auth.lock"));
    let caller = machine.start("get --format token --wait 60s");
    let waits =
        || fs::read_to_string(machine.path("trace")).unwrap_or_default().contains("lock_wait");
    eventually(waits);
    drop(codex);
    token_of(caller);
    let traced = events(&machine);
    let of = |name: &str, file: &str| {
        let matches = |event: &&Value| {
            event["event"] == name
                && event["path"].as_str().is_some_and(|path| path.ends_with(file))
        };
        traced.iter().find(matches).cloned().expect(name)
    };
    let holder = of("lock_wait", "auth.lock")["holder"].as_str().unwrap().to_owned();
    assert!(holder.starts_with(&format!("process {} ", std::process::id())), "{holder}");
    assert!(of("lock_gained", "auth.lock")["ms"].is_u64());

    let machine = tracing(-1);
    machine.issuer.fault(Endpoint::Refresh, Fault::status(503, ""), 9);
    for _ in 0..4 {
        machine.command("get --wait 20s").assert().code(1);
    }
    let traced = events(&machine);
    assert!(names(&traced).contains(&"back_off"), "{traced:?}");
    let kinds: Vec<_> = traced.iter().filter_map(|event| event["failure"].as_str()).collect();
    assert!(kinds.iter().all(|kind| *kind == "server") && !kinds.is_empty());
    assert!(traced.iter().any(|event| event["status"] == 503));
}

#[test]
fn trace_is_written_to_files_pipes_and_character_devices_only() {
    let refused: &[(&str, &str, &str)] = &[
        ("ln -s victim trace", "trace", "it is a symbolic link"),
        ("ln -s missing trace", "trace", "it is a symbolic link"),
        ("ln -s /dev/stderr trace", "trace", "it is a symbolic link"),
        ("ln victim trace", "trace", "it has a second name"),
        ("mkdir trace", "trace", "it is not a regular file"),
        ("mkfifo trace", "trace", "no process reads this pipe"),
        ("true", "/dev/tty", "this process has no such device, or no terminal"),
    ];
    for (prepare, trace, why) in refused {
        let mut machine = tracing(864_000);
        fs::write(machine.path("victim"), "").unwrap();
        let mut shell = std::process::Command::new("sh");
        assert!(
            shell
                .args(["-c", prepare])
                .current_dir(machine.codex_home())
                .status()
                .unwrap()
                .success()
        );
        machine.set("CODEX_CREDENTIAL_TRACE", machine.path(trace).to_str().unwrap());
        // Without a controlling terminal.
        let command = machine.std_command("token");
        let mut detached = std::process::Command::new("setsid");
        detached.args(["--wait".as_ref(), command.get_program(), "token".as_ref()]).env_clear();
        detached.envs(command.get_envs().map(|(name, value)| (name, value.unwrap())));
        let output = detached.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{prepare}: {said}");
        assert_eq!(said.matches(why).count(), 1, "{prepare}: {said}");
        assert_eq!(fs::read(machine.path("victim")).unwrap(), b"", "{prepare}");
        assert!(!machine.path("missing").exists());
    }
    for device in ["/dev/stderr", "/dev/fd/2", "/dev/null"] {
        let mut machine = tracing(864_000);
        machine.set("CODEX_CREDENTIAL_TRACE", device);
        let output = machine.command("token").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{device}: {said}");
        assert_eq!(said.is_empty(), device == "/dev/null", "{said}");
        assert!(said.lines().all(|line| line.starts_with("{\"at\":")), "{said}");
    }
}
