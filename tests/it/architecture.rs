//! The arrows of docs/architecture.md: who may know whom.

use std::fs;
use std::path::{Path, PathBuf};

const WORDS: &[&str] = &[
    "account", "client", "clock", "error", "folders", "lenient", "login", "programs", "tokens",
    "trace", "urls",
];

/// What each part may use of the crate, beside itself and the words.
const MAY_USE: &[(&str, &[&str])] = &[
    ("cli", &["answer", "commands", "configure", "renewal", "storage", "ui"]),
    (
        "commands",
        &["answer", "audit", "configure", "oauth", "policy", "profile", "renewal", "storage", "ui"],
    ),
    ("configure", &["profile", "storage", "ui"]),
    ("renewal", &["answer", "audit", "oauth", "policy", "profile", "storage", "ui"]),
    ("answer", &["audit", "policy", "profile", "storage", "ui"]),
    ("audit", &["profile", "storage"]),
    ("policy", &["profile", "storage"]),
    ("profile", &["fleet", "storage", "ui"]),
    ("fleet", &["storage"]),
    ("oauth", &[]),
    ("storage", &[]),
    ("ui", &[]),
    ("stdin", &[]),
    ("hardening", &[]),
    ("account", &[]),
    ("client", &[]),
    ("clock", &[]),
    ("error", &[]),
    ("folders", &[]),
    ("lenient", &[]),
    ("login", &[]),
    ("programs", &[]),
    ("tokens", &[]),
    ("trace", &[]),
    ("urls", &[]),
];

/// Crates that have one home, a file or a folder.
///
/// tokio has a second home: a lease on etcd is kept alive while the rest of the program waits.
const HOMES: &[(&str, &str)] = &[
    ("reqwest::", "oauth/http.rs"),
    ("tokio::", "oauth/http.rs"),
    ("hyper_util::", "oauth/"),
    ("etcd_client::", "fleet/"),
    ("age::", "fleet/encryption.rs"),
    ("fs4::", "storage/lock.rs"),
    ("tempfile::", "storage/files.rs"),
    ("jsonwebtoken::", "oauth/"),
    ("keyring::Entry", "storage/keyring.rs"),
    ("ctrlc::", "renewal/wait.rs"),
    ("console::", "ui/"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

/// The files below src, with their code up to the unit tests.
pub fn code() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let name = |path: &PathBuf| path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
    let text = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let code = |text: String| text.split("#[cfg(test)]").next().unwrap().to_owned();
    files.iter().map(|path| (name(path), code(text(path)))).collect()
}

#[test]
fn arrows_go_one_way() {
    for (file, code) in code() {
        let part = file.split(['/', '.']).next().unwrap();
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == part) else {
            assert!(["bin", "lib"].contains(&part), "{file} is in no part of the table");
            continue;
        };
        for used in code.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            let allowed = used == part || WORDS.contains(&used) || may_use.contains(&used);
            assert!(allowed, "{file} uses crate::{used}");
        }
    }
}

#[test]
fn what_can_be_traced_has_no_type_for_a_secret() {
    let (_, trace) = code().into_iter().find(|(file, _)| file == "trace.rs").unwrap();
    let lines = trace.lines().filter(|line| !line.trim_start().starts_with("//"));
    let used = lines.flat_map(|line| line.split("crate::").skip(1));
    for used in used {
        let known = ["clock::", "error::Kind"].iter().any(|known| used.starts_with(known));
        assert!(known, "trace.rs uses crate::{used}");
    }
}

#[test]
fn each_outside_thing_has_one_home() {
    for (file, code) in code() {
        for (thing, home) in HOMES {
            let uses =
                code.contains(&format!("use {thing}")) || code.contains(&format!(" {thing}"));
            let is_lease = *thing == "tokio::" && file.starts_with("fleet/");
            assert!(
                !uses || is_lease || file.starts_with(home),
                "{file} uses {thing} which lives in {home}"
            );
        }
    }
}

/// They panic where nobody reads what they print.
#[test]
fn nothing_is_printed_by_macros() {
    for (file, code) in code() {
        assert!(["print!(", "println!("].iter().all(|name| !code.contains(name)), "{file} prints");
    }
}

/// The test of each `attack!`, as docs/security.md names it.
fn attacks() -> Vec<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut files = Vec::new();
    sources(&tests, &mut files);
    let mut found = Vec::new();
    let is_about_them =
        |file: &Path| file.ends_with("attack.rs") || file.ends_with("architecture.rs");
    for file in files.iter().filter(|file| !is_about_them(file)) {
        let text = fs::read_to_string(file).unwrap();
        let module = file.file_stem().unwrap().to_str().unwrap();
        let mut function = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
                function = name;
            }
            if line.contains("attack!(") {
                found.push(format!("{module}::{function}"));
            }
        }
    }
    found
}

#[test]
fn the_security_document_has_a_row_of_each_attack_and_nothing_was_lost() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let document = fs::read_to_string(document).unwrap();
    let rows = document.lines().filter(|line| line.ends_with("` |"));
    let mut named = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [_, tried, lost, test] = cells[..] else { panic!("{row}") };
        assert!(tried.parse::<u32>().unwrap() > 0, "{row}");
        assert!(lost == "0" || lost.starts_with("0; "), "{row}");
        named.push(test.trim_end_matches(" |").trim_matches('`').to_owned());
    }
    let attacks = attacks();
    assert!(attacks.len() > 50, "{attacks:?}");
    let missing: Vec<_> = attacks.iter().filter(|test| !named.contains(test)).collect();
    assert!(missing.is_empty(), "{missing:?}: .ci/attacks --long writes them");
    // Those of tests/faults are functions of that name.
    let faults = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let is_fault = |test: &str| {
        let (module, function) = test.split_once("::").unwrap();
        let code = fs::read_to_string(faults.join(module).with_extension("rs"));
        code.is_ok_and(|code| code.contains(&format!("pub fn {function}()")))
    };
    let gone: Vec<_> =
        named.iter().filter(|test| !attacks.contains(test) && !is_fault(test)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
