//! Listens on this machine for the answer that a browser brings (RFC 8252 §7.3).
//!
//! One thread serves all connections. It takes one answer, with the right path and `state`; every other request gets a plain
//! page and changes nothing. Whoever can connect can also take up all connections, but no longer than `REQUEST_TIME`.

use crate::error::{Error, Kind, Result};
use crate::oauth::authorization::{Answer, answer};
use crate::pending_sign_in::AuthorizationRequest;
use crate::threads;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use url::{Host, Url};

/// How long a client may take for its request, and to read the page.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// The longest request, in bytes.
const REQUEST_LIMIT: usize = 16 * 1024;
const CONNECTIONS: usize = 64;
/// How long a browser waits for the last page before this process ends.
const LAST_PAGE_TIME: Duration = Duration::from_secs(3);

/// A listener that is bound and does not serve yet.
pub struct Bound {
    listener: TcpListener,
    /// The redirect URI, with the port.
    pub redirect_uri: String,
}

impl Bound {
    /// Listens at the first of `redirect_uris` whose port is free. One without a port gets any free port.
    ///
    /// # Errors
    /// `Busy` if all are taken.
    pub fn at_first_of(redirect_uris: &[String]) -> Result<Self> {
        let mut last = None;
        for uri in redirect_uris {
            match Self::at(uri) {
                Ok(bound) => return Ok(bound),
                Err(error) => last = Some(error),
            }
        }
        let what = format!("cannot listen for the browser at {}", redirect_uris.join(" or "));
        let error = Error::new(Kind::Busy, what);
        let error = last.into_iter().fold(error, Error::caused_by);
        Err(error.run(
            "end the program that uses the port; to sign in without it",
            "codex-credential login --paste",
        ))
    }

    fn at(redirect_uri: &str) -> io::Result<Self> {
        let mut url = Url::parse(redirect_uri).map_err(io::Error::other)?;
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => Ipv4Addr::LOCALHOST.into(),
        };
        let listener = TcpListener::bind(SocketAddr::new(address, url.port().unwrap_or(0)))?;
        listener.set_nonblocking(true)?;
        // A URI with a port stays as it was registered.
        let mut redirect_uri = redirect_uri.to_owned();
        if url.port().is_none() {
            let _ = url.set_port(Some(listener.local_addr()?.port()));
            redirect_uri = url.into();
        }
        Ok(Self { listener, redirect_uri })
    }

    /// Serves in a thread until the returned [`Callback`] is dropped. Calls `answered` with the first answer to `request`.
    pub fn serve(
        self,
        request: &AuthorizationRequest,
        issuer: &str,
        answered: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<Callback> {
        let path = Url::parse(&self.redirect_uri).map(|url| url.path().to_owned());
        let shared = Arc::new(Shared {
            path: path.unwrap_or_default(),
            request: request.clone(),
            issuer: issuer.to_owned(),
            answered: Mutex::new(Some(Box::new(answered))),
            last_page: Mutex::new(None),
        });
        let (end, ended) = oneshot::channel();
        let (done, is_done) = mpsc::channel();
        threads::spawn(move || {
            let _ = serve(self.listener, &shared, ended);
            let _ = done.send(());
        })?;
        Ok(Callback { end: Some(end), is_done })
    }
}

/// The browser that brought the answer waits for its page until this is dropped.
pub struct Callback {
    end: Option<oneshot::Sender<String>>,
    is_done: mpsc::Receiver<()>,
}

impl Callback {
    /// Tells the browser that brought the answer how the sign-in ended, and stops listening.
    pub fn finish(mut self, error: Option<&Error>) {
        let page = match error {
            None => page(200, "Signed in", "You can close this page and use the terminal again."),
            Some(error) => page(400, "Not signed in", &error.text()),
        };
        if let Some(end) = self.end.take() {
            let _ = end.send(page);
        }
        let _ = self.is_done.recv_timeout(2 * LAST_PAGE_TIME);
    }
}

type Answered = Box<dyn FnOnce(Answer) + Send>;

struct Shared {
    path: String,
    request: AuthorizationRequest,
    issuer: String,
    /// Taken by the first answer.
    answered: Mutex<Option<Answered>>,
    /// The connection that brought the answer: takes its page, and says when the page was sent.
    last_page: Mutex<Option<(oneshot::Sender<String>, oneshot::Receiver<()>)>>,
}

fn serve(
    listener: TcpListener,
    shared: &Arc<Shared>,
    ended: oneshot::Receiver<String>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        let page = ended.await;
        accepting.abort();
        let waiting = lock(&shared.last_page).take();
        if let (Ok(page), Some((send, sent))) = (page, waiting) {
            let _ = send.send(page);
            let _ = timeout(LAST_PAGE_TIME, sent).await;
        }
        Ok(())
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        // An error such as too many open files may pass.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            if let Ok(Some(target)) = timeout(REQUEST_TIME, read_target(&stream)).await {
                reply(&stream, &shared, &target).await;
            }
            drop(place);
        });
    }
}

/// Reads a request of HTTP/1. Returns the target of a GET; `None` for anything else.
async fn read_target(stream: &TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await.ok()?;
        match stream.try_read(&mut buffer) {
            Ok(length @ 1..) if head.len() + length <= REQUEST_LIMIT => {
                head.extend_from_slice(&buffer[..length]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return None,
        }
    }
    let line = head.split(|&byte| byte == b'\r').next()?;
    let mut words = str::from_utf8(line).ok()?.split(' ');
    match (words.next()?, words.next()?, words.next()?, words.next()) {
        ("GET", target, "HTTP/1.0" | "HTTP/1.1", None) => Some(target.to_owned()),
        _ => None,
    }
}

async fn reply(stream: &TcpStream, shared: &Shared, target: &str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != shared.path {
        return send(stream, &page(404, "Not found", "There is nothing at this address.")).await;
    }
    let Some(answer) = answer(query, &shared.request, &shared.issuer) else {
        let text = "This address is not an answer to the sign-in that waits. Nothing was changed.";
        return send(stream, &page(400, "Not signed in", text)).await;
    };
    let Some(answered) = lock(&shared.answered).take() else {
        let text = "The sign-in was answered already. See the terminal.";
        return send(stream, &page(409, "Answered already", text)).await;
    };
    let ((give_page, last_page), (say_sent, sent)) = (oneshot::channel(), oneshot::channel());
    *lock(&shared.last_page) = Some((give_page, sent));
    answered(answer);
    if let Ok(page) = last_page.await {
        send(stream, &page).await;
    }
    let _ = say_sent.send(());
}

async fn send(stream: &TcpStream, page: &str) {
    let mut rest = page.as_bytes();
    let sending = async {
        while !rest.is_empty() {
            stream.writable().await?;
            match stream.try_write(rest) {
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    let _ = timeout(REQUEST_TIME, sending).await;
}

/// Returns a response with a page that needs nothing else, and that may load and run nothing.
fn page(status: u16, title: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>body{{font:1.1rem/1.5 sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}}</style>\n\
         <h1>{title}</h1>\n<p>{text}</p>\n<p>codex-credential</p>\n</html>\n"
    );
    let reason = if status == 200 { "OK" } else { title };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{html}",
        html.len()
    )
}
