//! One test file per situation a user can meet; the listing is the specification.

#[allow(dead_code, reason = "each of the two suites uses a part of it")]
mod machine;

#[allow(dead_code, reason = "each of the two suites uses a part of it")]
#[macro_use]
mod attack;

mod gateway;

mod visitor;

mod architecture;
mod audit;
mod back_off;
mod bazel;
mod browser_login;
mod caller_ends;
mod cancelled;
mod certificates;
mod clocks;
mod commands;
mod configuration;
mod configure;
mod configure_cases;
mod configure_docker;
mod configure_mcp;
mod configure_path;
mod configure_profile;
mod configure_quote;
mod configure_tools;
mod configure_undo;
mod device_login;
mod discovery;
mod docker;
mod docs;
mod doctor;
mod doctor_locks;
mod doctor_way;
mod dotenv;
mod erase;
mod errors;
#[macro_use]
mod git;
mod export;
mod fifo;
mod fuzzed;
mod git_basic;
mod git_files;
mod hints;
mod hostile_caller;
mod hostile_server;
mod hosts;
mod id_token_answers;
mod id_tokens;
mod import;
mod interactive;
mod issuers;
mod keepalive;
mod killed;
mod killed_at_random;
mod kinds_of_login;
mod logout;
mod messages;
mod outputs;
mod owners;
mod paste_login;
mod pins;
mod presets;
mod private;
mod process_limit;
mod profiles;
mod protocol;
mod proxies;
mod raw_server;
mod recipes;
mod refusals;
mod renewal;
mod replaced;
mod restored;
mod rules;
mod secrets;
mod server_text;
mod session;
mod sign_in_locks;
mod slow_server;
mod stalled;
mod status;
mod storage;
mod store;
mod switch;
mod terminal;
mod trace;
mod unknown_user;
mod variable_paths;
mod vendors;
mod version;
mod waiting;
mod warm;
