//! A real Secret Service: gnome-keyring on its own bus.

use crate::machine::{Machine, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

pub struct Keyring {
    session: Child,
    /// Closing it ends the session.
    stdin: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    address: String,
    home: TempDir,
}

/// Each input line unlocks the keyring, and starts it if it is not running.
const SESSION: &str = r#"
echo "$DBUS_SESSION_BUS_ADDRESS"
while read -r _; do
    printf pw | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null 2>&1
    echo unlocked
done
"#;

impl Keyring {
    /// Starts an unlocked keyring for `machine`.
    pub fn unlocked(machine: &mut Machine) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "bash", "-c", SESSION]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
            command.env(variable, home.path());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut session = command.spawn().expect("dbus-run-session starts");
        let stdin = session.stdin.take();
        let mut output = BufReader::new(session.stdout.take().unwrap()).lines();
        let address = output.next().unwrap().unwrap();
        machine.set("DBUS_SESSION_BUS_ADDRESS", &address);
        let mut keyring = Self { session, stdin, output, address, home };
        keyring.unlock();
        keyring
    }

    pub fn unlock(&mut self) {
        writeln!(self.stdin.as_ref().unwrap()).unwrap();
        // On an earlier call the bus would start another daemon, which is locked.
        let mut lines = self.output.by_ref().map_while(Result::ok);
        assert!(lines.any(|line| line == "unlocked"), "the session has not ended");
        eventually(|| self.store("probe", "x"));
    }

    /// Returns the process of the daemon.
    fn daemon(&self) -> Option<Pid> {
        let home = format!("HOME={}", self.home.path().display());
        let is_ours = |pid: &i32| {
            let read = |file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            read("comm").starts_with(b"gnome-keyring-d")
                && read("environ").split(|&b| b == 0).any(|variable| variable == home.as_bytes())
        };
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(is_ours).and_then(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.daemon().expect("the daemon runs"), signal).unwrap();
    }

    /// Stops the daemon: it accepts calls and never answers.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    pub fn wake(&self) {
        self.signal(Signal::CONT);
    }

    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Returns the secret of the item whose user name ends with `end`.
    pub fn secret(&self, end: &str) -> Option<String> {
        let arguments = ["search", "--all", "--unlock", "service", "codex-credential"];
        let mut search = self.tool("secret-tool", &arguments);
        let output = search.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let (shown, attributes) = (text(&output.stdout), text(&output.stderr));
        let secrets = shown.lines().filter_map(|line| line.strip_prefix("secret = "));
        let users =
            attributes.lines().filter_map(|line| line.strip_prefix("attribute.username = "));
        let mut items = users.zip(secrets);
        items.find(|(user, _)| user.ends_with(end)).map(|(_, secret)| secret.to_owned())
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn store(&self, name: &str, secret: &str) -> bool {
        // On a locked keyring secret-tool waits for the user.
        let arguments = ["5", "secret-tool", "store", "--label=t", "service", name];
        let mut command = self.tool("timeout", &arguments);
        let mut store = command.stdin(Stdio::piped()).spawn().unwrap();
        Write::write_all(&mut store.stdin.take().unwrap(), secret.as_bytes()).unwrap();
        store.wait().unwrap().success()
    }

    pub fn lock(&self) {
        let arguments = [
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ];
        assert!(self.tool("dbus-send", &arguments).status().unwrap().success());
    }

    /// Returns the attributes and the label of Codex's item as `secret-tool` shows them.
    pub fn codex_item(&self) -> String {
        let mut command = self.tool("secret-tool", &["search", "--all", "service", "Codex Auth"]);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let shown = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        let mut lines: Vec<&str> = shown
            .lines()
            .filter(|line| line.starts_with("attribute.") || line.starts_with("label"))
            .collect();
        lines.sort_unstable();
        lines.join("\n")
    }
}

/// Some secrets are keys, which are not UTF-8.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon() {
            let _ = kill_process(daemon, Signal::CONT);
        }
        drop(self.stdin.take());
        let _ = self.session.wait();
    }
}
