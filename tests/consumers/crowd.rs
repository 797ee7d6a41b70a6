//! Five real programs at once, for two minutes, on tokens that live 20 seconds.

use crate::machine::Machine;
use crate::tools::{self, Outcome};
use std::thread;
use std::time::{Duration, Instant};

type Consumer = fn(&Machine) -> Outcome;

const CONSUMERS: [(&str, Consumer); 5] = [
    ("curl", tools::curl),
    ("git", tools::git),
    ("openai-python", tools::openai_python),
    ("codex", tools::codex),
    ("claude-code", tools::claude_code),
];

pub fn five_consumers_while_tokens_expire_every_20_seconds() {
    let machine = Machine::with(|s| s.access_token_lifetime = Duration::from_secs(20));
    machine.sign_in(20);
    let seconds =
        tools::program("CONSUMERS_SECONDS").map_or(120, |s| s.to_str().unwrap().parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let failures: Vec<String> = thread::scope(|scope| {
        let machine = &machine;
        let loops = CONSUMERS.map(|(name, consumer)| {
            scope.spawn(move || {
                let mut runs = 0;
                let mut failures = Vec::new();
                while Instant::now() < end {
                    runs += 1;
                    failures.extend(consumer(machine).err().map(|said| format!("{name}: {said}")));
                }
                println!("{name}: {runs} runs, {} failed", failures.len());
                failures
            })
        });
        loops.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    let counts = machine.issuer.counts();
    println!(
        "in {seconds} s: {} requests to the model, {} refused; {} refresh requests, {} granted",
        counts.responses, counts.responses_refused, counts.refreshes, counts.refreshes_granted
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!((counts.reuses, machine.issuer.resent_after_answer(), counts.user_codes), (0, 0, 0));
    assert_eq!(counts.refreshes, counts.refreshes_granted);
    assert!(counts.refreshes_granted >= seconds / 20, "tokens did expire");
}
