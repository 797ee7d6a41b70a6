//! A user's machine: an empty home, the real program, and a strict authorization server on loopback.

use assert_cmd::Command;
use issuer::{Account, Issuer, Settings, Tokens};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Only a hang takes longer than this.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const OURS: &str = "protocol=https\nhost=chatgpt.com\n\n";

pub struct Machine {
    pub issuer: Issuer,
    home: TempDir,
    /// Environment variables that the test added.
    more: Vec<(String, String)>,
}

impl Machine {
    /// Creates a machine without a login. The server allows a poll every second.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// Creates a machine without a login, with changed settings of the server.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let issuer = Issuer::builder().set(|s| s.interval = issuer::Interval::Text(1)).start();
        issuer.set(change);
        Self::at(issuer)
    }

    /// Creates a machine without a login that uses this server.
    pub fn at(issuer: Issuer) -> Self {
        Self { issuer, home: tempfile::tempdir().unwrap(), more: Vec::new() }
    }

    /// Creates a machine where Ada is signed in. Her access token is valid for `lifetime` seconds; a negative lifetime means
    /// that it has expired.
    pub fn signed_in(lifetime: i64) -> (Self, Tokens) {
        let machine = Self::new();
        let tokens = machine.sign_in(lifetime);
        (machine, tokens)
    }

    /// Writes a login of Ada to `auth.json`. Returns its tokens.
    pub fn sign_in(&self, lifetime: i64) -> Tokens {
        let tokens = self.issuer.grant(&ada(), lifetime);
        self.write_auth_json(&json!({ "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": {
            "id_token": tokens.id_token, "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
        }, "last_refresh": "2026-01-01T00:00:00Z" }));
        tokens
    }

    /// Signs in as [`Machine::sign_in`] does, with an access token that was issued `age` seconds ago.
    pub fn aged_sign_in(&self, lifetime: i64, age: u64) -> Tokens {
        self.issuer.set(|s| s.access_token_age = Duration::from_secs(age));
        let tokens = self.sign_in(lifetime);
        self.issuer.set(|s| s.access_token_age = Duration::ZERO);
        tokens
    }

    /// Sets a variable in the environment of every program that starts after this call.
    pub fn set(&mut self, name: &str, value: &str) {
        self.more.retain(|(known, _)| known != name);
        self.more.push((name.to_owned(), value.to_owned()));
    }

    pub fn more_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.more.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn codex_home(&self) -> &Path {
        self.home.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.codex_home().join(name)
    }

    /// Returns the path of a file in the login directory.
    pub fn own(&self, name: &str) -> PathBuf {
        self.path("codex-credential").join(name)
    }

    /// Returns the path of a file in the sign-in directory.
    pub fn sign_in_file(&self, name: &str) -> PathBuf {
        self.own("sign-in").join(name)
    }

    pub fn write_auth_json(&self, content: &Value) {
        fs::write(self.path("auth.json"), content.to_string()).unwrap();
    }

    pub fn auth_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("auth.json")).unwrap()).unwrap()
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("CODEX_HOME", self.codex_home().to_str().unwrap().to_owned()),
            ("XDG_STATE_HOME", self.path("state").to_str().unwrap().to_owned()),
            ("CODEX_CREDENTIAL_ISSUER", self.issuer.url()),
        ]
    }

    /// Returns the program with these arguments, without the environment of the test process.
    pub fn command(&self, line: &str) -> Command {
        Command::from_std(self.std_command(line))
    }

    pub fn std_command(&self, line: &str) -> std::process::Command {
        let mut command = self.terminal_command(line);
        command.stdin(Stdio::null());
        command
    }

    /// Returns a command that inherits its standard streams, for a pseudoterminal.
    pub fn terminal_command(&self, line: &str) -> std::process::Command {
        let program = assert_cmd::cargo::cargo_bin!("codex-credential");
        let mut command = std::process::Command::new(program);
        command.env_clear().envs(self.variables()).envs(self.more_variables());
        command.args(line.split_whitespace());
        command
    }

    /// Starts the program with piped output.
    pub fn start(&self, line: &str) -> Child {
        let mut command = self.std_command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// As [`Machine::start`], for a process that gets signals: under nohup and in the background it would ignore some.
    pub fn start_with_default_signals(&self, line: &str) -> Child {
        let program = self.std_command(line);
        let mut command = std::process::Command::new("/usr/bin/env");
        command.arg("--default-signal=HUP,INT").arg(program.get_program()).args(program.get_args());
        command
            .env_clear()
            .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Parks a login with these tokens beside Codex's, in the storage `kind`.
    pub fn park(&mut self, tokens: &Tokens, kind: &str) {
        let file = self.path("parked.json");
        let document = json!({ "tokens": {
            "id_token": tokens.id_token, "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token, "account_id": tokens.account_id,
        }});
        fs::write(&file, document.to_string()).unwrap();
        self.set("CODEX_CREDENTIAL_STORAGE", kind);
        self.command(&format!("import --remove {}", file.display())).assert().success();
        self.set("CODEX_CREDENTIAL_STORAGE", "");
    }

    /// Runs `get --format token`, which succeeds. Returns the token.
    pub fn token(&self) -> String {
        let output = self.command("get --format token --wait 20s").assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap().trim_end().to_owned()
    }

    /// Starts `count` callers at once. Returns their tokens.
    pub fn crowd(&self, count: usize) -> Vec<String> {
        let callers: Vec<Child> =
            (0..count).map(|_| self.start("get --format token --wait 60s")).collect();
        callers.into_iter().map(token_of).collect()
    }

    /// Reports with `erase` that a resource server rejected `token`, long after the last rejection.
    pub fn refuse(&self, token: &str) {
        let _ = fs::remove_file(self.own("rejected"));
        let erase = format!("protocol=https\nhost=chatgpt.com\npassword={token}\n\n");
        self.command("erase").write_stdin(erase).assert().success();
    }

    /// Waits for a user code and approves it. Returns the code.
    pub fn approve_next(&self) -> String {
        let code = self.issuer.wait_for_user_code(PATIENCE).expect("a user code");
        self.issuer.approve(&code);
        code
    }

    /// Approves a device authorization with a code other than `code`, which may still be pending at the server. Returns the
    /// approved code.
    pub fn approve_another_than(&self, code: &str) -> String {
        let another = || self.issuer.user_codes().into_iter().find(|pending| pending != code);
        eventually(|| another().is_some());
        let another = another().expect("the code is valid for minutes");
        self.issuer.approve(&another);
        another
    }

    /// Returns the arguments that start a renewal process.
    pub fn renewal_process(&self, goal: &Value) -> String {
        let request = json!({
            "goal": goal, "profile": "codex", "config": null, "account": null, "token": "access_token",
            "codex_home": self.codex_home(), "caller": {"pid": 1, "program": "tests"},
        });
        format!("renew --request {request}")
    }

    /// Returns the process ids of the renewal processes of this machine.
    pub fn renewers(&self) -> Vec<u32> {
        let home = format!("\"codex_home\":{}", json!(self.codex_home()));
        let is_ours = |pid: &u32| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments: Vec<_> =
                arguments.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
            arguments.get(2).is_some_and(|it| it == "--request")
                && arguments.get(3).is_some_and(|it| it.contains(&home))
        };
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(is_ours).collect()
    }

    /// Kills the only renewal process and waits until it has ended.
    pub fn kill_renewer(&self) {
        let renewers = self.renewers();
        assert_eq!(renewers.len(), 1, "one renewal process");
        kill(renewers[0]);
        eventually(|| !self.renewers().contains(&renewers[0]));
    }
}

