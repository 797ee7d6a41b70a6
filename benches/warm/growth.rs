//! Many logins: what a warm `get` of one of them costs.

use crate::contenders::Contender;
use crate::logins::Logins;
use crate::measure::{self, median};
use crate::report::thousands;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const LOGINS: [usize; 3] = [1, 100, 10_000];
const ROUNDS: usize = 100;

pub fn table(program: &Path) -> String {
    let homes: Vec<(usize, Logins)> =
        LOGINS.into_iter().map(|number| (number, home(program, number))).collect();
    let calls: Vec<Contender> = homes.iter().map(|(_, logins)| get(program, logins)).collect();
    let walls = measure::walls(&calls, ROUNDS);
    let mut table = String::from(
        "| logins in one folder | instructions | system calls | page faults | × one login |\n|---:|---:|---:|---:|---:|\n",
    );
    for (index, (number, _)) in homes.iter().enumerate() {
        let counts = measure::counts(&calls[index]);
        let ratio = median(walls.iter().map(|round| round[index] / round[0]));
        let of = |count: Option<u64>| count.map_or_else(|| "–".into(), thousands);
        let [instructions, calls, faults] =
            [counts.instructions, counts.system_calls, counts.page_faults].map(of);
        let _ = writeln!(
            table,
            "| {} | {instructions} | {calls} | {faults} | {ratio:.2} |",
            thousands(*number as u64)
        );
    }
    table
}

fn get(program: &Path, logins: &Logins) -> Contender {
    Contender::new("growth", program, logins)
        .args(&["get", "--format", "token", "--profile", "file"])
        .env("CODEX_CREDENTIAL_CONFIG", logins.config().to_str().unwrap())
}

/// One that is signed in, and copies of it under the names of other accounts.
fn home(program: &Path, number: usize) -> Logins {
    let logins = Logins::new();
    assert!(logins.sign_in(program).contains(&"file"), "a login in a file");
    let account = account(&logins.path(".local/state/codex-credential/logins"));
    let login = fs::read(account.join("login")).unwrap();
    for other in 1..number {
        let folder = account.with_file_name(format!("{other:064x}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("login"), &login).unwrap();
    }
    logins
}

/// The folder of the one account that is signed in in a file.
fn account(state: &Path) -> PathBuf {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    let issuers = folders(state);
    let mut accounts = issuers.iter().flat_map(|issuer| folders(issuer));
    accounts.find(|account| account.join("login").is_file()).expect("the login's folder")
}
