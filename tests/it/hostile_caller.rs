//! A caller that means harm, or has lost its mind: no token leaves for a host that its profile does not name, no input
//! fills the memory, and nothing in its environment makes the program do what nobody asked for.

use crate::docker::{NOT_FOUND, docker};
use crate::machine::{Machine, OURS, eventually, files};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Runs `line` with bytes for input, and gives back what it said.
pub fn run(machine: &Machine, line: &str, input: impl AsRef<[u8]>) -> Output {
    machine.command(line).write_stdin(input.as_ref()).output().unwrap()
}

pub fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// As they come in attributes: protocol and host.
const RESEMBLING: [(&str, &str); 24] = [
    ("https", "chatgpt.com."),
    ("https", "chatgpt.com:443"),
    ("https", "chatgpt.com:8443"),
    ("https", "chatgpt.com:"),
    ("https", " chatgpt.com"),
    ("https", "chatgpt.com "),
    ("https", "chatgpt.com\t"),
    ("https", "chatgpt.com/"),
    ("https", "chatgpt.com#"),
    ("https", "chatgpt.com@evil.example"),
    ("https", "evil.example@chatgpt.com"),
    ("https", "chatgpt.com.evil.example"),
    ("https", "evil-chatgpt.com"),
    ("https", "www.chatgpt.com"),
    ("https", "chatgpt.co"),
    ("https", "chаtgpt.com"),
    ("https", "xn--chtgpt-2nf.com"),
    ("https", "chatgpt。com"),
    ("https", "ＣＨＡＴＧＰＴ.com"),
    ("https", "chatgpt%2ecom"),
    ("https", "api.openai.com"),
    ("http", "chatgpt.com"),
    ("HTTPS", "chatgpt.com"),
    ("", "chatgpt.com"),
];

const RESEMBLING_URLS: [&str; 15] = [
    "https://chatgpt.com@evil.example/",
    "https://chatgpt.com:443@evil.example/",
    "https://chatgpt.com%40evil.example/",
    "https://chatgpt.com%2eevil.example/",
    "https://chatgpt.com:443.evil.example/",
    "https://evil.example#@chatgpt.com/",
    "https://evil.example?@chatgpt.com/",
    "https://evil.example/@chatgpt.com/",
    "https://chatgpt.com\\@evil.example/",
    "https://evil.example\\@chatgpt.com/",
    "https://chatgpt.com:443/",
    "https://chatgpt.com./",
    "https:///chatgpt.com/",
    "http://chatgpt.com/",
    "https+x://chatgpt.com/",
];

#[test]
fn no_host_that_resembles_ours_gets_the_token() {
    let attack = attack!(
        Callers,
        "hosts that resemble ours: case, dot, port, space, user, other letters, punycode, a domain below another, `http`"
    );
    let (mut machine, tokens) = Machine::signed_in(3600);
    machine.set("CODEX_CREDENTIAL_GIT_STORAGE", "none");
    let attributes =
        RESEMBLING.map(|(protocol, host)| format!("protocol={protocol}\nhost={host}\n"));
    let urls = RESEMBLING_URLS.map(|url| format!("url={url}\n"));
    for request in attributes.iter().chain(&urls) {
        attack.again();
        for capability in ["", "capability[]=authtype\ncapability[]=state\n"] {
            let output = run(&machine, "get", format!("{request}{capability}"));
            assert!(output.status.success(), "{request}: {output:?}");
            assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{request}: {output:?}");
        }
        // Nor do they remove what is ours, or put a token of their own in its place.
        run(&machine, "erase", request);
        run(&machine, "store", format!("{request}username=ada@example.com\npassword=stolen\n"));
        assert_eq!(machine.auth_json()["tokens"]["access_token"], tokens.access_token, "{request}");
        assert!(!machine.own("rejected").exists(), "{request}");
    }
    // The default port makes no other host of a URL that the program sends to as it is.
    let own_port = "https://chatgpt.com:443/";
    for url in RESEMBLING_URLS.into_iter().filter(|url| *url != own_port) {
        attack.again();
        let request = serde_json::json!({ "uri": url }).to_string();
        let output = run(&machine, "get", request);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{}\n", "{url}");
        let (code, answer) = docker(&machine, "get", url);
        assert_eq!((code, answer.as_str()), (Some(1), NOT_FOUND), "{url}");
    }
    // To Docker, blanks around a server URL, its default port and what follows the host make no difference.
    let spellings =
        ["chatgpt.com", "chatgpt.com:", "chatgpt.com:443", "chatgpt.com/", "chatgpt.com#"];
    for (protocol, host) in RESEMBLING {
        if protocol == "https" && !spellings.contains(&host.trim()) {
            attack.again();
            let (code, answer) = docker(&machine, "get", host);
            assert_eq!((code, answer.as_str()), (Some(1), NOT_FOUND), "{host}");
        }
    }
    let output = run(&machine, "get", "protocol=https\nhost=ChatGPT.com\n");
    assert!(holds(&output.stdout, &tokens.access_token), "names have no case");
}

