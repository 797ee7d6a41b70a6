//! Quoting in the languages that configure writes: each word is read back by a reader of its language.

use codex_credential::configure::program::Program;
use codex_credential::error::Kind;
use codex_credential::quote::{
    bazelrc, crontab, git_config, json, refuse_control_characters, shell, systemd,
    systemd_argument, xml,
};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

const WORDS: [&str; 14] = [
    "/usr/bin/codex-credential",
    "",
    " it's \"odd\" ",
    r"C:\Program Files\x",
    "$HOME ${HOME} $$ $(id) `id`; # & <b> * ? ]]>",
    "ü 100% %h %% {} 日本 \u{1f511}",
    r"\% \\% %\ \n \' \",
    "!x !! !",
    "# comment ; another",
    "~/x",
    "-c",
    "a=b|c&d>e<f(g)h[i]j{k}l,m^n",
    "'",
    "\"",
];

/// Returns the table, and generated words.
fn words() -> Vec<String> {
    let parts: Vec<char> = "ab/'\"$`\\%!#; ()&<>*?{}[]|~=-^üé日\u{301}\u{1f511}".chars().collect();
    let mut random = fastrand::Rng::with_seed(20);
    let mut words: Vec<String> = WORDS.map(str::to_owned).to_vec();
    for _ in 0..400 {
        words.push((0..random.usize(..12)).map(|_| parts[random.usize(..parts.len())]).collect());
    }
    words
}

/// Runs a program that must succeed. Returns its standard output; `None` if the program is not installed.
fn run(command: &mut Command, input: &str) -> Option<Vec<u8>> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: {} is not installed", command.get_program().display());
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

fn split(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8(output.to_vec()).unwrap();
    let mut words: Vec<String> = text.split('\0').map(str::to_owned).collect();
    assert_eq!(words.pop().unwrap(), "");
    words
}

/// Returns the words that a shell reads from the text.
fn read_by(shell: &str, text: &str) -> Option<Vec<String>> {
    let script = format!("set -eu\nprintf '%s\\0' {text}\n");
    run(Command::new(shell).arg("-s"), &script).map(|output| split(&output))
}

fn joined(quote: impl Fn(&str) -> String) -> String {
    words().iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

#[test]
fn shells_read_back_each_word() {
    for name in ["sh", "bash", "dash", "zsh", "ksh", "busybox"] {
        if let Some(read) = read_by(name, &joined(shell)) {
            assert_eq!(read, words(), "{name}");
        }
    }
}

#[test]
fn every_cron_reads_back_each_word() {
    let text = joined(crontab);
    // Crons differ in the meaning of %, \% and \\. This text has none of them.
    assert!(!text.contains('%') && !text.contains(r"\\"), "{text}");
    assert_eq!(read_by("sh", &text).unwrap(), words());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, format!("17 */6 * * * echo {}\n", crontab(&WORDS.concat()))).unwrap();
    run(Command::new("crontab").arg("-n").arg(file.path()), "");
}

