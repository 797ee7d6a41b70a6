//! The way to the issuer, as requests take it: the proxy, its name, a connection, TLS, an answer, and the clock.

use crate::commands::doctor::Report;
use crate::commands::status::wrong_clock;
use crate::error::Error;
use crate::login::notable;
use crate::oauth::connectivity::Route;
use crate::oauth::http::{Http, Response};
use crate::profile::Profile;
use crate::urls::host;

/// Asks for what anybody may ask for; what counts is that there is an answer.
const PATH: &str = "/.well-known/openid-configuration";

pub fn check(report: &mut Report, profile: &Profile) {
    let url = match profile.token_endpoint(&profile.client) {
        Ok(url) => url,
        Err(error) => return report.fail("issuer", &error),
    };
    let origin = url.find("://").map_or(url.len(), |at| at + 3 + host(&url).len());
    let url = format!("{}{PATH}", &url[..origin]);
    let is_reached = reach(report, &url);
    let http = match Http::new(profile.extra_ca.as_deref()) {
        Ok(http) => http,
        Err(error) => return report.fail("https", &error),
    };
    match http.get(&url, None) {
        Ok(reply) => answered(report, &url, &reply),
        Err(failure) => {
            let error = Error::from(failure);
            // What cannot be connected to has been told.
            if is_reached {
                report.fail("https", &error);
            }
        }
    }
}

/// Whether there is a connection.
fn reach(report: &mut Report, url: &str) -> bool {
    let route = match Route::to(url) {
        Ok(route) => route,
        Err(error) => {
            report.fail("issuer", &error);
            return false;
        }
    };
    let (dns, tcp) = match &route.proxy {
        Some(proxy) => {
            report.ok("proxy", format!("{} is asked through {proxy}", host(url)));
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
    report.ok(dns, format!("{} leads to {}", route.host, addresses[0].ip()));
    match route.connect(&addresses) {
        Ok((address, ms)) => {
            report.ok(tcp, format!("{address} answers in {ms} ms"));
            true
        }
        Err(error) => {
            report.fail(tcp, &error);
            false
        }
    }
}

fn answered(report: &mut Report, url: &str, reply: &Response) {
    let (host, status) = (host(url), reply.status);
    match status {
        500.. => {
            report.warn(
                "https",
                format!("{host} is in trouble ({status})"),
                "try again in a while",
            );
        }
        403 | 429 => report.warn(
            "https",
            format!("{host} answers {status}: a bot check, or a region that it does not serve"),
            "try from another network; renewals may work all the same",
        ),
        300..400 => report.warn(
            "https",
            format!("{host} redirects to another address ({status})"),
            "is a proxy or a sign-in page in between?",
        ),
        _ => report.ok("https", format!("{host} answers ({status})")),
    }
    match reply.skew {
        None => report.ok("clock", format!("{host} does not tell the time")),
        Some(skew) if notable(Some(skew)) == 0 => report.ok("clock", "as the issuer's"),
        Some(skew) => {
            report.warn("clock", wrong_clock(skew), "`date` shows it");
        }
    }
}
