//! A proxy between a host and etcd. It records the traffic, and can stop it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Clone, Default)]
pub struct Proxy {
    recorded: Arc<Mutex<Vec<u8>>>,
    is_cut: Arc<AtomicBool>,
    withholds_answers: Arc<AtomicBool>,
    /// Answers are withheld from the first request on that contains this text.
    trigger: Arc<Mutex<Option<&'static str>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Requests,
    Answers,
}

impl Proxy {
    /// Starts a proxy before each endpoint. Returns the URLs of the proxies.
    pub fn before(endpoints: &[String]) -> (Self, Vec<String>) {
        let proxy = Self::default();
        let urls = endpoints.iter().map(|endpoint| proxy.listen(endpoint)).collect();
        (proxy, urls)
    }

    /// Returns everything that has passed so far, in both directions.
    pub fn traffic(&self) -> Vec<u8> {
        self.recorded.lock().unwrap().clone()
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
                for (direction, (from, to)) in
                    [(Direction::Requests, (stream, server)), (Direction::Answers, back)]
                {
                    let proxy = proxy.clone();
                    thread::spawn(move || proxy.pass(direction, from, to));
                }
            }
        });
        url
    }

    /// Stops all traffic without closing a connection.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    /// Stops all answers as soon as a request contains `text`.
    pub fn withhold_answers_after(&self, text: &'static str) {
        *self.trigger.lock().unwrap() = Some(text);
    }

    pub fn restore(&self) {
        *self.trigger.lock().unwrap() = None;
        self.is_cut.store(false, Ordering::SeqCst);
        self.withholds_answers.store(false, Ordering::SeqCst);
    }

    fn is_stopped(&self, direction: Direction) -> bool {
        self.is_cut.load(Ordering::SeqCst)
            || (direction == Direction::Answers && self.withholds_answers.load(Ordering::SeqCst))
    }

    fn pass(&self, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let is_trigger = |text: &str| {
                buffer[..count].windows(text.len()).any(|window| window == text.as_bytes())
            };
            if direction == Direction::Requests
                && self.trigger.lock().unwrap().is_some_and(is_trigger)
            {
                self.withholds_answers.store(true, Ordering::SeqCst);
            }
            while self.is_stopped(direction) {
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
