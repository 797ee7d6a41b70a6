//! A cluster of three real etcd nodes on loopback.

use crate::machine::eventually;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Node {
    pub name: String,
    pub client: String,
    peer: String,
    child: Option<Child>,
}

pub struct Cluster {
    pub folder: TempDir,
    pub nodes: Vec<Node>,
    /// Further arguments of each node.
    arguments: Vec<String>,
}

/// Returns six ports that were free a moment ago.
fn free_ports() -> Vec<u16> {
    let listeners: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

impl Cluster {
    pub fn start() -> Self {
        Self::at("http://127.0.0.1", &[])
    }

    /// Uses the certificates in `folder`. Clients need a certificate of the same authority.
    pub fn secure(folder: &Path, address: &str) -> Self {
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let files = [
            ("--trusted-ca-file", "ca.pem"),
            ("--cert-file", "own.pem"),
            ("--key-file", "own.key"),
        ];
        let files = files.into_iter().flat_map(|(option, name)| [option.to_owned(), file(name)]);
        let arguments: Vec<String> = files.chain(["--client-cert-auth".to_owned()]).collect();
        Self::at(&format!("https://{address}"), &arguments)
    }

    /// Tries again when another program takes one of the ports first.
    fn at(address: &str, arguments: &[String]) -> Self {
        let cluster = (0..10).find_map(|_| Self::try_at(address, arguments));
        cluster.expect("six free ports")
    }

    fn try_at(address: &str, arguments: &[String]) -> Option<Self> {
        let ports = free_ports();
        let nodes = (0..3).map(|number| Node {
            name: format!("n{number}"),
            client: format!("{address}:{}", ports[number]),
            peer: format!("http://127.0.0.1:{}", ports[number + 3]),
            child: None,
        });
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self { folder, nodes: nodes.collect(), arguments: arguments.to_vec() };
        (0..3).for_each(|number| cluster.start_node(number));
        while cluster.ctl(&["endpoint", "health"]).is_none() {
            let mut children = cluster.nodes.iter_mut().filter_map(|node| node.child.as_mut());
            if children.any(|child| child.try_wait().unwrap().is_some()) {
                return None;
            }
        }
        Some(cluster)
    }

    /// Starts one node, with the data of an earlier start.
    pub fn start_node(&mut self, number: usize) {
        let all: Vec<String> =
            self.nodes.iter().map(|node| format!("{}={}", node.name, node.peer)).collect();
        let data = self.folder.path().join(&self.nodes[number].name);
        let mut log = fs::OpenOptions::new();
        let log = log.create(true).append(true).open(data.with_extension("log")).unwrap();
        let node = &mut self.nodes[number];
        let child = Command::new("etcd")
            .args(["--name", &node.name, "--data-dir"])
            .arg(&data)
            .args(["--listen-client-urls", &node.client, "--advertise-client-urls", &node.client])
            .args(["--listen-peer-urls", &node.peer, "--initial-advertise-peer-urls", &node.peer])
            .args(["--initial-cluster", &all.join(","), "--initial-cluster-state", "new"])
            .args(&self.arguments)
            .args(["--logger", "zap", "--log-level", "error", "--unsafe-no-fsync"])
            .env("ETCD_UNSUPPORTED_ARCH", "arm64")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd starts");
        node.child = Some(child);
    }

    pub fn kill(&mut self, number: usize) {
        let mut child = self.nodes[number].child.take().expect("the node runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.client.clone()).collect()
    }

    /// Runs `etcdctl`. Returns its output; `None` when it fails.
    pub fn ctl(&self, command: &[&str]) -> Option<String> {
        let running = self.nodes.iter().filter(|node| node.child.is_some());
        let endpoints: Vec<&str> = running.map(|node| node.client.as_str()).collect();
        let mut ctl = Command::new("etcdctl");
        ctl.env("ETCDCTL_API", "3").args(["--endpoints", &endpoints.join(",")]);
        let value_of = |option: &str| {
            let index = self.arguments.iter().position(|argument| argument == option)?;
            self.arguments.get(index + 1)
        };
        if let (Some(ca), Some(own), Some(key)) =
            (value_of("--trusted-ca-file"), value_of("--cert-file"), value_of("--key-file"))
        {
            ctl.args(["--cacert", ca, "--cert", own, "--key", key]);
        }
        ctl.args(command);
        let output = ctl.output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Returns the names of all keys below `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.ctl(&["get", "--prefix", "--keys-only", prefix]).unwrap_or_default();
        keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    pub fn value(&self, key: &str) -> String {
        self.ctl(&["get", "--print-value-only", key]).unwrap()
    }

    pub fn wait_until_healthy(&self) {
        eventually(|| self.ctl(&["endpoint", "health"]).is_some());
    }

    /// Returns the index of the node that leads.
    pub fn leader(&self) -> usize {
        let status = self.ctl(&["endpoint", "status", "-w", "fields"]).unwrap();
        let field = |block: &str, name: &str| {
            let line = block.lines().find(|line| line.starts_with(&format!("\"{name}\""))).unwrap();
            line.rsplit(' ').next().unwrap().trim_matches('"').to_owned()
        };
        let blocks = status.split("\n\n").filter(|block| block.contains("\"Leader\""));
        let leads = |block: &&str| field(block, "Leader") == field(block, "MemberID");
        let leader = field(blocks.into_iter().find(leads).expect("there is a leader"), "Endpoint");
        self.nodes.iter().position(|node| node.client == leader).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
