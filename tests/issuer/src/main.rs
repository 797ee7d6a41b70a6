//! The server as a program: prints its URL, then one line for each request.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Parser;
use issuer::{CLIENT_ID, Interval, Issuer};

/// A strict authorization server on loopback, to try sign-ins with.
///
/// The first line printed is the URL. Codes are approved at URL/codex/device, and everything else is
/// controlled under URL/_issuer/.
#[derive(Parser)]
#[command(name = "issuer", version)]
struct Arguments {
    /// Listen on this port of 127.0.0.1; 0 means any free port
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Approve every code after this many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    auto_approve: Option<Duration>,
    /// Set the lifetime of access tokens
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    access_token_lifetime: Option<Duration>,
    /// Set the lifetime of user codes
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    code_lifetime: Option<Duration>,
    /// Set the interval between polls
    #[arg(long, value_name = "SECS")]
    interval: Option<u64>,
    /// Accept only this client id; an empty one accepts any
    #[arg(long, value_name = "ID", default_value = CLIENT_ID)]
    client_id: String,
    /// Revoke all tokens of a sign-in when a refresh token is reused
    #[arg(long)]
    reuse_revokes_family: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("{e}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let issuer = Issuer::builder()
        .port(arguments.port)
        .set(|settings| {
            settings.auto_approve = arguments.auto_approve;
            settings.client_id = Some(arguments.client_id).filter(|id| !id.is_empty());
            settings.reuse_revokes_family = arguments.reuse_revokes_family;
            if let Some(lifetime) = arguments.access_token_lifetime {
                settings.access_token_lifetime = lifetime;
            }
            if let Some(lifetime) = arguments.code_lifetime {
                settings.code_lifetime = lifetime;
            }
            if let Some(interval) = arguments.interval {
                settings.interval = Interval::Text(interval);
            }
        })
        .try_start()?;

    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", issuer.url())?;
    stdout.flush()?;
    let mut seen = 0;
    loop {
        let entries = issuer.wait_for_log(seen, Duration::from_secs(3600));
        seen += entries.len();
        for entry in entries {
            writeln!(stdout, "{entry}")?;
        }
        stdout.flush()?;
    }
}
