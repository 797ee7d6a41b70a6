//! A real etcd of three nodes on loopback.

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
    /// More words to each node.
    more: Vec<String>,
}

/// Ports that were free a moment ago, and are six.
fn ports() -> Vec<u16> {
    let listeners: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

impl Cluster {
    pub fn start() -> Self {
        Self::at("http://127.0.0.1", &[])
    }

    /// With the certificates in `folder`, which clients need, too.
    pub fn secure(folder: &Path, address: &str) -> Self {
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let words = [
            ("--trusted-ca-file", "ca.pem"),
            ("--cert-file", "own.pem"),
            ("--key-file", "own.key"),
        ];
        let words = words.into_iter().flat_map(|(word, name)| [word.to_owned(), file(name)]);
        let words: Vec<String> = words.chain(["--client-cert-auth".to_owned()]).collect();
        Self::at(&format!("https://{address}"), &words)
    }

    /// Another program may take a port in the moment between its choice and its use: then all begins anew.
    fn at(address: &str, more: &[String]) -> Self {
        let tries = (0..10).find_map(|_| Self::try_at(address, more));
        tries.expect("six free ports")
    }

    fn try_at(address: &str, more: &[String]) -> Option<Self> {
        let ports = ports();
        let nodes = (0..3).map(|number| Node {
            name: format!("n{number}"),
            client: format!("{address}:{}", ports[number]),
            peer: format!("http://127.0.0.1:{}", ports[number + 3]),
            child: None,
        });
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self { folder, nodes: nodes.collect(), more: more.to_vec() };
        (0..3).for_each(|number| cluster.wake(number));
        while cluster.ctl(&["endpoint", "health"]).is_none() {
            let mut children = cluster.nodes.iter_mut().filter_map(|node| node.child.as_mut());
            if children.any(|child| child.try_wait().unwrap().is_some()) {
                return None;
            }
        }
        Some(cluster)
    }

    /// Starts one node, anew or for the first time.
    pub fn wake(&mut self, number: usize) {
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
            .args(&self.more)
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
        let mut child = self.nodes[number].child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.client.clone()).collect()
    }

    pub fn ctl(&self, words: &[&str]) -> Option<String> {
        let running = self.nodes.iter().filter(|node| node.child.is_some());
        let endpoints: Vec<&str> = running.map(|node| node.client.as_str()).collect();
        let mut ctl = Command::new("etcdctl");
        ctl.env("ETCDCTL_API", "3").args(["--endpoints", &endpoints.join(",")]);
        let after = |word: &str| {
            let place = self.more.iter().position(|known| known == word)?;
            self.more.get(place + 1)
        };
        if let (Some(ca), Some(own), Some(key)) =
            (after("--trusted-ca-file"), after("--cert-file"), after("--key-file"))
        {
            ctl.args(["--cacert", ca, "--cert", own, "--key", key]);
        }
        ctl.args(words);
        let output = ctl.output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// The names of all keys below `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.ctl(&["get", "--prefix", "--keys-only", prefix]).unwrap_or_default();
        keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    pub fn value(&self, key: &str) -> String {
        self.ctl(&["get", "--print-value-only", key]).unwrap()
    }

    pub fn is_healthy(&self) {
        eventually(|| self.ctl(&["endpoint", "health"]).is_some());
    }

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
