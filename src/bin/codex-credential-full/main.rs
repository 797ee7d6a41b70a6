//! The full program: arguments, environment and standard streams come in, an exit code goes out; nothing else has
//! process state.

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use codex_credential::cli::{self, Cli, MIN_VALIDITY, Operation, PROGRAMS_PATIENCE, Whose};
use codex_credential::clock::{self, Deadline};
use codex_credential::error::{Error, Kind, Result};
use codex_credential::helper;
use codex_credential::helper::audit::{self, Action};
use codex_credential::helper::credential::Credential;
use codex_credential::helper::foreign::Foreign;
use codex_credential::helper::get::Found;
use codex_credential::helper::join::Caller;
use codex_credential::helper::meant::{Meant, meant};
use codex_credential::helper::renew::{Goal, Order};
use codex_credential::login::Login;
use codex_credential::people::configure::{self, Options, Recipe, Tool, keepalive::Keepalive};
use codex_credential::people::doctor;
use codex_credential::people::exec::Variable;
use codex_credential::people::{self, import, logout::Removal, profiles, status::Status, trial};
use codex_credential::profile::{self, Asked, Profile};
use codex_credential::secrecy;
use codex_credential::stdin::PatientStdin;
use codex_credential::storage::keyring::Patience;
use codex_credential::trace;
use codex_credential::ui::screen::{Extras, Screen};
use codex_credential::ui::{self, Interactive};
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where a person is asked: as long as a device code lives.
const PERSONS_PATIENCE: Duration = Duration::from_secs(15 * 60);
/// `renew` by hand sees its renewal end: whoever started it, such as a timer, may end what is left behind.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(2 * 60);
/// `logout` and `move` let a renewal that is under way finish.
const LOGOUT_PATIENCE: Duration = Duration::from_secs(30);

