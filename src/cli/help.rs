//! The grouped list of commands in the main help, and the examples that help texts end with.

use clap::Command;
use clap::builder::Styles;
use std::fmt::Write;

/// The commands of the main help, by group.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Sign in", &["login", "status", "switch", "logout", "doctor"]),
    ("Use a token", &["token", "exec", "export"]),
    ("Git protocol", &["get", "store", "erase", "capability"]),
    ("Tools", &["configure", "unconfigure", "completions"]),
    ("Advanced", &["renew", "move", "import", "audit", "profile", "fleet"]),
];

pub const MAIN: &str = "\
Examples:
  codex-credential login
  codex-credential exec -- ./script-that-needs-a-token
  codex-credential configure git

See `codex-credential COMMAND --help`, and docs/protocol.md for the reference.";

pub const LOGIN: &str = "\
Examples:
  codex-credential login
  codex-credential login --qr
  codex-credential login --browser
  codex-credential login --profile company --wait 5m

See docs/protocol.md for the events of --json and the exit codes.";

pub const TOKEN: &str = "\
Examples:
  codex-credential token
  codex-credential token --min-validity 1h --interactive never

See docs/protocol.md for the exit codes.";

pub const GET: &str = "\
Examples:
  printf 'protocol=https\\nhost=chatgpt.com\\n\\n' | codex-credential get
  codex-credential get --format json </dev/null

See docs/protocol.md for the attributes, the formats and the exit codes.";

pub const EXPORT: &str = "\
Examples:
  codex-credential export --min-validity 3h >auth.json

See helpers/ci for jobs that get the file from a secret store.";

pub const EXEC: &str = "\
Examples:
  codex-credential exec -- ./script-that-needs-a-token
  codex-credential exec --env API_KEY=token --env ACCOUNT=account_id -- ./script

See docs/protocol.md for the exit codes.";

pub const CONFIGURE: &str = "\
Examples:
  codex-credential configure git --print
  codex-credential configure codex
  codex-credential configure docker --profile company

See helpers/ for a page on each tool.";

/// Returns the template of the main help, which lists `commands` by group.
pub fn template(commands: &Command) -> String {
    let styles = Styles::default();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (group, names) in GROUPS {
        write!(text, "\n{header}{group}:{header:#}\n").expect("a String takes all text");
        for name in names {
            let command = commands.find_subcommand(name);
            let about = command.and_then(Command::get_about).cloned().unwrap_or_default();
            writeln!(text, "  {literal}{name:<13}{literal:#}{about}")
                .expect("a String takes all text");
        }
    }
    write!(text, "\n{header}Options:{header:#}\n{{options}}{{after-help}}")
        .expect("a String takes all text");
    text
}
