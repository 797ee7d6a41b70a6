//! Measures a call. The counts do not depend on the speed of the machine.

use crate::contenders::Contender;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The counts of one call; `None` if this machine cannot count them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// System calls of all threads and children, counted by strace.
    pub system_calls: Option<u64>,
    pub page_faults: Option<u64>,
    /// The size of the program's file in bytes.
    pub size: u64,
}

pub fn counts(contender: &Contender) -> Counts {
    Counts {
        system_calls: system_calls(contender),
        page_faults: page_faults(contender),
        size: size(contender),
    }
}

fn size(contender: &Contender) -> u64 {
    let found = Command::new("which").arg(&contender.program).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    fs::metadata(path.trim()).map_or(0, |found| found.len())
}

fn system_calls(contender: &Contender) -> Option<u64> {
    let tool = ["strace", "-f", "-qq"];
    let output = contender.command(&tool).stderr(Stdio::piped()).output().ok()?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let calls = log.lines().filter(|line| line.contains('(') && !line.contains("resumed>")).count();
    (output.status.success() && calls > 0).then_some(calls as u64)
}

/// Returns the minimum of a few calls: with randomized addresses, a stack sometimes needs one more page.
fn page_faults(contender: &Contender) -> Option<u64> {
    let of_one = || {
        let before = child_usage()?;
        contender.command(&[]).status().ok()?;
        Some(child_usage()?.page_faults - before.page_faults)
    };
    (0..5).map(|_| of_one()).min()?
}

/// Returns the processor time of all ended children in milliseconds, with a resolution of ten.
pub fn processor_time() -> f64 {
    child_usage().expect("/proc is mounted").processor
}

struct ChildUsage {
    page_faults: u64,
    processor: f64,
}

/// Reads the counts of the children that have been waited for: `cminflt`, `cmajflt`, `cutime` and `cstime` of proc(5).
fn child_usage() -> Option<ChildUsage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(ChildUsage {
        page_faults: field(11)? + field(13)?,
        processor: u32::try_from(field(16)? + field(17)?).map(f64::from).ok()? * 10.0,
    })
}

/// Returns the wall time of each call in microseconds, one row per round.
pub fn walls(contenders: &[Contender], rounds: usize) -> Vec<Vec<f64>> {
    let mut walls = vec![vec![0.0; contenders.len()]; rounds];
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    for round in &mut walls {
        fastrand::shuffle(&mut order);
        for &index in &order {
            round[index] = wall(&contenders[index]);
        }
    }
    walls
}

fn wall(contender: &Contender) -> f64 {
    let mut command = contender.command(&[]);
    let begin = Instant::now();
    let status = command.status();
    let wall = begin.elapsed().as_secs_f64() * 1e6;
    assert!(status.is_ok_and(|status| status.success()), "{} succeeds", contender.name);
    wall
}

/// Returns the median of the ratios of `index`'s wall time to the first contender's, each taken within one round, so that a
/// slow moment slows both.
pub fn ratio(walls: &[Vec<f64>], index: usize) -> f64 {
    median(walls.iter().map(|round| round[index] / round[0]))
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
