//! What the attacks came to: one row each, printed in the end in the form of docs/security.md.

use crate::scene::Left;
use std::sync::Mutex;

struct Row {
    attack: String,
    tried: usize,
    /// How often the answer was lost on the wire, with the login, and told at the next run.
    cut_off: usize,
    lost: usize,
    test: &'static str,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Notes what became of some tries. Panics if something was lost.
pub fn report(attack: String, test: &'static str, results: Vec<Result<Left, String>>) {
    let count = |left| results.iter().filter(|result| **result == Ok(left)).count();
    let tried = results.len() - count(Left::NotStruck);
    let cut_off = count(Left::CutOff);
    let lost: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(tried > 0, "{attack} was not tried");
    ROWS.lock().unwrap().push(Row { attack, tried, cut_off, lost: lost.len(), test });
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

pub fn print() {
    let mut rows = ROWS.lock().unwrap();
    rows.sort_by(|a, b| (a.test, &a.attack).cmp(&(b.test, &b.attack)));
    println!("| attack | tried | lost | test |\n|---|---|---|---|");
    for Row { attack, tried, cut_off, lost, test } in &*rows {
        let told = match cut_off {
            0 => String::new(),
            _ => format!("; {cut_off} answers lost on the wire, each told once"),
        };
        println!("| {attack} | {tried} | {lost}{told} | `{test}` |");
    }
}
