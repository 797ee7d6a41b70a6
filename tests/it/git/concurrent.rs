//! Many processes at once change the credentials of a few hosts.

use super::Git;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

const PROCESSES: usize = 32;
const HOSTS: usize = 4;

/// Three seconds, or as many as `GIT_CROWD_SECONDS` says.
#[expect(clippy::disallowed_methods, reason = "a variable sets the length")]
fn length() -> Duration {
    let seconds = std::env::var("GIT_CROWD_SECONDS").ok();
    Duration::from_secs(seconds.map_or(3, |seconds| seconds.parse().unwrap()))
}

fn run(git: &Git, operation: &str, input: &str) -> String {
    use std::io::Write;
    let mut command = git.machine.std_command(&format!("{operation} --wait 60s"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{operation}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Changes the credential of one user until `until`. Returns the password that is stored at the end.
fn work(git: &Git, number: usize, until: &codex_credential::clock::Deadline) -> Option<String> {
    let host = format!("protocol=https\nhost=h{}.example\n", number % HOSTS);
    let user = format!("{host}username=u{number}\n");
    let mut stored = None;
    for round in 0.. {
        if round % 3 == 2 {
            run(git, "erase", &user);
            stored = None;
        } else {
            let password = format!("p{number}-{round}-{}", "x".repeat(500 + 37 * number));
            run(git, "store", &format!("{user}password={password}\n"));
            stored = Some(password);
        }
        let expected =
            stored.as_ref().map(|password| format!("username=u{number}\npassword={password}\n"));
        assert_eq!(run(git, "get", &user), expected.unwrap_or_default());
        // Without a user name: a complete credential of any user.
        let any = run(git, "get", &host);
        let whole = any.is_empty() || {
            let (name, password) = any.split_once("\npassword=p").unwrap();
            let number = password.split('-').next().unwrap();
            name == format!("username=u{number}")
                && password.trim_end().split('-').nth(2).unwrap().len()
                    == 500 + 37 * number.parse::<usize>().unwrap()
        };
        assert!(whole, "{any}");
        if until.is_over() {
            break;
        }
    }
    stored
}

pub fn concurrent_processes_lose_no_credential_and_read_none_torn(git: &Git) {
    let until = codex_credential::clock::Deadline::after(length());
    let stored: Vec<Option<String>> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..PROCESSES).map(|number| scope.spawn(move || work(git, number, &until))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    for (number, stored) in stored.iter().enumerate() {
        let host = format!("protocol=https\nhost=h{}.example\n", number % HOSTS);
        let found = run(git, "get", &format!("{host}username=u{number}\n"));
        assert_eq!(!found.is_empty(), stored.is_some(), "user of process {number}");
        assert!(stored.as_ref().is_none_or(|stored| found.contains(stored)));
    }
}
