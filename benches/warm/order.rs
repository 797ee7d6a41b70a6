//! Which functions a warm call runs: the linker lays them side by side (build.rs), so that a call reads a few windows of
//! the program instead of one from everywhere.

use crate::contenders::{self, Contender, STATIC_TARGET};
use crate::logins::Logins;
use std::fs;
use std::path::Path;

/// Runs the static release as it is, and writes the linker's script for the next one.
pub fn write(logins: &Logins) {
    let program = contenders::build(Some(STATIC_TARGET));
    let calls = contenders::ours("static", &program, logins);
    let mut patterns = Vec::new();
    for pattern in
        calls.iter().flat_map(|call| functions(call, logins)).filter_map(|it| pattern(&it))
    {
        // In the order of the calls: what the first one runs lies together, and the rest behind it.
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/codex-credential/warm.ld");
    fs::write(&script, text(&patterns)).unwrap();
    println!("{}: {} functions", script.display(), patterns.len());
}

/// By their names in the program's table of symbols, as callgrind has them.
fn functions(call: &Contender, logins: &Logins) -> Vec<String> {
    let profile = logins.path("callgrind");
    let output = format!("--callgrind-out-file={}", profile.display());
    let tool = ["valgrind", "--tool=callgrind", "--demangle=no", output.as_str()];
    let status = call.command(&tool).status();
    assert!(status.is_ok_and(|status| status.success()), "valgrind runs {}", call.name);
    // fn=(12) _ZN4core3fmt5write17h0123456789abcdefE
    let told = fs::read_to_string(profile).unwrap();
    let names = told.lines().filter_map(|line| line.split_once("fn=(")?.1.split_once(") "));
    names.map(|(_, name)| name.to_owned()).collect()
}

/// Leaves open what differs between two compilers, or two versions of a crate; `None` for what is no Rust function. The
/// C library's are few, and lie together anyway.
fn pattern(name: &str) -> Option<String> {
    if name.starts_with("_ZN") {
        // The path ends with a hash.
        return Some(format!("{}17h*", name.rsplit_once("17h")?.0));
    }
    // <https://doc.rust-lang.org/rustc/symbol-mangling/v0.html>: Cs…_ tells one crate from another of its name, and B…_
    // stands for a path that was written before.
    let name = name.strip_prefix("_R")?.split(['.', '\'']).next()?;
    Some(format!("_R{}*", with_any(&with_any(name, "Cs", 13), "B", 2)))
}

/// `name` with `*` in place of each number of up to `digits` digits between `mark` and an underscore.
fn with_any(name: &str, mark: &str, digits: usize) -> String {
    let mut parts = name.split(mark);
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.find('_').filter(|&length| length <= digits);
        let is_number =
            |length: &usize| part[..*length].bytes().all(|it| it.is_ascii_alphanumeric());
        pattern += mark;
        match number.filter(is_number) {
            Some(length) => pattern.extend(["*", &part[length..]]),
            None => pattern += part,
        }
    }
    pattern
}

fn text(patterns: &[String]) -> String {
    // What never returns is unlikely to the compiler; but one of these is run by every call.
    let section = |it| format!("    *(.text.{it} .text.unlikely.{it})\n");
    let sections: Vec<String> = patterns.iter().map(section).collect();
    let sections = sections.concat();
    format!(
        "/* What a warm call runs, to lie together. Written by: just order */\n\
         SECTIONS\n{{\n  .text.warm :\n  {{\n    *crt1.o(.text) *libc.a:*(.text .text.*)\n    *(.text.main)\n{sections}  }}\n}}\n\
         INSERT BEFORE .text;\n"
    )
}
