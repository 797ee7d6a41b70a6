//! Who is measured: the floor, ourselves, and what else hands out a secret on a call.

use crate::logins::Logins;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const GIT_REQUEST: &str = "protocol=https\nhost=chatgpt.com\n\n";

pub struct Contender {
    pub name: String,
    pub program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// A file that is its standard input.
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

    /// The call, run by `tool` where one is named.
    pub fn command(&self, tool: &[&str]) -> Command {
        let mut words = tool.iter().map(Path::new).chain([self.program.as_path()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(&self.arguments).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(File::open(&self.input).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Whether it is here and answers.
    fn answers(&self) -> bool {
        let output = self.command(&[]).stdout(Stdio::piped()).output();
        output.is_ok_and(|output| output.status.success())
    }
}

/// Our two releases.
pub struct Built {
    pub release: PathBuf,
    pub fixed: PathBuf,
}

pub const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

pub fn built() -> Built {
    Built { release: build(None), fixed: build(Some(STATIC_TARGET)) }
}

/// Builds both programs, and says where the answering one is.
pub fn build(target: Option<&str>) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells a bench of its package makes build scripts of dependencies run again.
    for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|its| name.starts_with(its)) {
            cargo.env_remove(name);
        }
    }
    cargo.args(["build", "--quiet", "--release", "--bins"]);
    // As the packages have it.
    cargo.args(target.iter().flat_map(|target| ["--features", "etcd", "--target", target]));
    assert!(cargo.status().is_ok_and(|status| status.success()), "the release builds");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.map_or(folder.to_owned(), |target| folder.join(target));
    folder.join("release/codex-credential")
}

/// Those that are here.
pub fn all(logins: &Logins, built: &Built) -> Vec<Contender> {
    let mut all = floors(logins);
    all.extend(ours("static", &built.fixed, logins));
    all.extend(ours("release", &built.release, logins));
    all.extend(others(logins));
    all.retain(|contender| {
        let answers = contender.answers();
        if !answers {
            eprintln!("not here, or it does not answer: {}", contender.name);
        }
        answers
    });
    all
}

/// The static one first: everything is compared with it.
pub fn floors(logins: &Logins) -> Vec<Contender> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/warm/floor.c");
    let floor = |name: &str, flag: &str| {
        let program = logins.path(name);
        let cc = Command::new("cc").args(["-O2", flag, "-o"]).arg(&program).arg(&source).status();
        assert!(cc.is_ok_and(|status| status.success()), "cc {flag} compiles floor.c");
        Contender::new(format!("C, {name}: read the file, print"), program, logins)
            .args(&[logins.auth_json().to_str().unwrap()])
    };
    vec![floor("static", "-static"), floor("dynamic", "-O2")]
}

/// `get` in both forms for Codex's login, and for a login in each storage of our own.
pub fn ours(name: &str, program: &Path, logins: &Logins) -> Vec<Contender> {
    let request = logins.path("request");
    fs::write(&request, GIT_REQUEST).unwrap();
    let get = |what: &str| Contender::new(format!("**{name}**, {what}"), program, logins);
    let mut ours = vec![
        get("Codex's login, token").args(&["get", "--format", "token"]),
        get("Codex's login, git's protocol").args(&["get"]).input(request),
    ];
    for storage in logins.sign_in(program) {
        let arguments = ["get", "--format", "token", "--profile", storage];
        let config = logins.config();
        ours.push(
            get(&format!("{storage}, token"))
                .args(&arguments)
                .env("CODEX_CREDENTIAL_CONFIG", config.to_str().unwrap()),
        );
    }
    // The first call after a change notes what the others need not find out.
    for first in &ours {
        assert!(first.answers(), "{} answers", first.name);
    }
    ours
}

fn others(logins: &Logins) -> Vec<Contender> {
    let git = Command::new("git").arg("--exec-path").output();
    let git = git.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    let git = Path::new(git.trim());
    let request = logins.path("request");
    let stored = logins.path("credential");
    fs::write(
        &stored,
        format!(
            "{}username=u\npassword={}\n\n",
            GIT_REQUEST.trim_end_matches('\n').to_owned() + "\n",
            "x".repeat(1200)
        ),
    )
    .unwrap();
    let store = |name: &str| {
        let of = |operation| {
            Contender::new(format!("`{name} get`"), git.join(name), logins).args(&[operation])
        };
        let _ = of("store").input(stored.clone()).command(&[]).status();
        of("get").input(request.clone())
    };
    let mut others = vec![store("git-credential-store"), store("git-credential-cache")];
    others.extend(docker(logins));
    others.push(
        Contender::new("`gh auth token`", "gh", logins)
            .args(&["auth", "token"])
            .env("GH_TOKEN", "made-up-by-the-bench"),
    );
    if let Some(codex) = env::var_os("REAL_CODEX") {
        let status = ["login", "status"];
        others.push(
            Contender::new("`codex login status` through node", &codex, logins).args(&status),
        );
        if let Some(native) = native(Path::new(&codex)) {
            others.push(
                Contender::new("`codex login status`, the native program", native, logins)
                    .args(&status),
            );
        }
    }
    others
}

/// The program that Codex's launcher starts.
fn native(launcher: &Path) -> Option<PathBuf> {
    let packages = launcher.parent()?.parent()?.join("@openai");
    let find = format!("find '{}' -type f -name codex -perm -100 -size +1000k", packages.display());
    let found = Command::new("sh").args(["-c", &find]).output().ok()?;
    String::from_utf8(found.stdout).ok()?.lines().next().map(PathBuf::from)
}

/// With a keyring of its own, which lives until it is dropped with the process.
fn docker(logins: &Logins) -> Option<Contender> {
    let session = Session::start(logins)?;
    let program = "docker-credential-secretservice";
    let stored = logins.path("docker");
    let secret = "x".repeat(1200);
    fs::write(
        &stored,
        format!(r#"{{"ServerURL":"https://chatgpt.com","Username":"u","Secret":"{secret}"}}"#),
    )
    .ok()?;
    let of = |operation, input: &Path| {
        Contender::new(format!("`{program} get`"), program, logins)
            .args(&[operation])
            .env("DBUS_SESSION_BUS_ADDRESS", &session.address)
            .input(input.to_owned())
    };
    of("store", &stored).command(&[]).status().ok()?;
    let asked = logins.path("docker-get");
    fs::write(&asked, "https://chatgpt.com").ok()?;
    let get = of("get", &asked);
    std::mem::forget(session);
    Some(get)
}

struct Session {
    address: String,
    _bus: Child,
}

impl Session {
    fn start(logins: &Logins) -> Option<Self> {
        let words = "printf pass | gnome-keyring-daemon --unlock --components=secrets >/dev/null && \
                     echo $DBUS_SESSION_BUS_ADDRESS && exec sleep 1800";
        let mut bus = Command::new("dbus-run-session");
        bus.args(["--", "sh", "-c", words]).env_clear().envs(logins.environment());
        let mut bus =
            bus.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut address = String::new();
        BufReader::new(bus.stdout.take()?).read_line(&mut address).ok()?;
        let address = address.trim().to_owned();
        (!address.is_empty()).then_some(Self { address, _bus: bus })
    }
}
