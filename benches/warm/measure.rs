//! What a call costs. All but the wall time is the same on a busy machine as on an idle one.

use crate::contenders::Contender;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Of one call; `None` where it cannot be counted here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Of all threads and children, by callgrind.
    pub instructions: Option<u64>,
    /// Of all threads and children.
    pub system_calls: Option<u64>,
    pub page_faults: Option<u64>,
    /// The greatest resident memory, in KiB.
    pub memory: Option<u64>,
    /// Of the program's file, in bytes.
    pub size: u64,
}

pub fn counts(contender: &Contender) -> Counts {
    Counts {
        instructions: instructions(contender),
        system_calls: system_calls(contender),
        page_faults: page_faults(contender),
        memory: memory(contender),
        size: size(contender),
    }
}

fn size(contender: &Contender) -> u64 {
    let found = Command::new("which").arg(&contender.program).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    fs::metadata(path.trim()).map_or(0, |found| found.len())
}

fn instructions(contender: &Contender) -> Option<u64> {
    // Under valgrind some programs, node among them, come to no end.
    let tool = [
        "timeout",
        "60",
        "valgrind",
        "--tool=callgrind",
        "--trace-children=yes",
        "--callgrind-out-file=/dev/null",
    ];
    let output = contender.command(&tool).stderr(Stdio::piped()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // ==1234== Collected : 15468
    let counts =
        said.lines().filter_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    let counts: Vec<u64> = counts.collect();
    (output.status.success() && !counts.is_empty()).then(|| counts.iter().sum())
}

fn system_calls(contender: &Contender) -> Option<u64> {
    let tool = ["strace", "-f", "-qq"];
    let output = contender.command(&tool).stderr(Stdio::piped()).output().ok()?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let calls = log.lines().filter(|line| line.contains('(') && !line.contains("resumed>")).count();
    (output.status.success() && calls > 0).then_some(calls as u64)
}

/// The fewest of a few calls: where addresses are random, a stack now and then takes a page more.
fn page_faults(contender: &Contender) -> Option<u64> {
    let of_one = || {
        let before = of_children()?;
        contender.command(&[]).status().ok()?;
        Some(of_children()?.page_faults - before.page_faults)
    };
    (0..5).map(|_| of_one()).min()?
}

/// The processor time of all children that have ended, in milliseconds, to the next ten.
pub fn processor_time() -> f64 {
    of_children().expect("proc is mounted").processor
}

struct OfChildren {
    page_faults: u64,
    processor: f64,
}

/// What proc(5) tells of those that have been waited for: `cminflt`, `cmajflt`, `cutime` and `cstime`.
fn of_children() -> Option<OfChildren> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(OfChildren {
        page_faults: field(11)? + field(13)?,
        processor: u32::try_from(field(16)? + field(17)?).map(f64::from).ok()? * 10.0,
    })
}

/// Asked of the kernel while the call is held at its last system call. (What `wait4` tells of memory is never less than
/// what its parent had.)
fn memory(contender: &Contender) -> Option<u64> {
    let tool =
        ["strace", "-qq", "-e", "trace=exit_group", "-e", "inject=exit_group:delay_enter=400000"];
    let mut strace = contender.command(&tool).spawn().ok()?;
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let mut last = None;
    while strace.try_wait().ok()?.is_none() {
        let child = fs::read_to_string(&children).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{}/status", child.trim()));
        last = status.ok().and_then(|status| high_water_mark(&status)).or(last);
        std::thread::sleep(Duration::from_millis(2));
    }
    last
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Microseconds of each call, a row for each round.
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
    assert!(status.is_ok_and(|status| status.success()), "{} answers", contender.name);
    wall
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
