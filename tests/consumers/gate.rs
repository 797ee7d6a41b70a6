//! chatgpt.com on loopback, for programs that require https: a proxy to a real container registry and to the issuer.

use crate::machine::Machine;
use crate::tools;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub struct Gate {
    /// The certificate for chatgpt.com.
    pub certificate: PathBuf,
    proxy: String,
    processes: Vec<Child>,
}

impl Gate {
    pub fn of(machine: &Machine) -> Self {
        let folder = machine.path("gate");
        fs::create_dir(&folder).unwrap();
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=chatgpt.com".split(' '));
        openssl.args(["-addext", "subjectAltName=DNS:chatgpt.com", "-keyout"]).arg(&key);
        assert!(openssl.arg("-out").arg(&certificate).output().unwrap().status.success());

        let config = folder.join("registry.yml");
        let settings = "version: 0.1\nstorage: {inmemory: {}}\nhttp: {addr: '127.0.0.1:0'}\n";
        fs::write(&config, settings).unwrap();
        let mut registry = Command::new(tools::program("REAL_REGISTRY").unwrap());
        registry.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut registry = registry.spawn().unwrap();
        let log = BufReader::new(registry.stderr.take().unwrap());
        let mut lines = log.lines().map(Result::unwrap);
        let listening = lines.find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        let registry_url = format!("http://{}", listening.expect("the registry listens"));
        push_an_image(&registry_url);

        let mut gate = Command::new("python3");
        gate.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consumers/gate.py"));
        gate.args([&machine.issuer.url(), &registry_url]).arg(&certificate).arg(key);
        let mut gate = gate.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(gate.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let proxy = format!("http://127.0.0.1:{}", port.trim_end());
        Self { certificate, proxy, processes: vec![registry, gate] }
    }

    /// Prepares a program as [`tools::command`] does, with this gate as its proxy.
    pub fn command(&self, machine: &Machine, program: impl Into<OsString>) -> Command {
        let mut command = tools::command(machine, program);
        command.env("HTTPS_PROXY", &self.proxy).env("SSL_CERT_FILE", &self.certificate);
        command
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Pushes the smallest image that Docker accepts, as `image:1`.
fn push_an_image(registry: &str) {
    let script = r#"
        blob='{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:'
        blob+=$(sha256sum </dev/null | cut -d ' ' -f 1)'"]}}'
        digest=sha256:$(printf %s "$blob" | sha256sum | cut -d ' ' -f 1)
        is() { printf '"mediaType":"application/vnd.docker.%s"' "$1"; }
        part="\"size\":${#blob},\"digest\":\"$digest\""
        type=distribution.manifest.v2+json
        manifest="{\"schemaVersion\":2,$(is $type),\"config\":{$(is container.image.v1+json),$part},"
        manifest+="\"layers\":[{$(is image.rootfs.diff.tar.gzip),$part}]}"
        place=$(curl -sSi --fail -X POST "$1/v2/image/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
        curl -sS --fail -X PUT -H 'Content-Type: application/octet-stream' -d "$blob" "$place&digest=$digest"
        curl -sS --fail -X PUT -H "Content-Type: application/vnd.docker.$type" -d "$manifest" "$1/v2/image/manifests/1"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script, "push", registry]);
    let output = bash.env("NO_PROXY", "127.0.0.1").output().unwrap();
    assert!(output.status.success(), "{}", tools::said(&output));
}
