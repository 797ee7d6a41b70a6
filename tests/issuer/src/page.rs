use crate::{account::Account, answer::Answer, device::Decision, request::Request, state::State};

/// `GET /codex/device`
pub(crate) fn ask_code() -> Answer {
    code_form("", 200, "shown")
}

/// `POST /codex/device`: first the code, then the account and the decision.
pub(crate) fn submit(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let user_code = request.require("user_code")?.to_owned();
    let device = state.devices.by_user_code(&user_code);
    let Some(device) = device.filter(|device| device.is_pending()) else {
        let problem = "<p role=alert><strong>This code is unknown, expired or already used.</strong> \
             Check it against the device, or start again there.</p>";
        return Ok(code_form(problem, 400, "unknown_user_code"));
    };
    match request.get("decision") {
        None => Ok(choice(&device.user_code, &state.accounts)),
        Some("deny") => {
            device.decision = Decision::Denied;
            let text = "<p>The device was not logged in. You can close this page.</p>";
            Ok(page("Login denied", text, 200, "denied"))
        }
        Some("approve") => {
            let chosen = request.require("account")?;
            let mut accounts = state.accounts.iter();
            let account = accounts
                .find(|account| account.account_id == chosen)
                .ok_or_else(|| Answer::invalid_request("unknown account"))?;
            device.decision = Decision::Approved(account.clone());
            let text = format!(
                "<p>The device is logged in as <strong>{}</strong>. You can close this page.</p>",
                escape(&describe(account))
            );
            Ok(page("Login approved", &text, 200, "approved"))
        }
        Some(_) => Err(Answer::invalid_request("the decision must be approve or deny")),
    }
}

fn code_form(problem: &str, status: u16, outcome: &str) -> Answer {
    let form = format!(
        r#"{problem}<p>Enter the code that your device shows. Never enter a code that somebody sent you.</p>
<form method="post" action="/codex/device">
<p><label for="user_code">Code</label>
<input id="user_code" name="user_code" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus></p>
<p><button id="continue">Continue</button></p>
</form>"#
    );
    page("Log in on a device", &form, status, outcome)
}

fn choice(user_code: &str, accounts: &[Account]) -> Answer {
    let text = format!(
        "A device with the code <strong>{}</strong> asks for access. Approve only if you started this yourself.",
        escape(user_code)
    );
    decision("Approve this device?", &text, "/codex/device", ("user_code", user_code), accounts)
}

/// Asks for the account and the decision. `hidden` names the request in the form, and `text` is HTML.
pub(crate) fn decision(
    title: &str,
    text: &str,
    action: &str,
    hidden: (&str, &str),
    accounts: &[Account],
) -> Answer {
    let (name, value) = (hidden.0, escape(hidden.1));
    let radios: String = accounts
        .iter()
        .enumerate()
        .map(|(i, account)| {
            let checked = if i == 0 { " checked" } else { "" };
            let value = escape(&account.account_id);
            let label = escape(&describe(account));
            format!(
                r#"<p><input type="radio" name="account" id="account-{i}" value="{value}"{checked}> <label for="account-{i}">{label}</label></p>
"#
            )
        })
        .collect();
    let form = format!(
        r#"<p>{text}</p>
<form method="post" action="{action}">
<input type="hidden" name="{name}" value="{value}">
<fieldset><legend>Account</legend>
{radios}</fieldset>
<p><button id="approve" name="decision" value="approve">Approve</button>
<button id="deny" name="decision" value="deny">Deny</button></p>
</form>"#
    );
    page(title, &form, 200, "asked")
}

fn describe(account: &Account) -> String {
    format!("{} ({})", account.email, account.plan)
}

fn page(title: &str, content: &str, status: u16, outcome: &str) -> Answer {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1.1rem/1.5 sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}}
input,button{{font:inherit;padding:.4rem .8rem}}#user_code{{letter-spacing:.1em;text-transform:uppercase}}</style>
<h1>{title}</h1>
{content}
</html>
"#
    );
    Answer::new(status, "text/html; charset=utf-8", html, outcome).no_store()
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
