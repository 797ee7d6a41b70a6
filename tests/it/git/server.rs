//! A git server on loopback: `git http-backend`, which requires an Authorization header.

use super::Git;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone, Debug, Default)]
struct State {
    /// The only `Authorization` that is accepted.
    accepted: String,
    /// The `Authorization` of each request.
    sent: Vec<String>,
}

/// Runs until the process ends.
pub struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Serves the repositories below the state folder of `git`.
    pub fn start(git: &Git) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (root, shared) = (git.state().to_owned(), Arc::clone(&state));
        let path = git
            .command(&[])
            .get_envs()
            .find(|(name, _)| *name == "PATH")
            .unwrap()
            .1
            .unwrap()
            .to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let backend = Backend { root: root.clone(), path: path.clone() };
                answer(&stream.unwrap(), &shared, &backend);
            }
        });
        Self { address, state }
    }

    pub fn url(&self, user: &str) -> String {
        format!("http://{user}{}/repo.git", self.address)
    }

    pub fn host(&self) -> &str {
        &self.address
    }

    /// Accepts only this `Authorization` from now on.
    pub fn accept_only(&self, authorization: &str) {
        authorization.clone_into(&mut self.state.lock().unwrap().accepted);
    }

    /// Returns the `Authorization`s since the last call, without repetitions.
    pub fn sent(&self) -> Vec<String> {
        let mut sent = std::mem::take(&mut self.state.lock().unwrap().sent);
        sent.dedup();
        sent
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Self {
        let mut stream = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let first = line();
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let mut headers = Vec::new();
        while let Some((name, value)) = line().split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut request = Self { method, target, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body = vec![0; length];
        stream.read_exact(&mut request.body).unwrap();
        request
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

struct Backend {
    root: PathBuf,
    path: std::ffi::OsString,
}

impl Backend {
    /// Returns the CGI response (RFC 3875).
    fn run(&self, request: &Request) -> Vec<u8> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut backend = std::process::Command::new("git");
        backend.arg("http-backend").env_clear().env("PATH", &self.path);
        backend.env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        backend.env("PATH_INFO", path).env("QUERY_STRING", query);
        backend.env("REQUEST_METHOD", &request.method);
        for (variable, header) in [
            ("CONTENT_TYPE", "content-type"),
            ("CONTENT_LENGTH", "content-length"),
            ("HTTP_CONTENT_ENCODING", "content-encoding"),
            ("GIT_PROTOCOL", "git-protocol"),
        ] {
            if let Some(value) = request.header(header) {
                backend.env(variable, value);
            }
        }
        let mut backend = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        backend.stdin.take().unwrap().write_all(&request.body).unwrap();
        backend.wait_with_output().unwrap().stdout
    }
}

fn answer(mut stream: &TcpStream, state: &Mutex<State>, backend: &Backend) {
    let request = Request::read(stream);
    let authorization = request.header("authorization").map(str::to_owned);
    let is_accepted = {
        let mut state = state.lock().unwrap();
        state.sent.extend(authorization.clone());
        authorization.as_ref() == Some(&state.accepted)
    };
    let answer = if is_accepted {
        [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n"[..], &backend.run(&request)].concat()
    } else {
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n"
            .to_vec()
    };
    // The client may have closed the connection.
    let _ = stream.write_all(&answer);
}
