//! What stands between a host and etcd: it records what passes, can be cut, and can keep the answers back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Clone, Default)]
pub struct Proxy {
    pub recorded: Arc<Mutex<Vec<u8>>>,
    is_cut: Arc<AtomicBool>,
    /// No answer passes.
    is_mute: Arc<AtomicBool>,
    /// The first request that holds this is the last that is answered, late.
    last: Arc<Mutex<Option<&'static str>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Requests,
    Answers,
}

impl Proxy {
    /// In front of each of `endpoints`; gives back the URLs to use in their place.
    pub fn before(endpoints: &[String]) -> (Self, Vec<String>) {
        let proxy = Self::default();
        let urls = endpoints.iter().map(|endpoint| proxy.listen(endpoint)).collect();
        (proxy, urls)
    }

    fn listen(&self, endpoint: &str) -> String {
        let to = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let proxy = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let back = (server.try_clone().unwrap(), stream.try_clone().unwrap());
                for (way, (from, to)) in [(Way::Requests, (stream, server)), (Way::Answers, back)] {
                    let proxy = proxy.clone();
                    thread::spawn(move || proxy.pass(way, from, to));
                }
            }
        });
        url
    }

    /// From now on nothing passes, and nobody is told.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    /// From the request on that holds `text` no answer passes.
    pub fn mute_after(&self, text: &'static str) {
        *self.last.lock().unwrap() = Some(text);
    }

    pub fn mend(&self) {
        *self.last.lock().unwrap() = None;
        self.is_cut.store(false, Ordering::SeqCst);
        self.is_mute.store(false, Ordering::SeqCst);
    }

    fn is_stopped(&self, way: Way) -> bool {
        self.is_cut.load(Ordering::SeqCst)
            || (way == Way::Answers && self.is_mute.load(Ordering::SeqCst))
    }

    fn pass(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let is_last = |text: &str| {
                buffer[..count].windows(text.len()).any(|window| window == text.as_bytes())
            };
            if way == Way::Requests && self.last.lock().unwrap().is_some_and(is_last) {
                self.is_mute.store(true, Ordering::SeqCst);
            }
            while self.is_stopped(way) {
                thread::sleep(Duration::from_millis(10));
            }
            self.recorded.lock().unwrap().extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
