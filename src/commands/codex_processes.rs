//! Running processes of Codex.

use std::path::Path;

/// Returns the ids of the app-servers of Codex with this `CODEX_HOME`, which keep an access token in memory. Other systems than
/// Linux do not tell.
pub fn app_servers(home: &Path) -> Vec<u32> {
    let read = |pid: u32, file: &str| -> Option<Vec<String>> {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).ok()?;
        Some(bytes.split(|byte| *byte == 0).map(|it| String::from_utf8_lossy(it).into()).collect())
    };
    let is_of_home = |pid: u32| {
        let variables = read(pid, "environ").unwrap_or_default();
        let value = |name: &str| variables.iter().find_map(|it| it.strip_prefix(name));
        let default = || value("HOME=").map(|home| format!("{home}/.codex"));
        value("CODEX_HOME=")
            .map(str::to_owned)
            .or_else(default)
            .is_some_and(|it| home == Path::new(&it))
    };
    let is_app_server = |pid: &u32| {
        let arguments = read(*pid, "cmdline").unwrap_or_default();
        let is_codex = |word: &String| word.rsplit('/').next().is_some_and(|it| it == "codex");
        arguments.iter().take(2).any(is_codex)
            && arguments.iter().any(|word| word == "app-server")
            && is_of_home(*pid)
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_app_server).collect()
}
