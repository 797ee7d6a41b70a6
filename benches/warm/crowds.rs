//! Measures many callers at once: with a valid token, without a login, and with an expired token.

use crate::logins;
use crate::measure::{median, processor_time};
use issuer::{Account, Endpoint, Fault, Interval, Issuer};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SIZES: [usize; 5] = [1, 4, 16, 64, 256];
/// Rounds of all sizes; the table has the medians.
const ROUNDS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Warm,
    /// No login; the server approves the sign-in after one second.
    Cold,
    /// An expired token; the token endpoint takes 200 ms.
    Expired,
}

/// The times of one crowd in milliseconds, and its requests.
#[derive(Clone, Copy, Default)]
struct Measured {
    all: f64,
    median_caller: f64,
    slowest_percent: f64,
    processor: f64,
    requests: u64,
}

pub fn table(program: &Path) -> String {
    let mut table = String::from(
        "| callers | token | all done, ms | × one alone | a caller: p50, ms | p99, ms | processor time a caller, ms | requests for a login or a renewal |\n\
         |---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for state in [State::Warm, State::Cold, State::Expired] {
        let rounds: Vec<Vec<Measured>> = (0..ROUNDS)
            .map(|_| SIZES.iter().map(|&size| crowd(program, state, size)).collect())
            .collect();
        for (index, size) in SIZES.iter().enumerate() {
            let of =
                |what: fn(&Measured) -> f64| median(rounds.iter().map(|round| what(&round[index])));
            let ratio = median(rounds.iter().map(|round| round[index].all / round[0].all));
            let requests = rounds.iter().map(|round| round[index].requests).max().unwrap();
            let _ = writeln!(
                table,
                "| {size} | {} | {:.1} | {ratio:.2} | {:.1} | {:.1} | {:.1} | {requests} |",
                format!("{state:?}").to_lowercase(),
                of(|measured| measured.all),
                of(|measured| measured.median_caller),
                of(|measured| measured.slowest_percent),
                of(|measured| measured.processor),
            );
        }
    }
    table
}

fn crowd(program: &Path, state: State, size: usize) -> Measured {
    let (issuer, home) = machine(state);
    let command = || {
        let mut command = Command::new(program);
        command.args(["get", "--format", "token", "--wait", "60s"]).env_clear();
        command.env("HOME", home.path()).env("CODEX_CREDENTIAL_ISSUER", issuer.url());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let before = processor_time();
    let begin = Instant::now();
    let mut times: Vec<f64> = thread::scope(|scope| {
        let callers: Vec<_> = (0..size)
            .map(|_| {
                scope.spawn(|| {
                    let begin = Instant::now();
                    let status = command().status();
                    assert!(
                        status.is_ok_and(|status| status.success()),
                        "each caller gets a token"
                    );
                    begin.elapsed().as_secs_f64() * 1e3
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let all = begin.elapsed().as_secs_f64() * 1e3;
    times.sort_by(f64::total_cmp);
    let counts = issuer.counts();
    Measured {
        all,
        median_caller: times[times.len() / 2],
        slowest_percent: times[(times.len() * 99).div_ceil(100) - 1],
        processor: (processor_time() - before) / f64::from(u32::try_from(size).unwrap()),
        requests: counts.user_codes + counts.refreshes,
    }
}

/// Starts a server and creates a home with Codex's login in this state.
fn machine(state: State) -> (Issuer, TempDir) {
    let issuer = Issuer::builder()
        .token_padding(500)
        .set(|settings| {
            settings.interval = Interval::Text(1);
            settings.auto_approve = Some(Duration::from_secs(1));
        })
        .start();
    issuer.fault(Endpoint::Refresh, Fault::DelayBefore(Duration::from_millis(200)), 1000);
    let home = tempfile::tempdir().unwrap();
    let lifetime = match state {
        State::Warm => 864_000,
        State::Expired => -1,
        State::Cold => return (issuer, home),
    };
    let ada: Account = Issuer::accounts().swap_remove(0);
    let tokens = issuer.grant(&ada, lifetime);
    logins::write(home.path(), &tokens);
    (issuer, home)
}
