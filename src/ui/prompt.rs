//! The text of the sign-in prompt, its QR code, and its copy on the clipboard.

use crate::clock;
use crate::ui::{SignInWay, time_left};
use crate::verification::Verification;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// Asks a user who wants to sign in this `way` to approve a pending sign-in.
pub(super) fn text(verification: &Verification, way: SignInWay) -> String {
    let reason = verification.reason.as_ref().map(|reason| format!("codex-credential: {reason}\n"));
    let reason = reason.unwrap_or_default();
    let left = time_left(verification.expires_at - clock::now());
    let page = &verification.verification_uri;
    let Some(code) = &verification.user_code else {
        let (place, next) = match way {
            SignInWay::Paste => (
                "a browser on any machine",
                "\nIf the browser cannot load the page after that, copy the address of that page, paste it here\n\
                 and press Enter. It is not shown.\n",
            ),
            _ => ("a browser on this machine", ""),
        };
        return format!(
            "{reason}codex-credential: to sign in, open this page in {place} within {left}:\n\n{page}\n{next}"
        );
    };
    let complete = verification.verification_uri_complete.as_ref();
    let complete =
        complete.map(|url| format!("\nor open this page, which already has the code:\n\n{url}\n"));
    let instead = match way {
        SignInWay::Device => "",
        _ => {
            "\nThis sign-in was started with a code. To sign in another way, first run:\n\
              codex-credential login --cancel\n"
        }
    };
    format!(
        "{reason}codex-credential: to sign in, open this page in a browser on any device:\n\n\
         {page}\n\n\
         and enter this code, valid for {left} (never share it):\n\n\
         {code}\n{}{instead}",
        complete.unwrap_or_default(),
    )
}

/// Makes the terminal copy the code, or else the page, to its clipboard (OSC 52). This works over SSH.
pub(super) fn copying(verification: &Verification) -> String {
    let text = verification.user_code.as_ref().unwrap_or(&verification.verification_uri);
    format!("\x1b]52;c;{}\x07", STANDARD.encode(text))
}

/// Draws a QR code in black on white: scanners do not read inverted codes, and terminals have either background.
pub(super) fn qr(url: &str) -> String {
    let Ok(code) = QrCode::new(url) else { return String::new() };
    let blocks = code.render::<Dense1x2>().build();
    let lines = blocks.lines().map(|line| format!("\x1b[38;5;16;48;5;231m{line}\x1b[0m"));
    lines.collect::<Vec<_>>().join("\n")
}