#[test]
fn no_user_and_no_path_moves_the_token_to_another_host() {
    let attack = attack!(Callers, "users, paths and repeated attributes that move the token");
    let (machine, tokens) = Machine::signed_in(3600);
    for (request, answered) in [
        ("url=https://evil.example%2f@chatgpt.com/\n", false),
        ("url=https://ada%40example.com@chatgpt.com/x\n", true),
        ("protocol=https\nhost=chatgpt.com\npath=../../evil.example\n", true),
        ("protocol=https\nhost=evil.example\nhost=chatgpt.com\n", true),
        ("protocol=https\nhost=chatgpt.com\nhost=evil.example\n", false),
        ("protocol=https\nhost=chatgpt.com\nurl=https://evil.example\n", false),
    ] {
        attack.again();
        let output = run(&machine, "get", request);
        assert_eq!(holds(&output.stdout, &tokens.access_token), answered, "{request}");
        // An answer names the host that it is for.
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("host=chatgpt.com\n"), answered, "{request}: {text}");
    }
}

#[test]
fn a_newline_in_a_url_makes_no_line() {
    let attack = attack!(Callers, "a newline, CR or NUL in a URL, in git's form and in Bazel's");
    let (machine, tokens) = Machine::signed_in(3600);
    for newline in ["%0a", "%0A", "%0d", "%00", "%0d%0a"] {
        for url in [
            format!("https://evil.example{newline}host=chatgpt.com/"),
            format!("https://evil.example/x{newline}host=chatgpt.com"),
            format!("https://a{newline}b@chatgpt.com/"),
            format!("https://a:b{newline}host=chatgpt.com@evil.example/"),
        ] {
            for operation in ["get", "store", "erase"] {
                attack.again();
                let output = run(&machine, operation, format!("url={url}\n"));
                assert_eq!(output.status.code(), Some(2), "{url}");
                assert!(output.stdout.is_empty(), "{url}");
                assert!(!holds(&output.stderr, "evil"), "{url}: an input is not quoted");
            }
            attack.again();
            let request = serde_json::json!({ "uri": url }).to_string();
            assert_eq!(run(&machine, "get", request).status.code(), Some(2), "{url}");
        }
    }
    // A newline that is one to JSON alone.
    let request = "{\"uri\":\"https://evil.example/\\nprotocol=https\\nhost=chatgpt.com\"}";
    let output = run(&machine, "get", request);
    assert!(!holds(&output.stdout, &tokens.access_token));
}

