//! The structure of src: which part may use which, no circles, and one home for each crate that we depend on.

mod graph;

use graph::{Graph, Modules, circles, merged};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each part of src may use beside itself and the words. A part is a folder or a file of src.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "bin",
        &[
            "answer",
            "audit",
            "cli",
            "commands",
            "configure",
            "hardening",
            "oauth",
            "profile",
            "renewal",
            "stdin",
            "storage",
            "ui",
        ],
    ),
    ("cli", &["answer", "commands", "configure", "profile", "renewal", "storage", "ui"]),
    (
        "commands",
        &[
            "answer",
            "audit",
            "configure",
            "oauth",
            "account_policy",
            "profile",
            "renewal",
            "storage",
            "ui",
        ],
    ),
    ("configure", &["profile", "storage", "ui"]),
    ("renewal", &["answer", "audit", "oauth", "account_policy", "profile", "storage", "ui"]),
    ("answer", &["audit", "account_policy", "profile", "storage", "ui"]),
    ("audit", &["profile", "storage"]),
    ("account_policy", &["profile", "storage"]),
    ("profile", &["fleet", "storage", "ui"]),
    ("fleet", &["storage"]),
    ("oauth", &[]),
    ("storage", &[]),
    ("ui", &[]),
    ("stdin", &[]),
    ("hardening", &[]),
];

/// The parts that every part may use. They use nothing but each other.
const WORDS: &[&str] = &[
    "account",
    "client",
    "clock",
    "command_options",
    "output",
    "pending_sign_in",
    "error",
    "folders",
    "lifetime",
    "limits",
    "login",
    "network",
    "private",
    "programs",
    "quote",
    "read_file",
    "signals",
    "threads",
    "tokens",
    "trace",
    "urls",
    "values",
    "verification",
    "visible",
];

/// Paths of other crates that one file or folder may use.
const HOMES: &[(&str, &str)] = &[
    ("reqwest", "oauth/"),
    ("tokio", "oauth/"),
    ("hyper_util", "oauth/"),
    ("etcd_client", "fleet/"),
    ("age", "fleet/encryption.rs"),
    ("fs4", "storage/lock.rs"),
    ("tempfile", "storage/files.rs"),
    ("jsonwebtoken", "oauth/"),
    ("keyring::Entry", "storage/keyring.rs"),
    ("ctrlc", "renewal/wait.rs"),
    ("console", "ui/"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

/// Each file below src: its name and its text.
fn source_files() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let name = |path: &PathBuf| path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn part(file: &str) -> Option<String> {
    file.split(['/', '.']).next().map(str::to_owned)
}

#[test]
fn each_part_uses_only_the_parts_below_it() {
    for (part, uses) in merged(&Modules::read(&source_files()).uses(), part) {
        let is_word = WORDS.contains(&part.as_str()) || part == "lib";
        let may_use = MAY_USE.iter().find(|(name, _)| *name == part).map(|(_, may_use)| *may_use);
        assert!(is_word || may_use.is_some(), "{part} is missing in MAY_USE and in WORDS");
        for used in uses {
            let used = used.as_str();
            let allowed = WORDS.contains(&used) || may_use.unwrap_or_default().contains(&used);
            assert!(allowed, "{part} uses {used}");
        }
    }
}

#[test]
fn no_circles_between_files_or_folders() {
    let files = Modules::read(&source_files()).uses();
    let mut new = described_circles(&files);
    for folder in files.keys().flat_map(|file| Path::new(file).ancestors().skip(1)) {
        // The entries of this folder, each a file or a folder with all that is in it.
        let entry = |file: &str| {
            let entry = Path::new(file).strip_prefix(folder).ok()?.iter().next()?;
            folder.join(entry).to_str().map(str::to_owned)
        };
        new.extend(described_circles(&merged(&files, entry)));
    }
    let new: Vec<_> = new.iter().map(String::as_str).collect();
    assert!(new.is_empty(), "{}", new.concat());
}

/// Describes each circle, with the uses that close it.
fn described_circles(graph: &Graph) -> BTreeSet<String> {
    let told = |circle: BTreeSet<&str>| {
        let uses = circle.iter().flat_map(|from| graph[*from].iter().map(move |to| (from, to)));
        let uses = uses.filter(|(_, to)| circle.contains(to.as_str()));
        let uses: Vec<_> = uses.map(|(from, to)| format!("  {from} -> {to}\n")).collect();
        format!("a circle of {circle:?}:\n{}", uses.concat())
    };
    circles(graph).into_iter().map(told).collect()
}

/// The trace records no secret: its code knows no type that holds one.
#[test]
fn trace_uses_no_type_that_can_hold_a_secret() {
    let modules = Modules::read(&source_files());
    for (_, path) in modules.written().filter(|(file, _)| *file == "trace.rs") {
        if ["crate", "super"].contains(&path[0].as_str()) {
            let path = path.join("::");
            let allowed = ["clock", "error::Kind", "output", "private", "visible"];
            let allowed = allowed.map(|it| format!("crate::{it}"));
            assert!(allowed.iter().any(|it| path.starts_with(it.as_str())), "trace.rs uses {path}");
        }
    }
}

#[test]
fn each_dependency_has_one_home() {
    let modules = Modules::read(&source_files());
    for (file, path) in modules.written() {
        for (thing, home) in HOMES {
            let is_used = thing.split("::").eq(path.iter().take(thing.split("::").count()));
            // A lease on etcd is kept alive by tokio while the rest of the program waits.
            let is_lease = *thing == "tokio" && file.starts_with("fleet/");
            assert!(
                !is_used || is_lease || file.starts_with(home),
                "{file} uses {thing}, which only {home} may use"
            );
        }
    }
}

/// `print!` panics when its reader has gone.
#[test]
fn nothing_is_printed_by_macros() {
    for (file, text) in source_files() {
        assert!(["print!(", "println!("].iter().all(|name| !text.contains(name)), "{file} prints");
    }
}
