//! A fleet: simulated hosts with folders of their own, one login in etcd, and one authorization server.

use crate::cluster::Cluster;
use crate::machine::{PATIENCE, ada, eventually, token_of};
use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use codex_credential::storage::etcd_settings::Settings;
use issuer::Issuer;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The lease in tests that let it end, in seconds. Other tests use the default: a busy machine loses a lease this short.
pub const LEASE: u64 = 3;

pub struct Fleet {
    pub issuer: Issuer,
    pub writers: Identity,
    pub readers: Identity,
    pub endpoints: Vec<String>,
    /// Differs for each test.
    pub prefix: String,
    /// In seconds.
    pub lease: u64,
    /// Further lines of `[profiles.codex.etcd]`.
    pub extra_settings: String,
}

pub struct Host {
    pub home: TempDir,
    pub runtime: TempDir,
    issuer: String,
    /// A command that starts the program, for example in a network namespace.
    pub command_prefix: Vec<String>,
}

impl Fleet {
    pub fn new(endpoints: Vec<String>) -> Self {
        let issuer = Issuer::builder().set(|s| s.interval = issuer::Interval::Text(1)).start();
        let prefix = format!("test-{}", fastrand::u64(..));
        let (writers, readers) = (Identity::generate(), Identity::generate());
        Self {
            issuer,
            writers,
            readers,
            endpoints,
            prefix,
            lease: 10,
            extra_settings: String::new(),
        }
    }

    pub fn with_short_lease(endpoints: Vec<String>) -> Self {
        Self { lease: LEASE, ..Self::new(endpoints) }
    }

    pub fn host(&self) -> Host {
        self.host_at(&self.endpoints, "writer")
    }

    pub fn reader(&self) -> Host {
        self.host_at(&self.endpoints, "reader")
    }

    pub fn host_at(&self, endpoints: &[String], role: &str) -> Host {
        let home = tempfile::tempdir().unwrap();
        let runtime = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::set_permissions(runtime.path(), Permissions::from_mode(0o700)).unwrap();
        let identity = if role == "reader" { &self.readers } else { &self.writers };
        fs::write(home.path().join("identity"), identity.to_string().expose_secret()).unwrap();
        let recipients = if role == "reader" {
            String::new()
        } else {
            let (writers, readers) = (self.writers.to_public(), self.readers.to_public());
            format!("recipients = [\"{writers}\"]\nreaders = [\"{readers}\"]\n")
        };
        let config = format!(
            "[profiles.codex]\nstorage = \"etcd\"\n[profiles.codex.etcd]\nendpoints = {endpoints:?}\n\
             prefix = \"{}\"\nidentity_file = \"identity\"\nrole = \"{role}\"\nlease = \"{}s\"\n{recipients}{}",
            self.prefix, self.lease, self.extra_settings
        );
        fs::write(home.path().join("config.toml"), config).unwrap();
        Host { home, runtime, issuer: self.issuer.url(), command_prefix: Vec::new() }
    }

    /// Signs in on `host`. Returns the access token, which is valid for `lifetime` seconds.
    pub fn sign_in(&self, host: &Host, lifetime: u64) -> String {
        self.run_login(host, lifetime);
        host.token()
    }

