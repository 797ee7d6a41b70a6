//! `profile test`: asks the issuer for its endpoints and a device code, and checks the storage.

use crate::clock::Deadline;
use crate::commands::doctor::report::Report;
use crate::commands::doctor::storage::check_writable;
use crate::profile::Profile;
use crate::renewal::server::AuthorizationServer;
use crate::values::EndpointUrl;

pub fn run(profile: &Profile, deadline: &Deadline) -> Report {
    let mut report = Report::default();
    report.ok("profile", profile.name.clone());
    if let Some(server) = report.value("network", AuthorizationServer::within(profile, deadline)) {
        check_server(&mut report, &server);
    }
    let hosts = profile.settings.hosts.join(" ");
    let none = "none: only requests with --profile get its tokens";
    report.ok("hosts", if hosts.is_empty() { none.into() } else { hosts });
    check_writable(&mut report, profile, deadline);
    report
}

fn check_server(report: &mut Report, server: &AuthorizationServer) {
    if server.profile.standard.is_some() {
        let Some((endpoints, discovered)) = report.value("discovery", server.endpoints()) else {
            return;
        };
        report.ok("discovery", discovered.unwrap_or("not needed: the profile has the endpoints"));
        let mut check = |name, endpoint: Option<EndpointUrl>, without: &str| {
            report.ok(name, endpoint.map_or_else(|| without.to_owned(), String::from));
        };
        check("tokens", endpoints.token_endpoint, "no endpoint");
        check(
            "revocation",
            endpoints.revocation_endpoint,
            "no endpoint: logout cannot revoke a login",
        );
        check("userinfo", endpoints.userinfo_endpoint, "no endpoint");
        check("keys", endpoints.jwks_uri, "no URL: ID tokens are not stored");
    }
    // Only a real request shows that this client gets a device code. The code expires unused.
    let offered = server.start().map(|pending| pending.verification.verification_uri);
    report.result("device", offered.map(|uri| format!("offered, at {uri}")));
}
