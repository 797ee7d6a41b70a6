//! `profile test`: asks the issuer for its endpoints and, if the profile signs in so, for a device code, and checks the storage.

use crate::client::ClientAuth;
use crate::clock::Deadline;
use crate::commands::doctor::report::Report;
use crate::commands::doctor::storage::check_writable;
use crate::login::TokenKind;
use crate::oauth::device::PollResponse;
use crate::pending_sign_in::{PendingSignIn, SignInRequest};
use crate::profile::Profile;
use crate::profile::profile_table::IdTokens;
use crate::renewal::server::AuthorizationServer;
use crate::ui::SignInWay;
use crate::urls::host;
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
    if profile.token == TokenKind::IdToken {
        report.ok("token", "the ID token is handed out, not the access token");
    }
    if let Some(name) = &profile.settings.git_username {
        report.ok("git", format!("gets the token as the password of {}", &**name));
    }
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
        check_page(report, server, "userinfo", endpoints.userinfo_endpoint, "no endpoint");
        check_page(report, server, "keys", endpoints.jwks_uri, "no URL: ID tokens are not stored");
        check_id_tokens(report, server);
    }
    if server.profile.settings.sign_in.unwrap_or_default() != SignInWay::Device {
        let page = server.start_in_browser(server.redirect_uris().swap_remove(0));
        let page = page.map(|pending| pending.verification.verification_uri);
        return report.result("browser", page.map(|url| format!("offered, at {}", host(&url))));
    }
    // Only a real request shows that this client gets a device code. The code expires unused.
    let Some(pending) = report.value("device", server.start()) else { return };
    report.ok("device", format!("offered, at {}", pending.verification.verification_uri));
    if server.profile.standard.is_some() {
        check_client(report, server);
        check_poll(report, server, &pending);
    }
}

/// Checks that there is a page at `url`, which tells who has signed in.
fn check_page(
    report: &mut Report,
    server: &AuthorizationServer,
    name: &'static str,
    url: Option<EndpointUrl>,
    without: &str,
) {
    let Some(url) = url else { return report.ok(name, without) };
    match server.status_of(&url) {
        Ok(status @ (404 | 405 | 410 | 500..)) => report.warn(
            name,
            format!("{} answers {status}", &*url),
            "correct the URL in the profile; if there is none, a login is called like its profile",
        ),
        // A page for users answers 401 without a token.
        Ok(_) => report.ok(name, String::from(url)),
        Err(error) => report.warn(name, error.text(), error.completed().hint.unwrap_or_default()),
    }
}

fn check_id_tokens(report: &mut Report, server: &AuthorizationServer) {
    let settings = &server.profile.settings;
    if settings.id_token == Some(IdTokens::Ignore) {
        report.ok("id tokens", "ignored, as the profile says");
    } else if let Some(algorithms) = server.unsupported_id_tokens() {
        let found = format!("signed with {algorithms}, which is not supported");
        report.warn("id tokens", found, "set id_token = \"ignore\" in the profile");
    }
}

fn check_client(report: &mut Report, server: &AuthorizationServer) {
    let Some((method, has_changed)) = server.client_auth() else { return };
    let place = match method {
        _ if server.profile.settings.client_secret_file.is_none() => {
            return report.ok("client", "public, without a secret");
        }
        ClientAuth::Basic => "the header",
        ClientAuth::Post => "the body",
        ClientAuth::None => return report.ok("client", "sends no secret, as the profile says"),
    };
    if !has_changed {
        return report.ok("client", format!("sends its secret in {place}"));
    }
    let name = if method == ClientAuth::Post { "post" } else { "basic" };
    report.warn(
        "client",
        format!("the server takes the secret in {place} only, and does not say so"),
        format!("set client_auth = \"{name}\" in the profile, to save a request"),
    );
}

/// Polls once: the token endpoint has its own rules for clients and for PKCE.
fn check_poll(report: &mut Report, server: &AuthorizationServer, pending: &PendingSignIn) {
    let Some(SignInRequest::DeviceCode(request)) = &pending.request else { return };
    report.ok(
        "pkce",
        match (&request.code_verifier, server.lists_pkce()) {
            (Some(_), true) => "used (S256)",
            (Some(_), false) => "used (S256): the server requires it, and does not list it",
            (None, true) => "not used: the server lists it, and refuses it for devices",
            (None, false) => "not used: the server does not list it",
        },
    );
    let user_code = pending.verification.user_code.as_deref().unwrap_or_default();
    match server.poll(request, user_code) {
        PollResponse::AuthorizationPending | PollResponse::SlowDown => {
            report.ok("poll", "waits for the user, as it should");
        }
        PollResponse::Failed(error) | PollResponse::UnknownCode(error) => {
            report.fail("poll", &error);
        }
        PollResponse::Approved(_) => report.ok("poll", "the server approves without the user"),
        PollResponse::TooManyRequests(_) | PollResponse::Unavailable | PollResponse::NoResponse => {
            report.warn("poll", "the token endpoint did not answer the poll", "try again later");
        }
    }
}
