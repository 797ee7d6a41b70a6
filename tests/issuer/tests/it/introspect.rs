use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use issuer::{Introspection, Issuer};

use crate::{ask_model, expired_login};

/// Starts a server that calls `good` active, for `count` requests, and returns the received requests.
fn another_server(requests: usize) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let heard = listener.incoming().take(requests).map(|stream| {
            let mut stream = stream.unwrap();
            let (mut request, mut bytes) = (String::new(), [0; 4096]);
            while !request.contains("token=") {
                let length = stream.read(&mut bytes).unwrap();
                request += std::str::from_utf8(&bytes[..length]).unwrap();
            }
            let answer = format!("{{\"active\":{}}}", request.ends_with("token=good"));
            let length = answer.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}").unwrap();
            request
        });
        heard.collect()
    });
    (url, server)
}

fn ask_there(issuer: &Issuer, url: String) {
    issuer.set(|settings| {
        settings.introspection =
            Some(Introspection { url, client_id: "model".into(), client_secret: "a:b".into() });
    });
}

#[test]
fn model_asks_the_introspection_endpoint() {
    let issuer = Issuer::start();
    let own = issuer.grant(&Issuer::accounts()[0], 3600).access_token;
    let (url, server) = another_server(2);
    ask_there(&issuer, url);
    assert_eq!(ask_model(&issuer, "good").status, 200);
    assert_eq!(ask_model(&issuer, &own).error(), (401, "invalid_token".into()));
    let heard = server.join().unwrap();
    let head = heard[0].to_ascii_lowercase();
    assert!(head.starts_with("post /introspect http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
    // model:a%3Ab
    assert!(heard[0].contains("Basic bW9kZWw6YSUzQWI=\r\n"), "{}", heard[0]);
    assert_eq!((issuer.counts().responses, issuer.counts().responses_refused), (2, 1));
}

#[test]
fn unreachable_introspection_endpoint_means_not_active() {
    let issuer = Issuer::start();
    let (url, server) = another_server(0);
    server.join().unwrap();
    ask_there(&issuer, url);
    assert_eq!(ask_model(&issuer, "good").status, 401);
    let expired = expired_login(&issuer).access_token;
    issuer.set(|settings| settings.introspection = None);
    assert_eq!(ask_model(&issuer, &expired).error(), (401, "token_expired".into()));
}
