//! What stands between a host and etcd: it records what passes, and can be cut.

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
                for (from, to) in
                    [(stream.try_clone().unwrap(), server.try_clone().unwrap()), (server, stream)]
                {
                    let proxy = proxy.clone();
                    thread::spawn(move || proxy.pass(from, to));
                }
            }
        });
        url
    }

    /// From now on nothing passes, and nobody is told.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            while self.is_cut.load(Ordering::SeqCst) {
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
