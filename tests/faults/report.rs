//! Counts the outcomes of the tries of one attack.

use crate::attack::{Table, record};
use crate::scene::Outcome;

/// Records the outcomes. Panics if a try lost something.
pub fn report(attack: &str, test: &str, results: Vec<Result<Outcome, String>>) {
    let count = |left| results.iter().filter(|result| **result == Ok(left)).count();
    let tried = results.len() - count(Outcome::NotReached);
    let told = match count(Outcome::AnswerLost) {
        0 => String::new(),
        cut_off => {
            format!("; {cut_off} with the answer lost on the wire, which the next run reports")
        }
    };
    let lost: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    record(Table::Faults, attack, tried, lost.len(), &told, test);
    assert!(tried > 0, "{attack} was not tried");
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
