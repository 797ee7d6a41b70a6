//! Checks the way to the authorization server: proxy, name resolution, connection, TLS, an answer, and the clock.

use crate::commands::doctor::Report;
use crate::commands::status::wrong_clock;
use crate::error::Error;
use crate::login::significant_skew;
use crate::oauth::connectivity::Route;
use crate::oauth::http::{Http, Response};
use crate::profile::Profile;
use crate::urls::host;

/// A page that needs no token. Any HTTP status shows that the server answers.
const PATH: &str = "/.well-known/openid-configuration";

pub fn check(report: &mut Report, profile: &Profile) {
    let url = match profile.token_endpoint(&profile.client) {
        Ok(url) => url,
        Err(error) => return report.fail("issuer", &error),
    };
    let origin = url.find("://").map_or(url.len(), |at| at + 3 + host(&url).len());
    let url = format!("{}{PATH}", &url[..origin]);
    let is_connected = check_connection(report, &url);
    let http = match Http::new(profile.extra_ca.as_deref()) {
        Ok(http) => http,
        Err(error) => return report.fail("https", &error),
    };
    match http.get(&url, None) {
        Ok(response) => {
            check_status(report, &url, response.status);
            check_clock(report, &url, &response);
        }
        // Without a connection the request fails for the reason that is in the report already.
        Err(failure) if is_connected => report.fail("https", &Error::from(failure)),
        Err(_) => {}
    }
}

/// Connects to the server or to its proxy. Returns whether that worked.
fn check_connection(report: &mut Report, url: &str) -> bool {
    let route = match Route::to(url) {
        Ok(route) => route,
        Err(error) => {
            report.fail("issuer", &error);
            return false;
        }
    };
    let (dns, tcp) = match &route.proxy {
        Some(proxy) => {
            report.ok("proxy", format!("requests to {} go through {proxy}", host(url)));
            ("proxy dns", "proxy tcp")
        }
        None => ("dns", "tcp"),
    };
    let addresses = match route.addresses() {
        Ok(addresses) => addresses,
        Err(error) => {
            report.fail(dns, &error);
            return false;
        }
    };
    report.ok(dns, format!("{} resolves to {}", route.host, addresses[0].ip()));
    match route.connect(&addresses) {
        Ok((address, ms)) => {
            report.ok(tcp, format!("connected to {address} in {ms} ms"));
            true
        }
        Err(error) => {
            report.fail(tcp, &error);
            false
        }
    }
}

fn check_status(report: &mut Report, url: &str, status: u16) {
    let host = host(url);
    match status {
        500.. => report.warn(
            "https",
            format!("{host} answers with a server error ({status})"),
            "try again later",
        ),
        403 | 429 => report.warn(
            "https",
            format!("{host} answers {status}: a bot check, or a region that it does not serve"),
            "try another network; renewals may still work",
        ),
        300..400 => report.warn(
            "https",
            format!("{host} redirects to another address ({status})"),
            "check whether a proxy or the sign-in page of a network intercepts the request",
        ),
        _ => report.ok("https", format!("{host} answers ({status})")),
    }
}

fn check_clock(report: &mut Report, url: &str, response: &Response) {
    match response.skew {
        None => report.ok("clock", format!("{} sends no time to compare with", host(url))),
        Some(skew) if significant_skew(Some(skew)) == 0 => {
            report.ok("clock", "the same as the issuer's");
        }
        Some(skew) => report.warn("clock", wrong_clock(skew), "to see the time here, run: date"),
    }
}
