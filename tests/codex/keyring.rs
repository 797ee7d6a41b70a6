//! A real Secret Service: gnome-keyring on a bus of its own.

use crate::machine::{Machine, eventually};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;

pub struct Keyring {
    session: Child,
    /// The session ends when this is closed.
    stdin: Option<ChildStdin>,
    address: String,
    _home: TempDir,
}

const SESSION: &str = r#"
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
echo "$DBUS_SESSION_BUS_ADDRESS"
exec cat >/dev/null
"#;

impl Keyring {
    /// Unlocked, for `machine` and the Codex on it.
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
        let mut address = String::new();
        BufReader::new(session.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim_end().to_owned();
        machine.set("DBUS_SESSION_BUS_ADDRESS", &address);
        let keyring = Self { session, stdin, address, _home: home };
        eventually(|| keyring.store("probe", "x"));
        keyring
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn store(&self, name: &str, secret: &str) -> bool {
        let mut command = self.tool("secret-tool", &["store", "--label=t", "service", name]);
        let mut store = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut store.stdin.take().unwrap(), secret.as_bytes()).unwrap();
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

    /// Attributes and label of Codex's item, as `secret-tool` shows them, without the secret.
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

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.session.wait();
    }
}
