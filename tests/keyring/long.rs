//! Values longer than an item takes, as on Windows. The library itself is asked, in a process that has the bus.

use crate::keyring::Keyring;
use crate::machine::Machine;
use codex_credential::storage::keyring::{Item, KeyringTimeouts};
use std::process::Command;

const ASKED: &str = "KEYRING_LONG_VALUES";

pub fn is_asked_for() -> bool {
    std::env::var_os(ASKED).is_some()
}

pub fn write_and_read() {
    let item = Item::own("long", KeyringTimeouts::default()).with_max_length(100);
    let long = |byte: u8| vec![byte; 1050];
    for value in [long(1), b"short".to_vec(), long(2), long(3), long(3)] {
        item.save(&value).unwrap();
        assert_eq!(*item.load().unwrap().unwrap(), value);
        // As a process would that sees one item alone.
        assert!(
            value.len() <= 100
                || *item.clone().with_max_length(usize::MAX).load().unwrap().unwrap() != value
        );
    }
    assert!(item.remove().unwrap());
    assert!(item.load().unwrap().is_none());
    assert!(!item.remove().unwrap());
}

pub fn values_longer_than_an_item_takes_are_split() {
    let mut machine = Machine::new();
    let keyring = Keyring::unlocked(&mut machine);
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.envs(machine.more_variables()).env(ASKED, "1");
    assert!(itself.status().unwrap().success());
    assert_eq!(keyring.secret("long"), None, "nothing of it is left");
    assert_eq!(keyring.secret("|9"), None);
}
