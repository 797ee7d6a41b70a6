//! The measured programs: a C program, two builds of this program, and git's credential helpers.

use crate::logins::Logins;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GIT_REQUEST: &str = "protocol=https\nhost=chatgpt.com\n";

pub struct Contender {
    pub name: String,
    pub program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The file for standard input.
    input: PathBuf,
}

impl Contender {
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, logins: &Logins) -> Self {
        let (name, program) = (name.into(), program.into());
        let (arguments, input) = (Vec::new(), "/dev/null".into());
        Self { name, program, arguments, environment: logins.environment(), input }
    }

    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn input(mut self, input: PathBuf) -> Self {
        self.input = input;
        self
    }

    /// Returns the command, run by `tool` unless that is empty.
    pub fn command(&self, tool: &[&str]) -> Command {
        let mut words = tool.iter().map(Path::new).chain([self.program.as_path()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(&self.arguments).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(File::open(&self.input).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Returns whether the program is installed and succeeds.
    fn answers(&self) -> bool {
        let output = self.command(&[]).stdout(Stdio::piped()).output();
        output.is_ok_and(|output| output.status.success())
    }
}

/// The two release builds of this program.
pub struct Built {
    pub release: PathBuf,
    pub fixed: PathBuf,
}

const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

pub fn built() -> Built {
    Built { release: build(None), fixed: build(Some(STATIC_TARGET)) }
}

/// Builds both programs and copies them, as an installation does. Returns the path of `codex-credential`. A copy is in the
/// page cache in larger pieces than the linker's output, so a call has fewer page faults.
fn build(target: Option<&str>) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // Cargo's variables for a benchmark would make build scripts of dependencies run again.
    for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo.args(["build", "--quiet", "--release", "--bins"]);
    // The packages contain the static build with etcd.
    cargo.args(target.iter().flat_map(|target| ["--features", "etcd", "--target", target]));
    assert!(cargo.status().is_ok_and(|status| status.success()), "the release builds");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let built = scratch.parent().unwrap().join(target.unwrap_or_default()).join("release");
    let installed = scratch.join("installed").join(target.unwrap_or("host"));
    fs::create_dir_all(&installed).unwrap();
    for program in ["codex-credential-full", "codex-credential"] {
        fs::copy(built.join(program), installed.join(program)).unwrap();
    }
    installed.join("codex-credential")
}

/// Returns the contenders that work on this machine.
pub fn all(logins: &Logins, built: &Built) -> Vec<Contender> {
    let mut all = Vec::from(floors(logins));
    all.extend(ours("static", &built.fixed, logins));
    all.extend(ours("release", &built.release, logins));
    all.extend(git(logins));
    all.retain(|contender| {
        let answers = contender.answers();
        if !answers {
            eprintln!("left out, not installed or failing: {}", contender.name);
        }
        answers
    });
    all
}

/// Builds floor.c, linked in three ways. The static program with glibc comes first: all others are compared with it.
pub fn floors(logins: &Logins) -> [Contender; 3] {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/warm/floor.c");
    [("static", "cc", "-static"), ("dynamic", "cc", "-O2"), ("static, musl", "musl-gcc", "-static")]
        .map(|(name, compiler, flag)| {
            let program = logins.path(name);
            let mut cc = Command::new(compiler);
            let cc = cc.args(["-O2", flag, "-o"]).arg(&program).arg(&source).status();
            assert!(cc.is_ok_and(|status| status.success()), "{compiler} {flag} compiles floor.c");
            Contender::new(format!("C, {name}: read the file, print"), program, logins)
                .args(&[logins.auth_json().to_str().unwrap()])
        })
}

fn get(release: &str, what: &str, program: &Path, logins: &Logins) -> Contender {
    Contender::new(format!("**{release}**, {what}"), program, logins)
        .args(&["get", "--format", "token"])
}

pub fn codex_token(release: &str, program: &Path, logins: &Logins) -> Contender {
    get(release, "Codex's login, token", program, logins)
}

/// Returns `get` for Codex's login in both output forms, and for a login in each storage of this program.
fn ours(release: &str, program: &Path, logins: &Logins) -> Vec<Contender> {
    let git = get(release, "Codex's login, git's protocol", program, logins);
    let mut ours =
        vec![codex_token(release, program, logins), git.args(&["get"]).input(request(logins))];
    for storage in logins.sign_in(program) {
        let arguments = ["get", "--format", "token", "--profile", storage];
        ours.push(
            get(release, &format!("{storage}, token"), program, logins)
                .args(&arguments)
                .env("CODEX_CREDENTIAL_CONFIG", logins.config().to_str().unwrap()),
        );
    }
    ours
}

fn request(logins: &Logins) -> PathBuf {
    let request = logins.path("request");
    fs::write(&request, format!("{GIT_REQUEST}\n")).unwrap();
    request
}

/// Returns git's credential store and cache, each with one credential of the size of a token.
pub fn git(logins: &Logins) -> [Contender; 2] {
    let folder = Command::new("git").arg("--exec-path").output();
    let folder = folder.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    let stored = logins.path("credential");
    fs::write(&stored, format!("{GIT_REQUEST}username=u\npassword={}\n\n", "x".repeat(1200)))
        .unwrap();
    ["git-credential-store", "git-credential-cache"].map(|name| {
        let program = Path::new(folder.trim()).join(name);
        let run = |operation| {
            Contender::new(format!("`{name} get`"), &program, logins).args(&[operation])
        };
        let _ = run("store").input(stored.clone()).command(&[]).status();
        run("get").input(request(logins))
    })
}
