//! Checks the way to the authorization server: proxy, an answer over HTTPS, and the clock.

use crate::clock::Deadline;
use crate::commands::doctor::report::Report;
use crate::commands::status::wrong_clock;
use crate::error::Error;
use crate::oauth::http::{Http, Response};
use crate::oauth::proxy::{Proxies, without_password};
use crate::profile::Profile;
use crate::urls::host;

/// A page that needs no token. Any HTTP status shows that the server answers.
const PATH: &str = "/.well-known/openid-configuration";

pub fn check(report: &mut Report, profile: &Profile, deadline: &Deadline) {
    let Some(url) = report.value("issuer", profile.token_endpoint(&profile.client)) else { return };
    let origin = url.find("://").map_or(url.len(), |at| at + 3 + host(&url).len());
    let url = format!("{}{PATH}", &url[..origin]);
    let network = profile.network();
    let Some(proxies) = report.value("proxy", Proxies::from_variables(&network)) else { return };
    report.ok(
        "proxy",
        match proxies.for_url(&url) {
            Some(proxy) => {
                format!("requests to {} go through {}", host(&url), without_password(&proxy))
            }
            None => format!("requests to {} use no proxy", host(&url)),
        },
    );
    let http = Http::within(&network, deadline);
    let Some(http) = report.value("https", http) else { return };
    match http.get(&url) {
        Ok(response) => {
            check_status(report, &url, &response);
            check_clock(report, &url, &response);
        }
        Err(failure) => report.fail("https", &Error::from(failure)),
    }
}

fn check_status(report: &mut Report, url: &str, response: &Response) {
    if !matches!(response.status, 300..400 | 403 | 429 | 500..) {
        return report.ok("https", format!("{} answers ({})", host(url), response.status));
    }
    let error = response.error(url);
    report.warn("https", error.text(), error.completed().hint.unwrap_or_default());
}

fn check_clock(report: &mut Report, url: &str, response: &Response) {
    match response.date_skew {
        None => report.ok("clock", format!("{} sends no time to compare with", host(url))),
        Some(skew) if skew.unsigned_abs() <= 30 => {
            report.ok("clock", "the same as the issuer's");
        }
        Some(skew) => report.warn("clock", wrong_clock(skew), "to see the time here, run: date"),
    }
}
