//! What the attacks came to, by what each try left.

use crate::attack::{Table, record};
use crate::scene::Left;

/// Notes what became of some tries. Panics if something was lost.
pub fn report(attack: &str, test: &str, results: Vec<Result<Left, String>>) {
    let count = |left| results.iter().filter(|result| **result == Ok(left)).count();
    let tried = results.len() - count(Left::NotStruck);
    // With the login, which the next run said.
    let told = match count(Left::CutOff) {
        0 => String::new(),
        cut_off => format!("; {cut_off} with an answer lost on the wire, told by the next run"),
    };
    let lost: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    record(Table::Faults, attack, tried, lost.len(), &told, test);
    assert!(tried > 0, "{attack} was not tried");
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
