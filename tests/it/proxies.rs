//! A forward proxy in between: used where the environment names it, passed by where it says so, and told apart from the
//! server when it does not let us through. Tokens go through it sealed, by CONNECT alone.

use crate::certificates::{machine, today, unsent};
use crate::machine::{Machine, eventually};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the proxy does with who wants to be connected.
#[derive(Clone, Copy, PartialEq)]
pub enum Policy {
    Connect,
    /// This status in place of a connection.
    Refuse(&'static str),
    /// To whoever has this in `Proxy-Authorization`.
    Ask(&'static str),
}

/// A proxy on loopback, which lives as long as the process.
pub struct Proxy {
    address: String,
    /// The heads of the requests.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(policy: Policy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let proxy = Self { address, seen: seen.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = seen.clone();
                thread::spawn(move || drop(serve(&client, policy, &seen)));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut client: &TcpStream, policy: Policy, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let lines = BufReader::new(client.try_clone()?).lines();
    let head: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n");
    seen.lock().unwrap().push(head.clone());
    let refusal = match policy {
        Policy::Refuse(status) => Some(status),
        Policy::Ask(pass) if !head.contains(pass) => {
            Some("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"")
        }
        _ => None,
    };
    if let Some(status) = refusal {
        return write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    }
    let target = head.strip_prefix("CONNECT ").and_then(|head| head.split(' ').next());
    // Names are this machine's own here.
    let server = TcpStream::connect(target.unwrap_or_default().replace("localhost", "127.0.0.1"))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || pass_on(&from, &to));
    pass_on(&server, client);
    Ok(())
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Signed in at a server whose certificate is trusted.
fn trusting_machine() -> Machine {
    let (mut machine, authority) = machine("localhost", today());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    machine
}

#[test]
fn a_proxy_that_is_named_connects_us_and_sees_no_token() {
    let attack = attack!(Servers, "a proxy that looks for tokens in what it connects");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        attack.again();
        let (proxy, mut machine) = (Proxy::start(Policy::Connect), trusting_machine());
        machine.set(variable, &proxy.url());
        assert!(machine.issuer.is_live_access_token(&machine.token()), "{variable}");
        let seen = proxy.seen();
        let host = machine.issuer.url().replace("https://", "");
        assert_eq!(seen.len(), 1, "{variable}: {seen:?}");
        assert!(seen[0].starts_with(&format!("CONNECT {host} HTTP/1.1\n")), "{seen:?}");
        assert!(!seen[0].to_ascii_lowercase().contains("authorization"), "{seen:?}");
    }
}

#[test]
fn hosts_that_no_proxy_names_are_asked_without_it() {
    for hosts in ["localhost", "example.org, localhost", "*", ".example,localhost"] {
        let mut machine = trusting_machine();
        let proxy = Proxy::start(Policy::Refuse("403 Forbidden"));
        machine.set("HTTPS_PROXY", &proxy.url());
        machine.set("NO_PROXY", hosts);
        assert!(machine.issuer.is_live_access_token(&machine.token()), "{hosts}");
        assert!(proxy.seen().is_empty(), "{hosts}");
    }
    let (mut machine, proxy) = (trusting_machine(), Proxy::start(Policy::Connect));
    machine.set("HTTPS_PROXY", &proxy.url());
    machine.set("NO_PROXY", "ocalhost,localhost.example");
    machine.token();
    assert_eq!(proxy.seen().len(), 1, "another name is another host");
}

#[test]
fn a_proxy_that_asks_for_a_password_gets_the_one_in_the_variable() {
    let attack = attack!(Servers, "a proxy that asks for a password, and gets none or a wrong one");
    // ada:pass word
    let proxy = Proxy::start(Policy::Ask("YWRhOnBhc3Mgd29yZA=="));
    let mut machine = trusting_machine();
    machine.set("HTTPS_PROXY", &proxy.url());
    let error = unsent(&machine);
    let is_refusal_of_proxy = |error: &serde_json::Value| {
        let message = error["message"].as_str().unwrap();
        message.contains(&*proxy.address) && message.contains("407")
    };
    assert!(is_refusal_of_proxy(&error), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("HTTPS_PROXY=http://USER:PASSWORD@"));
    // A wrong one is not shown.
    machine.set("HTTPS_PROXY", &format!("http://ada:secret@{}", proxy.address));
    fs::remove_file(machine.own("failure")).unwrap();
    let error = unsent(&machine);
    assert!(is_refusal_of_proxy(&error), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    machine.set("HTTPS_PROXY", &format!("http://ada:pass%20word@{}", proxy.address));
    fs::remove_file(machine.own("failure")).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    attack.tries(2);
}

#[test]
fn a_proxy_that_refuses_or_is_not_there_is_told_from_the_server() {
    let attack = attack!(Servers, "a proxy that refuses, or is not there");
    for status in ["403 Forbidden", "502 Bad Gateway", "503 Service Unavailable", "302 Found"] {
        attack.again();
        let (proxy, mut machine) = (Proxy::start(Policy::Refuse(status)), trusting_machine());
        machine.set("HTTPS_PROXY", &proxy.url());
        let host = machine.issuer.url().replace("https://", "");
        let error = unsent(&machine);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&*proxy.address) && message.contains(&host), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("NO_PROXY"), "{error}");
    }
    let mut machine = trusting_machine();
    machine.set("HTTPS_PROXY", "http://ada:secret@127.0.0.1:1");
    let error = unsent(&machine);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("proxy 127.0.0.1:1") && message.contains("refused"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("HTTPS_PROXY"), "{error}");
    attack.tries(1);
}

/// A proxy that opens TLS shows a certificate of its own.
#[test]
fn a_proxy_that_reads_along_is_told_by_its_certificate() {
    let attack = attack!(Servers, "a proxy that reads along");
    let (mut machine, _) = machine("localhost", today());
    let proxy = Proxy::start(Policy::Connect);
    machine.set("HTTPS_PROXY", &proxy.url());
    let error = unsent(&machine);
    assert!(error["hint"].as_str().unwrap().contains("proxy"), "{error}");
    attack.tries(1);
}

/// Another's proxy, as a process, killed when it is dropped.
struct Tinyproxy(Child);

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn tinyproxy_does_the_same() {
    let mut machine = trusting_machine();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (config, log) = (machine.path("tinyproxy.conf"), machine.path("tinyproxy.log"));
    let server = machine.issuer.url().rsplit(':').next().unwrap().to_owned();
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nBasicAuth ada secret\nConnectPort {server}\nMaxClients 10\n\
         LogLevel Connect\nLogFile \"{}\"\n",
        log.display()
    );
    fs::write(&config, text).unwrap();
    let Ok(child) = Command::new("tinyproxy").arg("-d").arg("-c").arg(&config).spawn() else {
        eprintln!(
            "skipped: there is no tinyproxy; apt-get install tinyproxy, then cargo test proxies"
        );
        return;
    };
    let _running = Tinyproxy(child);
    let attack = attack!(Servers, "tinyproxy, without the password");
    eventually(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    machine.set("HTTPS_PROXY", &format!("http://127.0.0.1:{port}"));
    let error = unsent(&machine);
    assert!(error["message"].as_str().unwrap().contains("407"), "{error}");
    machine.set("HTTPS_PROXY", &format!("http://ada:secret@127.0.0.1:{port}"));
    fs::remove_file(machine.own("failure")).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains(&format!("CONNECT localhost:{server}")), "{log}");
    attack.tries(1);
}
