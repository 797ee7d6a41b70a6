//! A server that sends the bytes of a test and counts the bytes that were sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub struct RawServer {
    pub url: String,
    taken: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl RawServer {
    /// Starts a server that runs until the test process ends. `answer` gets a connection whose request has been read. The
    /// connection closes when `answer` returns.
    pub fn start(answer: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (taken, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let server = Self { url, taken: taken.clone(), requests: requests.clone() };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (taken, requests, answer) = (taken.clone(), requests.clone(), answer.clone());
                let mut connection =
                    Connection { head: String::new(), stream: stream.unwrap(), taken };
                thread::spawn(move || {
                    if connection.read_request() {
                        requests.fetch_add(1, Ordering::SeqCst);
                        answer(&mut connection);
                    }
                });
            }
        });
        server
    }

    /// Returns the number of bytes that the operating system accepted.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

pub struct Connection {
    /// The request line and the headers of the request, in lower case.
    pub head: String,
    stream: TcpStream,
    taken: Arc<AtomicUsize>,
}

impl Connection {
    /// Sends bytes. Returns false when the client has closed the connection.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = self.stream.write_all(bytes.as_ref());
        self.taken.fetch_add(bytes.as_ref().len(), Ordering::SeqCst);
        sent.is_ok()
    }

    /// Sends the head of a 200 response with `length` bytes of JSON.
    pub fn send_head(&mut self, length: usize) -> bool {
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ))
    }

    fn read_request(&mut self) -> bool {
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.stream.read(&mut buffer) {
                Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
                _ => return false,
            }
            let text = String::from_utf8_lossy(&request);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                self.head = head.to_ascii_lowercase();
                return true;
            }
        }
    }
}