/// `VmHWM`: the most memory that a process had in use so far, in KiB.
fn most_memory(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Writes up to a gigabyte; how much was taken before the other end hung up.
fn pour(mut into: impl Write, chunk: &[u8]) -> usize {
    let mut taken = 0;
    while taken < 1 << 30 && into.write_all(chunk).is_ok() {
        taken += chunk.len();
    }
    taken
}

#[test]
fn a_gigabyte_of_input_is_refused_at_its_first_megabyte_and_kept_nowhere() {
    let attack = attack!(
        Callers,
        "a gigabyte of input, in one line, in many, of any bytes, after the end of a request: less than 2 MB are taken"
    );
    let (machine, tokens) = Machine::signed_in(3600);
    let line = [b"path=".as_slice(), &b"x".repeat(1 << 16)].concat();
    let lines = "future=attribute\n".repeat(4096);
    for operation in ["get", "store", "erase"] {
        for chunk in [
            &line[5..],
            &line,
            lines.as_bytes(),
            b"\0".repeat(1 << 16).as_slice(),
            b"\xff".repeat(1 << 16).as_slice(),
        ] {
            attack.again();
            let mut process = machine.std_command(operation);
            process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut process = process.spawn().unwrap();
            let taken = pour(process.stdin.take().unwrap(), chunk);
            let output = process.wait_with_output().unwrap();
            assert!(taken < 2 << 20, "{operation}: {taken} bytes");
            assert_eq!(output.status.code(), Some(2), "{operation}: {output:?}");
            assert!(output.stdout.is_empty() && output.stderr.len() < 500, "{operation}");
        }
    }
    // After its end nothing of a request is read.
    let mut process = machine.std_command("get");
    process.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = process.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(OURS.as_bytes()).unwrap();
    assert!(pour(stdin, lines.as_bytes()) < 2 << 20);
    assert!(holds(&process.wait_with_output().unwrap().stdout, &tokens.access_token));
    attack.tries(1);
}

#[test]
fn a_request_of_nearly_a_megabyte_takes_no_memory_to_speak_of() {
    let attack = attack!(Callers, "a request of nearly a megabyte: less than 24 MiB in use");
    let (machine, _) = Machine::signed_in(3600);
    let mut process = machine.std_command("get --wait 20s");
    process.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut process = process.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let request = "future=attribute\n".repeat(61_000);
    stdin.write_all(request.as_bytes()).unwrap();
    // It has taken all but what lies in the pipe, and waits for more.
    let most = most_memory(&process);
    assert!(most < 24 << 10, "{most} KiB");
    drop(stdin);
    assert!(process.wait().unwrap().success());
    attack.tries(1);
}

fn shell(machine: &Machine, script: &str) -> Output {
    let line = machine.std_command("get --format token");
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", script]).arg(line.get_program()).stdin(Stdio::null());
    shell.envs(line.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.output().unwrap()
}

#[test]
fn closed_streams_end_in_no_panic_and_their_numbers_in_no_file() {
    let attack = attack!(Callers, "streams that are closed or full");
    let (machine, tokens) = Machine::signed_in(-1);
    let good = "get --wait 20s --format token";
    for (redirected, operation, code) in [
        (">&-", good, 0),
        (">&- 2>&-", good, 0),
        ("<&- >&- 2>&-", good, 0),
        ("2>&-", "get --bogus", 2),
        ("2>&-", "get --wait soon", 2),
        (">&- 2>&-", "status", 0),
        (">&- 2>&-", "erase --yes", 0),
        (">&- 2>&-", "get --interactive never", 3),
        ("2>/dev/full", "get --interactive never", 3),
        (">/dev/full", "capability", 1),
    ] {
        attack.again();
        let output = shell(&machine, &format!("\"$0\" {operation} {redirected}"));
        assert_eq!(output.status.code(), Some(code), "{operation} {redirected}: {output:?}");
    }
    let spilled = files(machine.codex_home()).into_iter().filter(|file| {
        let text = fs::read(file).unwrap();
        holds(&text, "codex-credential: ") || holds(&text, "Bearer")
    });
    assert_eq!(spilled.count(), 0);
    assert_eq!(machine.issuer.times_sent(&tokens.refresh_token), 1);
}

/// The other end of a pipe is gone.
#[test]
fn a_reader_that_hangs_up_is_an_error_and_not_the_end_of_the_login() {
    let attack = attack!(Callers, "pipes that nobody reads (SIGPIPE)");
    let (machine, tokens) = Machine::signed_in(3600);
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for (line, code) in [("get", 1), ("capability", 1), ("status", 1), ("get --bogus", 2)] {
        attack.again();
        let status = machine.std_command(line).stdout(gone()).stderr(gone()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{line}: neither a signal nor a panic");
    }
    let output = machine.std_command("get").stdout(gone()).output().unwrap();
    assert!(holds(&output.stderr, "standard output"), "{output:?}");
    assert_eq!(machine.token(), tokens.access_token);
    // Where the person is asked on a standard error that is gone, the sign-in goes on.
    let machine = Machine::new();
    let mut caller = machine.std_command("login --wait 60s");
    let mut caller = caller.stdout(gone()).stderr(gone()).spawn().unwrap();
    machine.approve_next();
    assert!(caller.wait().unwrap().success());
    assert!(machine.path("auth.json").exists());
    attack.tries(2);
}

#[test]
fn without_a_home_or_a_temporary_folder_ours_is_answered_all_the_same() {
    let attack = attack!(Callers, "no home, no temporary folder");
    let (machine, _) = Machine::signed_in(-1);
    let state = machine.path("state");
    for (name, value) in [
        ("HOME", ""),
        ("HOME", "/nonexistent"),
        ("HOME", "relative"),
        ("TMPDIR", "/nonexistent"),
        ("TMPDIR", ""),
    ] {
        attack.again();
        machine.sign_in(-1);
        let mut command = machine.command("get --format token --wait 20s");
        command.env(name, value).env("XDG_STATE_HOME", &state).assert().success();
        let given = "protocol=https\nhost=kept.example\nusername=u\npassword=p\n\n";
        let mut store = machine.command("store");
        store.env(name, value).write_stdin(given).assert().success();
        let mut get = machine.command("get");
        let output =
            get.env(name, value).write_stdin("protocol=https\nhost=kept.example\n\n").assert();
        output.success().stdout("username=u\npassword=p\n");
    }
    // Neither leaves a file where it was called from.
    assert!(!std::path::Path::new("relative").exists());
}

#[test]
fn a_umask_of_zero_opens_nothing() {
    let attack =
        attack!(Callers, "a umask of 0: files and folders of a sign-in, a renewal and a store");
    let machine = Machine::new();
    let umask = |line: &str| {
        let output = shell(&machine, &format!("umask 0; \"$0\" {line}"));
        assert!(output.status.success(), "{line}: {output:?}");
    };
    fs::set_permissions(machine.codex_home(), Permissions::from_mode(0o755)).unwrap();
    let caller = std::thread::scope(|scope| {
        let caller = scope.spawn(|| umask("get --wait 60s --format token"));
        machine.approve_next();
        caller.join()
    });
    caller.unwrap();
    machine.sign_in(-1);
    umask("get --wait 20s --format token");
    umask("store <<END\nprotocol=https\nhost=kept.example\nusername=u\npassword=p\nEND\n");
    let written = files(machine.codex_home());
    assert!(written.iter().any(|file| file.ends_with("auth.json")));
    assert!(written.len() > 3, "{written:?}");
    for file in written {
        attack.again();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let folder = file.parent().unwrap();
        if folder != machine.codex_home() {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }
}

/// What other programs of the kind run.
const PROGRAMS: [&str; 22] = [
    "git",
    "codex",
    "codex-credential",
    "xdg-open",
    "open",
    "sensible-browser",
    "x-www-browser",
    "firefox",
    "gio",
    "curl",
    "wget",
    "sh",
    "env",
    "ssh",
    "gpg",
    "pass",
    "secret-tool",
    "dbus-launch",
    "systemctl",
    "launchctl",
    "uname",
    "hostname",
];

#[test]
fn no_program_on_the_path_is_run_unless_it_is_asked_for() {
    let attack = attack!(Callers, "commands with 22 false programs in front on the PATH");
    let mut machine = Machine::new();
    let (folder, log) = (machine.path("fake"), machine.path("ran"));
    fs::create_dir(&folder).unwrap();
    for name in PROGRAMS {
        let script = format!("#!/bin/sh\necho {name} >>{}\nexit 1\n", log.display());
        let path = folder.join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    machine.set("PATH", folder.to_str().unwrap());
    machine.set("BROWSER", "firefox");
    machine.set("DISPLAY", ":0");
    let caller = machine.start("login --wait 60s");
    machine.approve_next();
    assert!(caller.wait_with_output().unwrap().status.success());
    let token = machine.token();
    let refused = format!("protocol=https\nhost=chatgpt.com\npassword={token}\n\n");
    run(&machine, "erase", &refused);
    assert_ne!(machine.token(), token);
    let kept = "protocol=https\nhost=kept.example\nusername=u\npassword=p\n\n";
    for (line, input) in [
        ("store", kept),
        ("get", kept),
        ("erase", kept),
        ("capability", ""),
        ("status", ""),
        ("status --json", ""),
        ("renew", ""),
        ("profile list", ""),
        ("configure codex --print", ""),
        ("get --interactive always --format json", ""),
        ("logout", ""),
    ] {
        attack.again();
        run(&machine, line, input);
    }
    assert!(!log.exists(), "{}", fs::read_to_string(&log).unwrap_or_default());
    // What a person asks for is run.
    let caller = machine.start("login --open --wait 60s");
    machine.approve_next();
    assert!(caller.wait_with_output().unwrap().status.success());
    eventually(|| log.exists());
    attack.tries(3);
}

/// A caller that never ends its request, byte by byte.
#[test]
fn a_request_that_drips_is_waited_for_as_long_as_was_said() {
    let attack = attack!(Callers, "a request that drips");
    let (machine, _) = Machine::signed_in(3600);
    let mut process = machine.std_command("get --wait 600ms");
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    while stdin.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    attack.tries(1);
}
