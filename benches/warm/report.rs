//! Formats the table of docs/performance.md.

use crate::contenders::Contender;
use crate::measure::{Counts, median, ratio};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn table(contenders: &[Contender], walls: &[Vec<f64>], counts: &[Counts]) -> String {
    let mut table =
        format!("{}; medians of {} rounds in shuffled order.\n\n", machine(), walls.len());
    table += "| call | µs | × floor | page faults | system calls | size, KiB |\n";
    table += "|---|---:|---:|---:|---:|---:|\n";
    for (index, (contender, counts)) in contenders.iter().zip(counts).enumerate() {
        let wall = median(walls.iter().map(|round| round[index]));
        let cells = [
            Some(format!("{wall:.0}")),
            Some(format!("{:.2}", ratio(walls, index))),
            counts.page_faults.map(thousands),
            counts.system_calls.map(thousands),
            Some(thousands(counts.size / 1024)),
        ];
        let cells = cells.map(|cell| cell.unwrap_or_else(|| "–".into()));
        let _ = writeln!(table, "| {} | {} |", contender.name, cells.join(" | "));
    }
    table
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// Returns the processor, the kernel and the versions of Rust and git.
fn machine() -> String {
    let shell = "grep -m1 'model name' /proc/cpuinfo | cut -d: -f2; nproc; uname -r; rustc --version | cut -d' ' -f2; git --version | cut -d' ' -f3";
    let output = Command::new("sh")
        .args(["-c", shell])
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let output = String::from_utf8_lossy(&output).into_owned();
    let mut lines = output.lines().map(str::trim);
    let mut next = || lines.next().unwrap_or("unknown");
    format!("{}, {} cores, Linux {}, Rust {}, git {}", next(), next(), next(), next(), next())
}

/// Replaces the table between its markers in docs/performance.md.
pub fn write(table: &str) {
    let mark = "<!-- warm -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let document = fs::read_to_string(&path).unwrap();
    let (head, rest) = document.split_once(mark).expect("the marker before the table");
    let (_, tail) = rest.split_once("<!-- end -->").expect("the marker after the table");
    fs::write(&path, format!("{head}{mark}{table}<!-- end -->{tail}")).unwrap();
}