/// A machine whose logins are in a storage of this program, with a runtime directory in memory.
pub struct Private {
    pub machine: Machine,
    pub state: TempDir,
    pub runtime: TempDir,
}

impl Private {
    pub fn new(storage: &str) -> Self {
        let mut machine = Machine::new();
        let state = tempfile::tempdir().unwrap();
        let runtime = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::set_permissions(runtime.path(), Permissions::from_mode(0o700)).unwrap();
        machine.set("HOME", state.path().to_str().unwrap());
        machine.set("XDG_STATE_HOME", state.path().to_str().unwrap());
        machine.set("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap());
        machine.set("CODEX_CREDENTIAL_STORAGE", storage);
        Self { machine, state, runtime }
    }

    /// Signs in as `account`, with `more` arguments for `login`. Returns the token.
    pub fn sign_in(&self, account: &Account, more: &str) -> String {
        let login = self.machine.start(&format!("login {more}"));
        let code = self.machine.issuer.wait_for_user_code(PATIENCE).unwrap();
        self.machine.issuer.approve_as(&code, account);
        let output = login.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.machine.token()
    }
}

/// Returns the error of a program that ran with `--error-format json`. Its standard output must be empty.
pub fn told(output: &std::process::Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty(), "{text}");
    serde_json::from_str(text.lines().last().expect("an error")).expect(&text)
}

/// Returns all files below `folder`.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

impl Drop for Machine {
    fn drop(&mut self) {
        for pid in self.renewers() {
            kill(pid);
        }
    }
}

pub fn ada() -> Account {
    Issuer::accounts()[0].clone()
}

const PLACEHOLDER: &str = "/absolute/path/to/codex-credential";

/// Fills in the path of the program, by the rule that the pages give for a path in quotes.
pub fn fill_in(text: &str, language: &str, program: &Path) -> String {
    let program = program.to_str().unwrap();
    let program = match language {
        "js" | "json" | "python" => program.replace('\\', r"\\").replace('"', "\\\""),
        _ => program.replace('\'', r"'\''"),
    };
    text.replace(PLACEHOLDER, &program)
}

/// Returns the code blocks in `language` from the README of a tool in helpers/, with the path of the program filled in.
pub fn recipe(tool: &str, language: &str, program: &Path) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("helpers").join(tool).join("README.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| {
        let (block_language, code) = block.split_once('\n')?;
        (block_language == language).then(|| format!("{code}\n"))
    });
    let blocks: Vec<String> = blocks.map(|code| fill_in(&code, language, program)).collect();
    assert!(!blocks.is_empty(), "the page of {tool} has no {language} code");
    blocks
}

pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// Waits for a successful `get --format token`. Returns the token.
pub fn token_of(caller: Child) -> String {
    let output = caller.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token = String::from_utf8(output.stdout).unwrap();
    token.strip_suffix('\n').expect("a newline after the token").to_owned()
}

/// Whether the journal at `path` holds the answer of its request.
pub fn is_answered(path: &Path) -> bool {
    fs::read(path).is_ok_and(|content| content.split(|&byte| byte == b'\n').count() == 3)
}

/// Sends the signal `TERM`, `HUP`, …
pub fn send(signal: &str, pid: u32) {
    let status =
        std::process::Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "{signal}");
}

/// Polls `condition` until it is true. Panics after [`PATIENCE`].
pub fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..PATIENCE.as_millis() / 5 {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the condition did not become true");
}

/// Locks the file at `path`, as another program would. The lock ends when the returned file is dropped.
pub fn lock(path: &Path) -> fs::File {
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(path).unwrap();
    fs4::FileExt::lock(&file).unwrap();
    file
}
