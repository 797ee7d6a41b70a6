//! What `store` stores, and what it ignores.

use super::{ASKED, Git};

pub fn stored_credential_replaces_only_the_same_path_and_user(git: &Git) {
    git.approve("url=https://ada:1@a.example");
    git.approve("url=https://grace:1@a.example");
    git.approve("url=https://ada:1@a.example/repo.git");
    git.approve("url=https://ada:2@a.example");
    assert_eq!(git.password("url=https://ada@a.example"), "2");
    assert_eq!(git.password("url=https://grace@a.example"), "1");
    assert_eq!(git.password("url=https://ada@a.example/repo.git"), "1");
    git.reject("url=https://ada:2@a.example");
    assert_eq!(git.password("url=https://ada@a.example/repo.git"), "1");
    git.reject("url=https://ada@a.example/repo.git");
    assert_eq!(git.password("url=https://ada@a.example"), ASKED, "no older credential reappears");
}

/// git itself never stores one.
pub fn incomplete_credential_is_not_stored(git: &Git) {
    for half in ["username=ada", "password=p", "authtype=Bearer", "credential=c", "path=x"] {
        let input = format!("capability[]=authtype\nprotocol=https\nhost=a.example\n{half}\n");
        git.machine.command("store").write_stdin(input).assert().success().stderr("");
    }
    for whole in ["username=ada\npassword=p", "protocol=https\nusername=ada\npassword=p"] {
        git.machine.command("store").write_stdin(whole).assert().success().stderr("");
    }
    let request = "capability[]=authtype\nprotocol=https\nhost=a.example\n";
    git.machine.command("get").write_stdin(request).assert().success().stdout("");
}

/// Two fetches at once: the slower one reports success with the old password.
pub fn credential_stored_from_an_old_answer_replaces_nothing(git: &Git) {
    git.approve("url=https://ada:old@a.example");
    let handed_out = git.fill("url=https://a.example\ncapability[]=state");
    git.approve("url=https://ada:new@a.example");
    git.approve(&handed_out);
    assert_eq!(git.password("url=https://a.example"), "new");
    // A password that the user typed is new.
    let typed = String::from_utf8(handed_out).unwrap().replace("password=old", "password=typed");
    git.approve(typed);
    assert_eq!(git.password("url=https://a.example"), "typed");
}

pub fn erased_credential_is_not_stored_again_from_an_old_answer(git: &Git) {
    git.approve("url=https://ada:p@a.example");
    let handed_out = git.fill("url=https://a.example\ncapability[]=state");
    git.reject(&handed_out);
    git.approve(&handed_out);
    assert_eq!(git.password("url=https://a.example"), ASKED);
}