/// musl's own asks the kernel for each block of a middling size, and gives it back: a hundred system calls before a caller
/// waits for its turn.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    secrecy::keep();
    let cli = Cli::parse();
    let error_format = cli.error_format;
    trace(cli.verbose);
    match run(cli.operation, &cli.whose) {
        Ok(code) => code,
        Err(error) => {
            error_format.show(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn run(operation: Operation, whose: &Whose) -> Result<ExitCode> {
    let done = match operation {
        Operation::Get(options) => get(whose, &options),
        Operation::Store(wait) => {
            let deadline = Deadline::after(wait.wait.unwrap_or(PROGRAMS_PATIENCE));
            let given = request(deadline)?;
            let profile = profile_for(whose, wait.wait, &given)?;
            helper::store::store(&profile, &foreign(&profile, wait.wait), &given, &deadline)
        }
        Operation::Erase(options) => erase(whose, &options),
        Operation::Capability => print("version 0\ncapability authtype\ncapability state\n"),
        Operation::Login(options) => login(whose, &options),
        Operation::Exec(options) => return exec(whose, &options),
        Operation::Status(options) => return status(whose, &options),
        Operation::Audit(options) => {
            people::audit::audit(options.since, options.json).and_then(|text| print(&text))
        }
        Operation::Doctor(options) => return doctor(whose, &options),
        Operation::Logout(wait) => {
            let removal = Removal { revoke: true, ask: false };
            let deadline = Deadline::after(wait.wait.unwrap_or(LOGOUT_PATIENCE));
            people::logout::remove(&profile(whose, wait.wait)?, removal, &deadline)
        }
        Operation::Move(options) => {
            let deadline = Deadline::after(options.wait.wait.unwrap_or(LOGOUT_PATIENCE));
            let profile = profile(whose, options.wait.wait)?;
            people::relocate::relocate(&profile, options.to, &deadline)
        }
        Operation::Export(options) => export(whose, &options),
        Operation::Import(options) => import(whose, options),
        Operation::Fleet(cli::Fleet::Status(options)) => fleet_status(whose, &options),
        Operation::Profile(command) => return profiles(whose, command),
        Operation::Renew(options) => renew(whose, &options),
        Operation::Configure(options) => configure(whose, options),
        Operation::Unconfigure(options) => unconfigure(whose, options),
        Operation::Completions(options) => completions(options.shell),
        Operation::Other(words) => unknown(&words),
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[expect(clippy::disallowed_methods, reason = "the environment comes in here")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A trace that cannot be written keeps nobody from an answer.
fn trace(verbose: bool) {
    let file = variable("CODEX_CREDENTIAL_TRACE").filter(|file| !file.is_empty());
    if (verbose || file.is_some())
        && let Err(error) = trace::start(verbose, file.as_ref().map(Path::new))
    {
        let file = file.unwrap_or_default();
        ui::say(&format!("cannot write the trace {}: {error}", file.display()));
    }
}

/// A keyring is not waited for longer than the caller waits for us.
fn patience(wait: Option<Duration>) -> Patience {
    wait.map_or_else(Patience::default, Patience::of)
}

fn asked(whose: &Whose, wait: Option<Duration>) -> Asked {
    Asked {
        profile: whose.profile.clone(),
        config: whose.config.clone(),
        account: whose.account.clone(),
        host: None,
        patience: patience(wait),
    }
}

fn profile(whose: &Whose, wait: Option<Duration>) -> Result<Profile> {
    Profile::of(variable, asked(whose, wait))
}

/// Where the credentials of other hosts are kept.
fn foreign(profile: &Profile, wait: Option<Duration>) -> Foreign {
    Foreign { storage: profile.git, patience: patience(wait) }
}

/// The profile for a request, which may name a host, and a user of ours.
fn profile_for(whose: &Whose, wait: Option<Duration>, request: &Credential) -> Result<Profile> {
    let host = request.host.clone();
    let profile = Profile::of(variable, Asked { host, ..asked(whose, wait) })?;
    match &request.username {
        Some(name) if meant(&profile, request) == Meant::Token => {
            profile.of_user(&String::from_utf8_lossy(name))
        }
        _ => Ok(profile),
    }
}

/// `deadline` is for a program that named no time.
fn caller(
    wait: &cli::Wait,
    deadline: Deadline,
    interactive: Interactive,
    screen: Screen,
) -> Caller {
    let is_persons = wait.wait.is_none() && screen.asks();
    Caller {
        deadline: if is_persons { Deadline::after(PERSONS_PATIENCE) } else { deadline },
        wait_is_explicit: wait.wait.is_some(),
        may_sign_in: interactive != Interactive::Never,
        screen,
    }
}

/// Standard input, for as long as a caller waits; `None` where a person sits at it.
fn input(deadline: Deadline) -> Option<impl BufRead> {
    let stdin = PatientStdin::new(deadline);
    (!io::stdin().is_terminal()).then(|| BufReader::new(stdin))
}

fn request(deadline: Deadline) -> Result<Credential> {
    input(deadline).map_or(Ok(Credential::default()), Credential::read)
}

/// What `exec` and `export` have in common: nothing is read from standard input.
fn wanted_login(whose: &Whose, options: &cli::Wanted) -> Result<Login> {
    let nothing = |_| Ok(Credential::default());
    match wanted(whose, options, nothing)? {
        (_, Found::Login(login)) => Ok(login),
        _ => unreachable!("the default profile answers a request that names nothing"),
    }
}

/// What `get` and those have in common.
fn wanted(
    whose: &Whose,
    wanted: &cli::Wanted,
    asked: impl FnOnce(Deadline) -> Result<Credential>,
) -> Result<(Credential, Found)> {
    let patience = wanted.remaining.or(wanted.wait.wait).unwrap_or(PROGRAMS_PATIENCE);
    let deadline = Deadline::after(patience);
    let asked = asked(deadline)?;
    let profile = profile_for(whose, wanted.wait.wait, &asked)?;
    let interactive = match wanted.interactive {
        Some(interactive) => interactive,
        None => Interactive::of(variable, profile.interactive)?,
    };
    let screen = Screen::new(interactive, extras(&wanted.extras));
    let mut caller = caller(&wanted.wait, deadline, interactive, screen);
    if let Some(token) = &wanted.rejected_sha256
        && let Some((stored, _)) = helper::get::stored(&profile)?
    {
        helper::erase::refuse(&profile, &stored, token)?;
    }
    let min_validity = clock::seconds(wanted.min_validity.unwrap_or(MIN_VALIDITY));
    let foreign = foreign(&profile, wanted.wait.wait);
    let found = helper::get::get(&profile, &foreign, &asked, min_validity, &mut caller)?;
    if let Found::Login(login) = &found {
        audit::note(&profile, Action::HandOut, Some(login), None);
    }
    Ok((asked, found))
}

fn extras(extras: &cli::Extras) -> Extras {
    Extras { qr: extras.qr, open: extras.open }
}

fn get(whose: &Whose, options: &cli::Get) -> Result<()> {
    let format = options.format;
    let read =
        |deadline| input(deadline).map_or(Ok(Credential::default()), |input| format.read(input));
    let (asked, found) = wanted(whose, &options.wanted, read)?;
    if let Some(what) = found.in_words()
        && io::stdout().is_terminal()
        && !options.show
    {
        ui::say(&format!("there is {what}; add --show to print it on this terminal"));
        return Ok(());
    }
    // Whole or not at all.
    let mut answer = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let written = match &found {
        Found::Login(login) => {
            let exec_info = variable("KUBERNETES_EXEC_INFO");
            let exec_info = exec_info.as_deref().and_then(OsStr::to_str);
            format.write(&mut *answer, &asked, login, exec_info)
        }
        Found::Foreign(credential) => format.write_foreign(&mut *answer, credential),
        Found::Nothing => format.write_nothing(&mut *answer),
    };
    written.and_then(|()| io::stdout().write_all(&answer)).map_err(|error| cannot_write(&error))
}

/// The command gets standard input; nothing is read from it here.
fn exec(whose: &Whose, options: &cli::Exec) -> Result<ExitCode> {
    let login = wanted_login(whose, &options.wanted)?;
    let default = [Variable::default()];
    let variables = if options.env.is_empty() { &default[..] } else { &options.env };
    people::exec::exec(&login, variables, &options.command)
}

fn login(whose: &Whose, options: &cli::Login) -> Result<()> {
    let profile = profile(whose, options.wait.wait)?;
    if options.cancel {
        return people::login::cancel(&profile);
    }
    let interactive = Interactive::Always;
    let screen = if options.json {
        Screen::events()
    } else {
        Screen::new(interactive, extras(&options.extras))
    };
    let deadline = Deadline::after(options.wait.wait.unwrap_or(PROGRAMS_PATIENCE));
    let mut caller = caller(&options.wait, deadline, interactive, screen);
    people::login::login(&profile, &mut caller).map(drop)
}

fn erase(whose: &Whose, options: &cli::Erase) -> Result<()> {
    let by_hand = io::stdin().is_terminal() && !options.yes;
    let patience = if by_hand { PERSONS_PATIENCE } else { PROGRAMS_PATIENCE };
    let deadline = Deadline::after(options.wait.wait.unwrap_or(patience));
    let named = request(deadline)?;
    let profile = profile_for(whose, options.wait.wait, &named)?;
    if !named.names_something() && (by_hand || options.yes) {
        let removal = Removal { revoke: options.revoke, ask: by_hand };
        return people::logout::remove(&profile, removal, &deadline);
    }
    let foreign = foreign(&profile, options.wait.wait);
    helper::erase::erase(&profile, &foreign, &named, &deadline).map(drop)
}

/// Exits 0 when signed in, 3 when not; 1 when it cannot be told.
fn status(whose: &Whose, options: &cli::Status) -> Result<ExitCode> {
    let status = Status::of(&profile(whose, None)?)?;
    let text = if options.json { format!("{}\n", status.json()) } else { status.text() };
    print(&text)?;
    if status.is_signed_in() {
        return Ok(ExitCode::SUCCESS);
    }
    if !options.json && !status.is_pending() {
        ui::line("hint: to sign in, run: codex-credential login");
    }
    Ok(ExitCode::from(3))
}

/// Exits 1 when something failed.
fn doctor(whose: &Whose, options: &cli::Doctor) -> Result<ExitCode> {
    if let Some(path) = &options.try_lock {
        return doctor::locks::try_lock(path).map(ExitCode::from);
    }
    let (text, code) =
        doctor::Report::of(profile(whose, None), &variable).report(options.json, options.show);
    print(&text)?;
    Ok(ExitCode::from(code))
}

fn export(whose: &Whose, options: &cli::Export) -> Result<()> {
    let login = wanted_login(whose, &options.wanted)?;
    if io::stdout().is_terminal() && !options.show {
        ui::say("there is a token; add --show to print it on this terminal");
        return Ok(());
    }
    let bundle = people::export::bundle(&login, options.format)?;
    io::stdout().write_all(&bundle).map_err(|error| cannot_write(&error))
}

fn import(whose: &Whose, options: cli::Import) -> Result<()> {
    let profile = profile(whose, options.wait.wait)?;
    let copy = match options.remove {
        true => import::Copy::Remove,
        false if io::stdin().is_terminal() => import::Copy::Ask,
        false => import::Copy::Keep,
    };
    let deadline = Deadline::after(options.wait.wait.unwrap_or(LOGOUT_PATIENCE));
    let file = options.file.unwrap_or_else(|| profile.codex_home().join("auth.json"));
    import::import(&profile, &file, copy, &deadline)
}

fn fleet_status(whose: &Whose, options: &cli::Status) -> Result<()> {
    let status = people::fleet::Status::of(&profile(whose, None)?)?;
    print(&if options.json { format!("{}\n", status.json()) } else { status.text() })
}

fn profiles(whose: &Whose, command: cli::Profile) -> Result<ExitCode> {
    // The name beside the command goes before `--profile`.
    let of = |name: Option<String>| {
        let asked = asked(whose, None);
        Profile::of(variable, Asked { profile: name.or_else(|| asked.profile.clone()), ..asked })
    };
    match command {
        cli::Profile::List(options) => {
            let config = profile::config(variable, whose.config.clone())?;
            print(&profiles::list(&config, options.json))?;
        }
        cli::Profile::Show(named) => print(&profiles::show(&of(named.name)?, named.json))?,
        cli::Profile::Add(add) => profile_add(whose, *add)?,
        cli::Profile::Test(named) => {
            let (text, code) = trial::Trial::of(&of(named.name)?).report(named.json);
            print(&text)?;
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn profile_add(whose: &Whose, add: cli::Add) -> Result<()> {
    let (path, _) = profile::config_path(variable, whose.config.clone());
    let path = path.ok_or_else(|| {
        Error::new(Kind::Usage, "there is no home folder for a configuration file")
            .hint("name one with --config")
    })?;
    let entries = [
        ("issuer", Some(add.issuer)),
        ("client_id", Some(add.client_id)),
        ("client_secret_file", add.client_secret_file),
        ("scope", add.scope),
        ("audience", add.audience),
        ("resource", add.resource),
        ("storage", add.storage),
        ("cache", add.cache),
        ("account", whose.account.clone()),
        ("workspace", add.workspace),
        ("interactive", add.interactive),
        ("device_authorization_endpoint", add.device_authorization_endpoint),
        ("token_endpoint", add.token_endpoint),
        ("revocation_endpoint", add.revocation_endpoint),
        ("jwks_uri", add.jwks_uri),
        ("userinfo_endpoint", add.userinfo_endpoint),
    ];
    let entries = entries.into_iter().filter_map(|(key, value)| Some((key, value?)));
    profiles::add(&path, &add.name, entries, &add.hosts)
}

fn renew(whose: &Whose, options: &cli::Renew) -> Result<()> {
    if options.apart {
        return renew_apart(whose, options);
    }
    let screen = Screen::new(Interactive::Never, Extras::default());
    let wait = cli::Wait { wait: options.wait.wait.or(Some(RENEWAL_PATIENCE)) };
    let profile = profile(whose, wait.wait)?;
    let deadline = Deadline::after(options.wait.wait.unwrap_or(RENEWAL_PATIENCE));
    let mut caller = caller(&wait, deadline, Interactive::Never, screen);
    people::renew::renew(&profile, &mut caller)
}

/// The renewing process. Its failure goes to whoever started it, as JSON; nobody else hears it.
fn renew_apart(whose: &Whose, options: &cli::Renew) -> Result<()> {
    let goal = match options.min_validity {
        _ if options.sign_in => Goal::SignIn,
        Some(validity) => Goal::Token { min_validity: clock::seconds(validity) },
        None => Goal::Early,
    };
    let order = Order { goal, may_sign_in: options.may_sign_in };
    if let Some(caller) = options.caller.as_deref().and_then(audit::Caller::of_argument) {
        audit::on_behalf_of(caller);
    }
    let of_order = |name: &str| match &options.codex_home {
        Some(home) if name == "CODEX_HOME" => Some(home.clone().into()),
        _ => variable(name),
    };
    let profile = Profile::of(of_order, asked(whose, Some(RENEWAL_PATIENCE)))?;
    let result = helper::renew::renew(&profile, order);
    if let Err(error) = &result {
        let _ = writeln!(io::stdout(), "{}", serde_json::json!(error));
    }
    result
}

/// What has no file of its own to write to.
enum Other {
    Keepalive,
    Recipe(Recipe),
}

fn tool(tool: cli::Tool) -> Result<Tool, Other> {
    Ok(match tool {
        cli::Tool::Git => Tool::Git,
        cli::Tool::Codex => Tool::Codex,
        cli::Tool::ClaudeCode => Tool::ClaudeCode,
        cli::Tool::Pi => Tool::Pi,
        cli::Tool::Docker => Tool::Docker,
        cli::Tool::Bazel => Tool::Bazel,
        cli::Tool::Keepalive => return Err(Other::Keepalive),
        cli::Tool::Opencode => return Err(Other::Recipe(Recipe::Opencode)),
        cli::Tool::Curl => return Err(Other::Recipe(Recipe::Curl)),
        cli::Tool::OpenaiPython => return Err(Other::Recipe(Recipe::OpenaiPython)),
        cli::Tool::OpenaiJs => return Err(Other::Recipe(Recipe::OpenaiJs)),
        cli::Tool::Kubectl => return Err(Other::Recipe(Recipe::Kubectl)),
    })
}

fn configure(whose: &Whose, options: cli::Configure) -> Result<()> {
    let cli::Configure { what, force, base_url } = options;
    let options = Options { print: what.print, force, name: what.name, base_url };
    match tool(what.tool) {
        Ok(tool) => configure::configure(tool, &options, &profile(whose, None)?, &variable),
        Err(Other::Recipe(recipe)) => print(&recipe.text()?),
        Err(Other::Keepalive) => {
            let profile = profile(whose, None)?;
            let keepalive = Keepalive::new(&profile, &variable)?;
            if options.print { print(&keepalive.preview()) } else { keepalive.install() }
        }
    }
}

fn unconfigure(whose: &Whose, what: cli::Unconfigure) -> Result<()> {
    match tool(what.tool) {
        Ok(tool) => {
            let options = Options { print: what.print, name: what.name, ..Options::default() };
            configure::unconfigure(tool, &options, &variable)
        }
        Err(Other::Recipe(_)) => {
            ui::say("configure only prints a recipe for this; there is nothing to undo");
            Ok(())
        }
        Err(Other::Keepalive) => Keepalive::new(&profile(whose, None)?, &variable)?.remove(),
    }
}

fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "codex-credential", &mut script);
    io::stdout().write_all(&script).map_err(|error| cannot_write(&error))
}

/// git adds operations over time and expects helpers to pass over them in silence; a person who mistypes one
/// expects to be told.
fn unknown(words: &[OsString]) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    Err(Error::new(Kind::Usage, format!("there is no operation {word}"))
        .hint("codex-credential --help lists them"))
}

fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| cannot_write(&error))
}

fn cannot_write(error: &io::Error) -> Error {
    Error::new(Kind::Storage, format!("cannot write to standard output: {error}"))
}
