use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use hyper::{
    Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    answer::Answer,
    body::ReplyBody,
    control,
    faults::{Endpoint, Fault},
    introspect, jwt,
    request::Request,
    state::Shared,
};

/// Accepts connections until `stop` is sent or dropped.
pub(crate) fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stop: oneshot::Receiver<Infallible>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, tls, shared));
        let _ = stop.await;
        Ok(())
    })
}

async fn accept(listener: tokio::net::TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        // An error such as too many open files may pass.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (shared, tls) = (shared.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(stream, shared).await,
                Some(tls) => {
                    // An error means that the client does not trust the certificate.
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    shared: Arc<Shared>,
) {
    let service = service_fn(|request| serve(shared.clone(), request));
    // An error means that the client hung up, or is an injected fault.
    let _ = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Returns an error to make hyper close the connection without a byte.
async fn serve(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> io::Result<Response<ReplyBody>> {
    let request = Request::read(request).await?;
    if let Some(answer) = control::answer(&shared, &request) {
        return reply(answer, ReplyBody::whole);
    }
    // A separate task continues when the client hangs up, as on a real server.
    tokio::spawn(answer(shared, request)).await?
}

async fn answer(shared: Arc<Shared>, mut request: Request) -> io::Result<Response<ReplyBody>> {
    let endpoint = request.endpoint();
    let fault = endpoint.and_then(|e| shared.change(|state| state.arrive(&request, e)));
    if let Some(Fault::DelayBefore(delay)) = fault {
        sleep(delay).await;
    }
    let mut answer = match fault.as_ref().map(Fault::instead) {
        Some(Some(canned)) => Some(canned),
        _ if fault == Some(Fault::Drop) => None,
        _ => {
            request.active = introspected(&shared, &request, endpoint).await;
            Some(shared.change(|state| state.process(&request, endpoint)))
        }
    };
    if let Some(Fault::DelayAfter(delay)) = fault {
        sleep(delay).await;
    }
    let mut outcome: Vec<&str> = answer.iter().map(|a| a.outcome.as_str()).collect();
    outcome.extend(fault.as_ref().map(Fault::name));
    outcome.retain(|word| !word.is_empty());
    let outcome = outcome.join(" ");
    if fault == Some(Fault::LoseReply) {
        answer = None;
    }
    shared.finish(&request, endpoint, answer.as_ref().map(|a| a.status), outcome);

    let mut answer = answer.ok_or(io::ErrorKind::ConnectionAborted)?;
    let date = {
        let settings = &shared.lock().settings;
        settings.date.clone().unwrap_or_else(|| date(settings.clock_ahead))
    };
    if !date.is_empty() {
        answer.headers.push(("Date".into(), date));
    }
    let spent = answer.spends.take();
    reply(answer, |body| {
        let body = match fault {
            Some(Fault::Truncate) => ReplyBody::truncated(body),
            Some(Fault::Endless) => ReplyBody::endless(),
            Some(Fault::SlowBody(over)) => ReplyBody::slow(body, over),
            _ => ReplyBody::whole(body),
        };
        match spent {
            Some(token) => body.on_delivery(move || {
                shared.change(|state| state.tokens.note_answered(token));
            }),
            None => body,
        }
    })
}

/// Returns `Date` by a clock that is `ahead` seconds ahead.
fn date(ahead: i64) -> String {
    let now = u64::try_from(jwt::now() + ahead).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now))
}

/// Asks the introspection endpoint, if one is set, whether the model's access token is active.
async fn introspected(
    shared: &Shared,
    request: &Request,
    endpoint: Option<Endpoint>,
) -> Option<bool> {
    if !matches!(endpoint, Some(Endpoint::Responses | Endpoint::Messages)) {
        return None;
    }
    let at = shared.lock().settings.introspection.clone()?;
    Some(introspect::is_active(&at, request.access_token().unwrap_or_default()).await)
}

fn reply(
    answer: Answer,
    body: impl FnOnce(String) -> ReplyBody,
) -> io::Result<Response<ReplyBody>> {
    let names_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    let mut response = Response::builder().status(answer.status);
    if !answer.headers.iter().any(names_type) {
        response = response.header(CONTENT_TYPE, answer.content_type);
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(body(answer.body)).map_err(io::Error::other)
}
