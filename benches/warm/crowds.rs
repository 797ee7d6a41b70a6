//! Many callers at once: with a valid token, with none, and with an expired one.

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
/// Of each size, in turn; the medians count.
const ROUNDS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Warm,
    /// Approved a second after it is asked for.
    Cold,
    /// The token endpoint takes 200 ms.
    Expired,
}

/// Of one crowd, in milliseconds.
#[derive(Clone, Copy, Default)]
struct Seen {
    all: f64,
    half: f64,
    nearly_all: f64,
    processor: f64,
    requests: u64,
}

pub fn table(program: &Path) -> String {
    let mut table = String::from(
        "| callers | token | all done, ms | × one alone | a caller: p50, ms | p99, ms | processor time a caller, ms | requests for a login or a renewal |\n\
         |---:|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for state in [State::Warm, State::Cold, State::Expired] {
        let rounds: Vec<Vec<Seen>> = (0..ROUNDS)
            .map(|_| SIZES.iter().map(|&size| crowd(program, state, size)).collect())
            .collect();
        for (index, size) in SIZES.iter().enumerate() {
            let of =
                |what: fn(&Seen) -> f64| median(rounds.iter().map(|round| what(&round[index])));
            let ratio = median(rounds.iter().map(|round| round[index].all / round[0].all));
            let requests = rounds.iter().map(|round| round[index].requests).max().unwrap();
            let _ = writeln!(
                table,
                "| {size} | {} | {:.1} | {ratio:.2} | {:.1} | {:.1} | {:.1} | {requests} |",
                format!("{state:?}").to_lowercase(),
                of(|seen| seen.all),
                of(|seen| seen.half),
                of(|seen| seen.nearly_all),
                of(|seen| seen.processor),
            );
        }
    }
    table
}

fn crowd(program: &Path, state: State, size: usize) -> Seen {
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
                    assert!(status.is_ok_and(|status| status.success()), "each gets a token");
                    begin.elapsed().as_secs_f64() * 1e3
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let all = begin.elapsed().as_secs_f64() * 1e3;
    times.sort_by(f64::total_cmp);
    let counts = issuer.counts();
    Seen {
        all,
        half: times[times.len() / 2],
        nearly_all: times[(times.len() * 99).div_ceil(100) - 1],
        processor: (processor_time() - before) / f64::from(u32::try_from(size).unwrap()),
        requests: counts.user_codes + counts.refreshes,
    }
}

/// Codex's own login, in that state.
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