#[test]
fn json_and_toml_readers_read_back_each_string() {
    for word in words() {
        let table: toml::Table = format!("x = {}", json(&word)).parse().unwrap();
        assert_eq!(table["x"].as_str(), Some(word.as_str()));
        assert_eq!(serde_json::from_str::<String>(&json(&word)).unwrap(), word);
    }
    let lines = words().iter().map(|word| json(word)).collect::<Vec<_>>().join("\n");
    if let Some(read) = run(Command::new("jq").args(["-j", r#". + "\u0000""#]), &lines) {
        assert_eq!(split(&read), words(), "jq");
    }
    let list = format!("x = [{}]", lines.replace('\n', ", "));
    for script in [
        "import sys\ntry:\n import tomllib\nexcept ImportError:\n sys.exit(0)\n\
         for x in tomllib.load(sys.stdin.buffer)['x']: sys.stdout.buffer.write(x.encode() + b'\\0')",
        // Python reads JSON strings as its own.
        "import sys\nexec(sys.stdin.buffer.read().decode())\n\
         for x in x: sys.stdout.buffer.write(x.encode() + b'\\0')",
    ] {
        let read = run(Command::new("python3").args(["-c", script]), &list);
        if let Some(read) = read.filter(|read| !read.is_empty()) {
            assert_eq!(split(&read), words(), "python3");
        }
    }
    let script = format!("let {list}; for (const word of x) process.stdout.write(word + '\\0');");
    if let Some(read) = run(&mut Command::new("node"), &script) {
        assert_eq!(split(&read), words(), "node");
    }
}

#[test]
fn git_reads_back_each_value() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<String> = words().iter().map(|w| format!("\tb = {}", git_config(w))).collect();
    fs::write(&file, format!("[a]\n{}\n", lines.join("\n"))).unwrap();
    let mut git = Command::new("git");
    git.args(["config", "--null", "--file"]).arg(file.path()).args(["--get-all", "a.b"]);
    assert_eq!(split(&run(&mut git, "").unwrap()), words());
}

#[test]
fn systemd_manager_reads_back_each_assignment_and_argument() {
    let folder = tempfile::tempdir().unwrap();
    let (config, runtime) = (folder.path().join("config"), folder.path().join("run"));
    let units = config.join("systemd/user");
    fs::create_dir_all(&units).unwrap();
    fs::create_dir(&runtime).unwrap();
    let words = words();
    let assignments = words
        .iter()
        .enumerate()
        .map(|(number, word)| format!("Environment={}\n", systemd(&format!("V{number}={word}"))));
    let commands = words.chunks(50).map(|words| {
        let arguments: Vec<String> =
            words.iter().map(|word| systemd_argument(&format!("x{word}"))).collect();
        format!("ExecStart=/bin/echo {}\n", arguments.join(" "))
    });
    let lines: String = assignments.chain(commands).collect();
    let unit = format!("[Service]\nType=oneshot\n{lines}");
    fs::write(units.join("words.service"), unit).unwrap();
    // The manager of a user does not run as root.
    let mut manager = if rustix::process::geteuid().is_root() {
        for path in [folder.path(), &runtime] {
            chown(path, Some(65534), None).unwrap();
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--clear-groups", "/usr/lib/systemd/systemd"]);
        command
    } else {
        Command::new("/usr/lib/systemd/systemd")
    };
    if !Path::new("/usr/lib/systemd/systemd").exists() {
        eprintln!("skipped: systemd is not installed");
        return;
    }
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    manager.args(["--user", "--test", "--unit=words.service", "--log-target=console"]);
    manager.env("XDG_RUNTIME_DIR", &runtime).env("XDG_CONFIG_HOME", &config);
    manager.env("HOME", folder.path()).env_remove("DBUS_SESSION_BUS_ADDRESS");
    let Some(shown) = run(&mut manager, "") else { return };
    let shown = String::from_utf8(shown).unwrap();
    let (_, unit) = shown.split_once("-> Unit words.service:").expect("the unit is shown");
    let unit = unit.split("-> Unit ").next().unwrap();
    let assigned = unit.lines().filter_map(|line| line.trim_start().strip_prefix("Environment: "));
    let assigned: Vec<&str> = assigned.take(words.len()).collect();
    for (number, word) in words.iter().enumerate() {
        assert!(assigned.contains(&format!("V{number}={word}").as_str()), "{word:?}");
    }
    // It shows a command in the quotes of a shell, except for # and ~, before it replaces $$ by $.
    let commands = unit.lines().filter_map(|line| line.trim_start().strip_prefix("Command Line: "));
    let read = commands.flat_map(|command| read_by("sh", command).unwrap().split_off(1));
    let read: Vec<String> = read.map(|word| word.replace("$$", "$")).collect();
    assert_eq!(read.len(), words.len());
    for (read, word) in read.iter().zip(words) {
        assert_eq!(*read, format!("x{word}"));
    }
}

#[test]
fn property_list_reader_reads_back_each_text() {
    let items = joined(|word| format!("<string>{}</string>", xml(word)));
    let list = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><array>{items}</array></plist>"
    );
    let script = "import plistlib, sys\n\
        for x in plistlib.loads(sys.stdin.buffer.read()): sys.stdout.buffer.write(x.encode() + b'\\0')";
    if let Some(read) = run(Command::new("python3").args(["-c", script]), &list) {
        assert_eq!(split(&read), words());
    }
}

/// Splits a line of a `.bazelrc` by the rules of Bazel's own reader: white space outside of quotes ends an option, a backslash
/// anywhere makes the next character plain, and `#` outside of quotes starts a comment.
pub fn bazel_options(line: &str) -> Vec<String> {
    let mut options = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|c| " \t\r\n".contains(*c)).is_some() {}
        let (mut option, mut quote) = (String::new(), '\0');
        while let Some(&c) = rest.peek() {
            if quote == '\0' && " \t\r\n".contains(c) {
                break;
            }
            rest.next();
            if c == '\\' {
                option.extend(rest.next());
            } else if c == quote {
                quote = '\0';
            } else if quote != '\0' {
                option.push(c);
            } else if c == '#' {
                rest.by_ref().for_each(drop);
            } else if c == '\'' || c == '"' {
                quote = c;
            } else {
                option.push(c);
            }
        }
        if !option.is_empty() {
            options.push(option);
        }
        if rest.peek().is_none() {
            return options;
        }
    }
}

#[test]
fn bazels_rules_read_back_each_option() {
    for word in words() {
        let option = format!("--credential_helper=chatgpt.com={word}");
        let line = format!("common --credential_helper=chatgpt.com={}", bazelrc(&word));
        assert_eq!(bazel_options(&line), ["common", &option]);
    }
}

#[test]
fn control_characters_are_refused_in_urls_and_paths() {
    for text in ["a\nb", "a\rb", "a\tb", "\0", "\u{1b}[2J", "\u{7f}", "\u{85}", "\u{ffff}"] {
        let path = Path::new("/opt").join(text).join("codex-credential");
        let refused = [refuse_control_characters(text), Program::at(&path, None).map(drop)];
        for result in refused {
            let error = result.unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(!error.text().contains(text), "{error}");
        }
    }
}
