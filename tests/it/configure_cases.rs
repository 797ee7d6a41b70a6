//! The files of other tools, in every form that `configure` has to keep.

/// A tool, its file below the home folder, and texts that the file may have.
pub type Case = (&'static str, &'static str, &'static [&'static str]);

const JSON: &[&str] = &[
    "{}",
    "{ }",
    "{}\n",
    "{\n}\n",
    "{\r\n  \r\n}\r\n",
    "{ // empty\n}\n",
    "{\n  // empty\n}",
    "{ /* , */ }",
    "{\t}\n\n",
    "{\"a\":1}",
    "{ \"a\": 1 }\n\n",
    "{\"a\":1,}",
    "{\n  \"a\": 1,\n  // end\n}\n",
    "{\n  // about a\n  \"a\": 1 /* , */,\n}\n",
    "{\n\t\"a\": [1,\n2],\n\n\t\"b\": {},\n}\n",
    "{\r\n    \"a\": \"ü\",\r\n    \"b\": null\r\n}",
    "{\n  \"a\": 1,\r\n  \"b\": { \"c\": { } }\n}\r\n",
    "{\"a\": {\"b\": {\"c\": [{}, { \"d\": 1 }]}}, \"a\": {}}",
    "/* first */\n{ // same line\n  \"a\" : 1 , // one\n\n  \"b\":2 /* last */ }\n// end",
];

const TOML: &[&str] = &[
    "",
    "\n",
    "model = \"gpt-5\"",
    "# mine\r\nmodel   =   'gpt-5'\r\n\r\n[projects.\"/x\"]\r\ntrust_level = \"trusted\"\r\n",
    "[model_providers.proxy]\nbase_url = \"http://127.0.0.1\"  # here\nenv_key = \"KEY\"\n\n# end",
    "[model_providers]\n\n[model_providers.proxy.auth]\ncommand = \"other\"\n",
    "\u{feff}model = 'x'\r\n",
    "\u{feff}",
    "a = 1\r\nb = 2\nc = 3",
    "# only a comment",
    "# ends with a backslash \\",
    "\ta . b = 1\n\ta.\"c d\" = 2 # dots\n\n",
    "model_providers.x.name = 'y'\n\n\t[ tools ]  # end\n",
    "a = [\n  1, # one\n  2,\n]\n[[b]]\n[[b]]\nc = { d = { e = [{}, { f = 1 }] } }\n",
    "x = \"\"\"\n[model_providers.codex-credential]\nname = 'text'\n\"\"\"\n",
    "[model_providers.x]\nname = 'x'\n[other]\n[model_providers.y.http_headers]\na = 'b'",
    "[model_providers]\nx = { name = 'x', auth = { command = 'y' } }\n# end\n\n",
];

pub const CASES: &[Case] = &[
    (
        "git",
        ".gitconfig",
        &[
            "",
            "\n",
            "[user]\n\tname = Ada",
            "[user]\r\n\tname = Ada\r\n",
            "[user]\r\n\tname = Ada",
            "[user]\n\tname = Ada\r\n[core]\r\n",
            "\u{feff}[user]\n\tname = Ada\n",
            "# mine\n[credential]\n\thelper = store\n\n[credential \"https://example.org\"]\n  helper=x;y\n\n\n",
            "[credential \"https://chatgpt.com\"]\n\tusername = ada@example.com\n# end",
            "[alias]\n\tx = \"a # b\"   ; comment\n\ty = one \\\n  two\n",
            "[user] name = Ada\n[user]\n\temail = a\n[user]",
        ],
    ),
    ("codex", ".codex/config.toml", TOML),
    ("codex", ".codex/codex-credential.config.toml", TOML),
    ("claude-code", ".claude/settings.json", JSON),
    ("pi", ".pi/agent/models.json", JSON),
    (
        "pi",
        ".pi/agent/models.json",
        &[
            "{\"providers\":{}}",
            "{ \"providers\": { } }",
            "{\n  \"providers\": {\n  }\n}\n",
            "{\"providers\": {\"openai\": {}}, \"providers\": { /* last */ }}",
            "{\n  \"providers\": {\n    \"ollama\": { \"apiKey\": \"x\" } // local\n  }\n}\n",
        ],
    ),
    ("docker", ".docker/config.json", JSON),
    (
        "docker",
        ".docker/config.json",
        &[
            "{\n\t\"auths\": {\n\t\t\"example.org\": {\n\t\t\t\"auth\": \"c2VjcmV0\"\n\t\t}\n\t}\n}",
            "{\"credHelpers\":{\"example.org\":\"other\"},\"credsStore\":\"secretservice\"}",
            "{ \"credHelpers\": { \"example.org\": \"other\" } }",
        ],
    ),
    (
        "bazel",
        ".bazelrc",
        &[
            "",
            "build -c opt",
            "# mine\r\nbuild -c opt\r\n",
            "common --credential_helper=*.example.org=/x\n\n",
            "\tbuild --flag='a b' \\\n  --other # end\n\n",
        ],
    ),
];

/// Returns the cases in whose files our entry names the path of the program.
pub fn naming_the_program() -> impl Iterator<Item = &'static Case> {
    let profile = ".codex/codex-credential.config.toml";
    CASES.iter().filter(move |(tool, name, _)| *tool != "docker" && *name != profile)
}
