use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    account::Account,
    answer::Answer,
    device::Decision,
    faults::{Endpoint, Fault},
    request::Request,
    state::{Shared, State},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    user_code: String,
    account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    account: Option<String>,
    lifetime: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutFault {
    endpoint: Endpoint,
    fault: Fault,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// Answers a request under `/_issuer/`, which gives shells the functions of the handle. It is neither counted nor logged.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Option<Answer> {
    let name = request.path.strip_prefix("/_issuer/")?;
    let route = format!("{} {name}", request.method);
    let answer = shared.change(|state| control(state, &route, &request.body));
    Some(match answer {
        Ok(Some(body)) => Answer::json(200, &body, ""),
        Ok(None) => Answer::not_found(),
        Err(problem) => Answer::invalid_request(&problem),
    })
}

fn control(state: &mut State, route: &str, body: &[u8]) -> Result<Option<Value>, String> {
    Ok(Some(match route {
        "GET counts" => json!(state.counts),
        "GET log" => json!(state.log),
        "GET accounts" => json!(state.accounts),
        "GET settings" => json!(state.settings),
        "GET resent_after_answer" => json!(state.tokens.resent_after_answer()),
        "GET user_codes" => {
            let pending = state.devices.iter().filter(|device| device.is_pending());
            pending.map(|device| device.user_code.as_str()).collect()
        }
        "POST approve" => {
            let Decide { user_code, account } = read(body)?;
            let account = find_account(state, account)?;
            decide(state, &user_code, Decision::Approved(account))?
        }
        "POST deny" => {
            let Decide { user_code, .. } = read(body)?;
            decide(state, &user_code, Decision::Denied)?
        }
        "POST settings" => {
            state.settings = state.settings.merged(&read(body)?)?;
            json!(state.settings)
        }
        "POST fault" => {
            let put: PutFault = read(body)?;
            state.faults.put(put.endpoint, put.fault, put.times);
            json!({})
        }
        "POST clear_faults" => {
            state.faults.clear();
            json!({})
        }
        "POST grant" => {
            let Grant { account, lifetime } = read(body)?;
            let account = find_account(state, account)?;
            json!(state.grant(&account, lifetime))
        }
        _ => return Ok(None),
    }))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

fn decide(state: &mut State, user_code: &str, decision: Decision) -> Result<Value, String> {
    match state.devices.decide(user_code, decision) {
        true => Ok(json!({})),
        false => Err(format!("{user_code} is not a pending user code")),
    }
}

/// Finds an account by id or e-mail address. The first account is the default.
fn find_account(state: &State, named: Option<String>) -> Result<Account, String> {
    let Some(named) = named else {
        return Ok(state.accounts[0].clone());
    };
    let mut accounts = state.accounts.iter();
    accounts
        .find(|account| account.account_id == named || account.email == named)
        .cloned()
        .ok_or_else(|| format!("{named} is not an account here"))
}
