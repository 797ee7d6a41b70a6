//! Forward proxies: the environment selects or bypasses them, errors name them, and they see no token (CONNECT only).

use crate::certificates::{machine, today, unsent};
use crate::machine::{Machine, eventually};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;

/// How the proxy answers CONNECT.
#[derive(Clone, Copy, PartialEq)]
pub enum Policy {
    Connect,
    /// Refuses with this status.
    Refuse(&'static str),
    /// Connects only if `Proxy-Authorization` contains this text.
    Ask(&'static str),
}

/// A proxy on loopback that runs until the test process ends.
pub struct Proxy {
    address: String,
    /// The heads of the requests so far.
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

    pub fn seen(&self) -> Vec<String> {
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
    // `localhost` may resolve to ::1, where the server does not listen.
    let server = TcpStream::connect(target.unwrap_or_default().replace("localhost", "127.0.0.1"))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || relay(&from, &to));
    relay(&server, client);
    Ok(())
}

fn relay(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// Starts a machine that trusts the server's certificate.
pub fn trusting_machine() -> Machine {
    let (mut machine, authority) = machine("localhost", today());
    machine.set("CODEX_CA_CERTIFICATE", &authority);
    machine
}

#[test]
fn proxy_of_the_environment_is_used_and_sees_no_token() {
    let attack = attack!(Servers, "a proxy that looks for tokens in its connections");
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
fn hosts_in_no_proxy_bypass_the_proxy() {
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
    assert_eq!(proxy.seen().len(), 1, "NO_PROXY has other hosts");
}

#[test]
fn proxy_password_is_taken_from_the_variable() {
    let attack = attack!(Servers, "a proxy that requires a password, and gets none or a wrong one");
    // Base64 of "ada:pass word".
    let proxy = Proxy::start(Policy::Ask("YWRhOnBhc3Mgd29yZA=="));
    let mut machine = trusting_machine();
    machine.set("HTTPS_PROXY", &proxy.url());
    let error = unsent(&machine);
    let is_proxy_error = |error: &serde_json::Value| {
        let message = error["message"].as_str().unwrap();
        message.contains(&*proxy.address) && message.contains("407")
    };
    assert!(is_proxy_error(&error), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("HTTPS_PROXY=http://USER:PASSWORD@"));
    // The error does not contain the wrong password.
    machine.set("HTTPS_PROXY", &format!("http://ada:secret@{}", proxy.address));
    fs::remove_file(machine.own("failure")).unwrap();
    let error = unsent(&machine);
    assert!(is_proxy_error(&error), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    machine.set("HTTPS_PROXY", &format!("http://ada:pass%20word@{}", proxy.address));
    fs::remove_file(machine.own("failure")).unwrap();
    assert!(machine.issuer.is_live_access_token(&machine.token()));
    attack.tries(2);
}

#[test]
fn error_names_the_proxy_that_refuses_or_is_unreachable() {
    let attack = attack!(Servers, "a proxy that refuses or is unreachable");
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

/// A proxy that decrypts TLS shows its own certificate.
#[test]
fn proxy_that_decrypts_tls_is_refused_by_its_certificate() {
    let attack = attack!(Servers, "a proxy that decrypts TLS");
    let (mut machine, _) = machine("localhost", today());
    let proxy = Proxy::start(Policy::Connect);
    machine.set("HTTPS_PROXY", &proxy.url());
    let error = unsent(&machine);
    assert!(error["hint"].as_str().unwrap().contains("proxy"), "{error}");
    attack.tries(1);
}

/// A tinyproxy process, killed on drop.
struct Tinyproxy(Child);

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn tinyproxy_connects_with_its_password_only() {
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
            "skipped: tinyproxy is not installed; apt-get install tinyproxy, then cargo test proxies"
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

#[test]
fn variable_that_names_no_proxy_is_refused_before_a_request() {
    let proxy = Proxy::start(Policy::Connect);
    let address = proxy.url().replace("http://", "");
    for (variable, value) in [
        ("HTTPS_PROXY", format!("\"{}\"", proxy.url())),
        ("https_proxy", format!("{}\r", proxy.url())),
        ("https_proxy", format!("{} ", proxy.url())),
        ("ALL_PROXY", format!("socks://ada:hidden@{address}")),
        ("all_proxy", format!("http://ada:hid/den@{address}")),
        ("NO_PROXY", "'localhost'".to_owned()),
    ] {
        let mut machine = trusting_machine();
        machine.set(variable, &value);
        for line in ["get --wait 20s --error-format json", "login --error-format json"] {
            let output = machine.std_command(line).output().unwrap();
            let says = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{variable} {line}: {says}");
            assert!(says.contains(variable) && !says.contains("hid"), "{says}");
        }
        let doctor = machine.command("doctor").unwrap_err();
        let says = String::from_utf8_lossy(&doctor.as_output().unwrap().stdout).into_owned();
        assert!(says.contains(variable) && !says.contains("hid"), "{says}");
        assert_eq!(machine.issuer.counts(), issuer::Counts::default(), "{variable}");
        // The next call after the correction sends its request at once.
        machine.set(variable, "");
        assert!(machine.issuer.is_live_access_token(&machine.token()), "{variable}");
        // A token that is valid is answered: the answer needs no network.
        machine.set(variable, &value);
        machine.token();
    }
    assert!(proxy.seen().is_empty());
}

#[test]
fn patterns_and_ports_in_no_proxy_bypass_the_proxy() {
    for (host, is_direct) in [
        ("localhost:PORT", true),
        ("*:PORT", true),
        ("localhost:1", false),
        ("*.localhost:1", false),
    ] {
        let (mut machine, proxy) = (trusting_machine(), Proxy::start(Policy::Connect));
        let port = machine.issuer.url().rsplit(':').next().unwrap().to_owned();
        machine.set("HTTPS_PROXY", &proxy.url());
        machine.set("NO_PROXY", &host.replace("PORT", &port));
        machine.token();
        assert_eq!(proxy.seen().is_empty(), is_direct, "{host}");
        let doctor = machine.command("doctor").unwrap();
        let says = String::from_utf8(doctor.stdout).unwrap();
        let expected =
            if is_direct { "use no proxy".into() } else { format!("go through {}", proxy.url()) };
        assert!(says.contains(&expected), "{says}");
    }
}