    /// As [`Self::sign_in`], without a `get`, which would renew a token that is due.
    pub fn run_login(&self, host: &Host, lifetime: u64) {
        self.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(lifetime));
        let login = host.start("login");
        let code = self.issuer.wait_for_user_code(PATIENCE).expect("a user code");
        self.issuer.approve_as(&code, &ada());
        let output = login.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.issuer.set(|s| s.access_token_lifetime = Duration::from_secs(3600));
    }

    /// Signs in on `host`, and waits until the access token has expired.
    pub fn sign_in_expired(&self, host: &Host) {
        self.run_login(host, 2);
        eventually(|| host.json("status --json")["access_token_usable"] == false);
    }

    /// Returns the settings of a writer whose identity is in `folder`.
    pub fn settings(&self, folder: &Path) -> Settings {
        Settings {
            endpoints: self.endpoints.iter().map(|url| url.parse().unwrap()).collect(),
            prefix: self.prefix.parse().unwrap(),
            recipients: vec![self.writers.to_public().to_string().parse().unwrap()],
            readers: vec![self.readers.to_public().to_string().parse().unwrap()],
            identity_file: folder.join("identity"),
            ..Settings::default()
        }
    }

    pub fn write_identity(&self, folder: &Path) {
        fs::write(folder.join("identity"), self.writers.to_string().expose_secret()).unwrap();
    }

    /// Decrypts a record in etcd; `None` when it is not encrypted for `identity`.
    pub fn open(&self, cluster: &Cluster, name: &str, identity: &Identity) -> Option<Value> {
        use base64::Engine;
        let key = self.key(cluster, name);
        let record: Value = serde_json::from_str(&cluster.value(&key)).unwrap();
        let sealed = record["sealed"].as_str().unwrap();
        let sealed = base64::engine::general_purpose::STANDARD.decode(sealed).unwrap();
        serde_json::from_slice(&age::decrypt(identity, &sealed).ok()?).ok()
    }

    /// Changes a record in etcd, as a host that renews does.
    pub fn rewrite(&self, cluster: &Cluster, name: &str, change: impl FnOnce(&mut Value)) {
        use base64::Engine;
        let mut opened = self.open(cluster, name, &self.writers).unwrap();
        change(&mut opened);
        let recipients = [self.writers.to_public(), self.readers.to_public()];
        let count = if name == "access" { 2 } else { 1 };
        let recipients = recipients.iter().take(count).map(|it| it as &dyn age::Recipient);
        let mut sealed = Vec::new();
        let mut writer =
            age::Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut sealed).unwrap();
        writer.write_all(opened.to_string().as_bytes()).unwrap();
        writer.finish().unwrap();
        let sealed = base64::engine::general_purpose::STANDARD.encode(sealed);
        let key = self.key(cluster, name);
        let mut record: Value = serde_json::from_str(&cluster.value(&key)).unwrap();
        record["sealed"] = sealed.into();
        cluster.ctl(&["put", &key, &record.to_string()]).unwrap();
    }

    /// Returns the full name of a key in etcd.
    pub fn key(&self, cluster: &Cluster, name: &str) -> String {
        let mut keys = cluster.keys(&self.prefix).into_iter();
        keys.find(|key| key.ends_with(&format!("/{name}"))).expect("the key exists")
    }

    pub fn access_token(&self, cluster: &Cluster) -> String {
        let login = self.open(cluster, "login", &self.writers).unwrap();
        login["access_token"].as_str().unwrap().to_owned()
    }

    pub fn refresh_token(&self, cluster: &Cluster) -> String {
        let login = self.open(cluster, "login", &self.writers).unwrap();
        login["refresh_token"].as_str().unwrap().to_owned()
    }

    /// Returns whether a reader can decrypt the record. Such a record must not have a refresh token.
    pub fn reader_can_open(&self, cluster: &Cluster, name: &str) -> bool {
        let opened = self.open(cluster, name, &self.readers);
        assert!(opened.as_ref().is_none_or(|opened| opened.get("refresh_token").is_none()));
        opened.is_some()
    }
}

impl Host {
    /// Reports the access token as rejected, as git does, long after the last rejection.
    pub fn reject(&self, token: &str) {
        for path in self.files().into_iter().filter(|path| path.ends_with("rejected")) {
            fs::remove_file(path).unwrap();
        }
        let erase = format!("protocol=https\nhost=chatgpt.com\npassword={token}\n\n");
        let mut command = assert_cmd::Command::from_std(self.command("erase"));
        command.write_stdin(erase).assert().success();
    }

    pub fn command(&self, line: &str) -> Command {
        let program = assert_cmd::cargo::cargo_bin!("codex-credential");
        let mut arguments: Vec<String> = self.command_prefix.clone();
        arguments.push(program.to_str().unwrap().to_owned());
        arguments.extend(line.split_whitespace().map(str::to_owned));
        let mut command = Command::new(&arguments[0]);
        let home = self.home.path();
        command.args(&arguments[1..]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", home).env("CODEX_HOME", home).env("XDG_STATE_HOME", home.join("state"));
        command.env("XDG_RUNTIME_DIR", self.runtime.path());
        command.env("CODEX_CREDENTIAL_CONFIG", home.join("config.toml"));
        command.env("CODEX_CREDENTIAL_ISSUER", &self.issuer);
        command.stdin(Stdio::null());
        command
    }

    pub fn start(&self, line: &str) -> Child {
        let mut command = self.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    pub fn get(&self) -> Child {
        self.start("get --format token --wait 60s")
    }

    pub fn token(&self) -> String {
        token_of(self.get())
    }

    pub fn json(&self, line: &str) -> Value {
        let output = self.run(line);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{line}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    pub fn files(&self) -> Vec<PathBuf> {
        [self.home.path(), self.runtime.path()]
            .into_iter()
            .flat_map(crate::machine::files)
            .collect()
    }

    /// Returns the renewal processes of this host.
    pub fn renewers(&self) -> Vec<u32> {
        let home = format!("\"codex_home\":{}", serde_json::json!(self.home.path()));
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

    /// Sends `signal` to the renewal processes of this host.
    pub fn signal(&self, signal: rustix::process::Signal) {
        for pid in self.renewers() {
            let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
