//! docs/security.md names a test for each kind of attack, and each test that it names exists.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the Rust files below `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether `name`, such as `erase::rejected_token_is_renewed_by_the_next_get`, is a function in a test file of that name.
fn exists(name: &str, files: &[PathBuf]) -> bool {
    let (file, function) = name.rsplit_once("::").unwrap();
    let file = format!("{}.rs", file.replace("::", "/"));
    let has_function = |path: &PathBuf| {
        fs::read_to_string(path).is_ok_and(|code| code.contains(&format!("fn {function}(")))
    };
    files.iter().filter(|path| path.ends_with(&file)).any(has_function)
}

#[test]
fn each_test_in_the_security_page_exists() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let files = rust_files(&root().join("tests"));
    let quoted: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let tests: Vec<&&str> = quoted.iter().filter(|text| text.contains("::")).collect();
    let paths = quoted.iter().filter(|text| text.starts_with("tests/"));
    assert!(!tests.is_empty());
    let missing: Vec<_> = tests.into_iter().filter(|name| !exists(name, &files)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for path in paths {
        assert!(root().join(path).exists(), "{path}");
    }
}

#[test]
fn each_row_of_the_security_page_names_a_test() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| kind |");
    for row in page.lines().filter(is_row) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(cell.starts_with('`') && cell.ends_with('`'), "{row}");
    }
}
