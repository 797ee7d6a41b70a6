//! What `erase` removes.

use super::{ASKED, Git};

pub fn erase_with_the_stored_password_removes_the_credential(git: &Git) {
    git.approve("url=https://ada:p@a.example");
    git.reject("url=https://ada:p@a.example");
    assert_eq!(git.password("url=https://ada@a.example"), ASKED);
    git.reject("url=https://ada:p@a.example");
}

pub fn erase_with_another_password_keeps_the_credential(git: &Git) {
    git.approve("url=https://ada:p@a.example");
    git.reject("url=https://ada:other@a.example");
    assert_eq!(git.password("url=https://ada@a.example"), "p");
}

pub fn erase_without_password_removes_every_match(git: &Git) {
    git.approve("url=https://ada:p@a.example");
    git.approve("url=https://grace:p@a.example/repo.git");
    git.approve("url=http://ada:p@a.example");
    git.approve("url=https://ada:p@b.example");
    git.reject("url=https://a.example");
    assert_eq!(git.password("url=https://a.example"), ASKED);
    assert_eq!(git.password("url=https://grace@a.example/repo.git"), ASKED);
    assert_eq!(git.password("url=http://a.example"), "p");
    assert_eq!(git.password("url=https://b.example"), "p");
    for nothing in ["", "\n", "username=ada\n", "protocol=https\n", "host=b.example\n"] {
        git.machine.command("erase").write_stdin(nothing).assert().success().stderr("");
    }
    assert_eq!(git.password("url=https://b.example"), "p");
}

pub fn erase_of_one_user_keeps_the_other(git: &Git) {
    git.approve("url=https://ada:p@a.example");
    git.approve("url=https://grace:q@a.example");
    git.reject("url=https://ada@a.example");
    assert_eq!(git.password("url=https://ada@a.example"), ASKED);
    assert_eq!(git.login("url=https://a.example"), ("grace".into(), "q".into()));
}

pub fn erase_of_one_path_keeps_the_other(git: &Git) {
    git.approve("url=https://ada:p@a.example/one.git");
    git.approve("url=https://ada:q@a.example/two.git");
    git.reject("url=https://ada@a.example/two.git");
    assert_eq!(git.password("url=https://a.example/two.git"), ASKED);
    assert_eq!(git.password("url=https://a.example/one.git"), "p");
}
