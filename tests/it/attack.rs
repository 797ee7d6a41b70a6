//! Appends the result of an attack as a row to the file that `ATTACKS` names. `.ci/attack-tables` fails if a row says that
//! something was lost.

#![expect(
    clippy::disallowed_methods,
    reason = "an environment variable names the file, which several test programs share"
)]

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What is attacked.
#[derive(Clone, Copy)]
pub enum Table {
    Faults,
    Servers,
    Callers,
    Secrets,
}

/// An attack in a test that panics at the first loss.
pub struct Attack {
    table: Table,
    what: &'static str,
    test: String,
    tried: AtomicUsize,
}

/// `attack!(Servers, "what is done")` creates the [`Attack`] of the surrounding test.
#[allow(unused_macros, reason = "not every test suite uses it")]
macro_rules! attack {
    ($table:ident, $what:expr) => {{
        fn here() {}
        let table = crate::attack::Table::$table;
        crate::attack::Attack::by(std::any::type_name_of_val(&here), table, $what)
    }};
}

impl Attack {
    /// Creates the attack. `function` is the compiler's name of the function `here` in the test.
    pub fn by(function: &str, table: Table, what: &'static str) -> Self {
        let test = function.trim_end_matches("::here").trim_start_matches("it::").to_owned();
        Self { table, what, test, tried: AtomicUsize::new(0) }
    }

    /// Counts one more try.
    pub fn again(&self) {
        self.tries(1);
    }

    pub fn tries(&self, count: usize) {
        self.tried.fetch_add(count, Ordering::Relaxed);
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let (tried, lost) = (*self.tried.get_mut(), thread::panicking());
        record(self.table, self.what, tried, usize::from(lost), "", &self.test);
        assert!(tried > 0 || lost, "{} was not tried", self.what);
    }
}

/// Appends one row. `note` follows the number of losses.
pub fn record(table: Table, what: &str, tried: usize, lost: usize, note: &str, test: &str) {
    let Some(path) = std::env::var_os("ATTACKS") else { return };
    let table = match table {
        Table::Faults => "faults",
        Table::Servers => "servers",
        Table::Callers => "callers",
        Table::Secrets => "secrets",
    };
    let row = format!("{table}\t{test}\t{what}\t{tried}\t{lost}\t{note}\n");
    let file = OpenOptions::new().append(true).create(true).open(path);
    // In one write: other tests append their rows at the same time.
    file.and_then(|mut file| file.write_all(row.as_bytes()))
        .expect("the file that ATTACKS names can be written");
}
