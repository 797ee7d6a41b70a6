//! Values longer than one item can hold, as on Windows. The test calls the library, in a child process with the bus.

use crate::keyring::Keyring;
use crate::machine::Machine;
use codex_credential::storage::keyring::{DEFAULT_TIMEOUT, Item};
use std::process::Command;

const CHILD: &str = "KEYRING_LONG_VALUES";

pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

pub fn write_and_read() {
    let item = Item::own("long", DEFAULT_TIMEOUT).with_max_length(100);
    let long = |byte: u8| vec![byte; 1050];
    for value in [long(1), b"short".to_vec(), long(2), long(3), long(3)] {
        item.save(&value).unwrap();
        assert_eq!(*item.load().unwrap().unwrap(), value);
        // One item alone does not hold a long value.
        assert!(
            value.len() <= 100
                || *item.clone().with_max_length(usize::MAX).load().unwrap().unwrap() != value
        );
    }
    assert!(item.remove().unwrap());
    assert!(item.load().unwrap().is_none());
    assert!(!item.remove().unwrap());
}

pub fn long_values_are_split_into_parts() {
    let mut machine = Machine::new();
    let keyring = Keyring::unlocked(&mut machine);
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.envs(machine.more_variables()).env(CHILD, "1");
    assert!(itself.status().unwrap().success());
    assert_eq!(keyring.secret("long"), None, "all parts are removed");
    assert_eq!(keyring.secret("|9"), None);
}
