use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use issuer::{Endpoint, Fault, Issuer};
use serde_json::json;

use crate::{PATIENCE, expired_login, refresh, try_refresh, user_code};

/// Sends a refresh and returns the open connection.
fn send_refresh(issuer: &Issuer, token: &str) -> TcpStream {
    let host = issuer.url().replace("http://", "");
    let body = json!({
        "client_id": issuer::CLIENT_ID, "grant_type": "refresh_token", "refresh_token": token,
    })
    .to_string();
    let length = body.len();
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(
        stream,
        "POST /oauth/token HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

fn bytes_until_closed(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn drop_does_not_process_and_does_not_answer() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::Drop, 1);
    assert_eq!(bytes_until_closed(send_refresh(&issuer, &token)), "");
    assert!(issuer.is_live_refresh_token(&token));
    assert_eq!(issuer.log()[0].status, None);
    assert_eq!(issuer.counts().refreshes, 1);
}

#[test]
fn lose_reply_processes_and_does_not_answer() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::LoseReply, 1);
    assert_eq!(bytes_until_closed(send_refresh(&issuer, &token)), "");
    assert!(!issuer.is_live_refresh_token(&token));
    assert_eq!(issuer.log()[0].outcome, "granted lose_reply");
}

#[test]
fn truncate_sends_half_of_the_body() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::Truncate, 1);
    let bytes = bytes_until_closed(send_refresh(&issuer, &token));
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
    assert_eq!(length.unwrap().parse::<usize>().unwrap() / 2, body.len());
    assert!(!issuer.is_live_refresh_token(&token));
}

#[test]
fn status_is_sent_with_its_headers_for_the_given_count() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    let busy = Fault::Status {
        code: 429,
        body: "slow down".into(),
        headers: vec![("Retry-After".into(), "7".into())],
    };
    issuer.fault(Endpoint::Refresh, busy, 2);
    issuer.fault(Endpoint::Refresh, Fault::status(503, ""), 1);
    let answer = refresh(&issuer, &token);
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(answer.text, "slow down");
    let next: Vec<u16> = (0..3).map(|_| refresh(&issuer, &token).status).collect();
    assert_eq!(next, [429, 503, 200]);
}

#[test]
fn fault_applies_to_one_endpoint_until_cleared() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::status(500, ""), u32::MAX);
    assert_eq!(refresh(&issuer, &token).status, 500);
    assert_eq!(refresh(&issuer, &token).status, 500);
    assert_eq!(user_code(&issuer).status, 200);
    issuer.clear_faults();
    assert_eq!(refresh(&issuer, &token).status, 200);
}

#[test]
fn not_json_and_redirect_do_not_process() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::NotJson, 1);
    issuer.fault(Endpoint::Refresh, Fault::Redirect("http://127.0.0.1:9/".into()), 1);
    let page = refresh(&issuer, &token);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let redirect = refresh(&issuer, &token);
    assert_eq!(redirect.status, 307);
    assert_eq!(redirect.headers["location"], "http://127.0.0.1:9/");
    assert!(issuer.is_live_refresh_token(&token));
}

#[test]
fn endless_body_lasts_until_the_client_hangs_up() {
    let issuer = Issuer::start();
    issuer.fault(Endpoint::Refresh, Fault::Endless, 1);
    let mut stream = send_refresh(&issuer, "rt_any");
    let mut megabyte = vec![0; 1 << 20];
    stream.read_exact(&mut megabyte).unwrap();
    drop(stream);
    assert_eq!(user_code(&issuer).status, 200, "the server still answers");
}

#[test]
fn slow_body_arrives_completely() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    let over = Duration::from_millis(200);
    issuer.fault(Endpoint::Refresh, Fault::SlowBody(over), 1);
    let start = Instant::now();
    let answer = refresh(&issuer, &token);
    assert!(start.elapsed() >= over);
    assert!(issuer.is_live_refresh_token(&answer.member("refresh_token")));
}

#[test]
fn request_counts_as_in_flight_before_it_is_processed() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    let delay = Duration::from_millis(500);
    issuer.fault(Endpoint::Refresh, Fault::DelayBefore(delay), 1);
    let stream = send_refresh(&issuer, &token);
    assert!(issuer.wait_until(|counts| counts.in_flight == 1, PATIENCE));
    assert!(issuer.is_live_refresh_token(&token));
    drop(stream);
    assert!(issuer.wait_until(|counts| counts.in_flight == 0, PATIENCE));
    assert!(
        !issuer.is_live_refresh_token(&token),
        "the request was processed although the client hung up"
    );
    refresh(&issuer, &token);
    assert_eq!(issuer.resent_after_answer(), 0);
}

#[test]
fn delay_after_rotates_first() {
    let issuer = Issuer::start();
    let token = expired_login(&issuer).refresh_token;
    issuer.fault(Endpoint::Refresh, Fault::DelayAfter(Duration::from_millis(500)), 1);
    thread::scope(|threads| {
        let refreshing = threads.spawn(|| try_refresh(&issuer, &token).unwrap());
        assert!(issuer.wait_until(|counts| counts.refreshes_granted == 1, PATIENCE));
        assert_eq!(issuer.counts().in_flight, 1);
        assert!(!issuer.is_live_refresh_token(&token));
        assert_eq!(refreshing.join().unwrap().status, 200);
    });
}

#[test]
fn wait_ends_after_its_patience() {
    let issuer = Issuer::start();
    assert!(!issuer.wait_until(|counts| counts.polls > 0, Duration::from_millis(20)));
}

#[test]
fn server_stops_with_its_last_handle() {
    let issuer = Issuer::start();
    let clone = issuer.clone();
    drop(issuer);
    let token = expired_login(&clone).refresh_token;
    let mut stream = send_refresh(&clone, &token);
    assert_eq!(stream.read(&mut [0]).unwrap(), 1, "one handle keeps the server running");
    drop(clone);
    bytes_until_closed(stream);
}

#[test]
fn taken_port_is_an_error() {
    let issuer = Issuer::start();
    let port = issuer.url().rsplit(':').next().unwrap().parse().unwrap();
    let second = Issuer::builder().port(port).try_start();
    assert_eq!(second.err().map(|e| e.kind()), Some(ErrorKind::AddrInUse));
}
