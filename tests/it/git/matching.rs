//! Which stored credential matches a request.

use super::{ASKED, Git};

pub fn empty_store_answers_nothing(git: &Git) {
    assert_eq!(git.login("url=https://a.example"), (ASKED.into(), ASKED.into()));
    assert_eq!(git.login("url=https://ada@a.example"), ("ada".into(), ASKED.into()));
}

pub fn get_matches_every_attribute_of_the_request(git: &Git) {
    git.approve("url=https://ada:p@a.example:8/repo.git");
    for request in [
        "url=https://a.example:8",
        "url=https://ada@a.example:8",
        "url=https://a.example:8/repo.git",
        "url=https://ada@a.example:8/repo.git/",
    ] {
        assert_eq!(git.login(request), ("ada".into(), "p".into()), "{request}");
    }
    for request in [
        "url=http://a.example:8",
        "url=https://a.example",
        "url=https://a.example:80",
        "url=https://b.example:8",
        "url=https://grace@a.example:8",
        "url=https://Ada@a.example:8",
        "url=https://a.example:8/other.git",
        "url=https://a.example:8/repo.git/below",
        "url=https://a.example:8/Repo.git",
    ] {
        assert_eq!(git.password(request), ASKED, "{request}");
    }
}

pub fn host_names_match_in_any_case(git: &Git) {
    git.approve("url=https://ada:p@A.example");
    assert_eq!(git.password("url=https://a.EXAMPLE"), "p");
    git.reject("url=https://a.example");
    assert_eq!(git.password("url=https://A.example"), ASKED);
}

pub fn request_without_path_prefers_the_credential_of_the_whole_host(git: &Git) {
    git.approve("url=https://ada:whole@a.example");
    git.approve("url=https://ada:part@a.example/repo.git");
    assert_eq!(git.password("url=https://a.example"), "whole");
    assert_eq!(git.password("url=https://a.example/repo.git"), "part");
    // As with git's own helpers, a credential of the whole host does not match a path.
    assert_eq!(git.password("url=https://a.example/other.git"), ASKED);
}

pub fn request_without_username_gets_the_latest_credential(git: &Git) {
    for user in ["ada", "grace", "linus"] {
        git.approve(format!("url=https://{user}:of-{user}@a.example"));
    }
    for user in ["ada", "grace", "linus"] {
        assert_eq!(git.password(format!("url=https://{user}@a.example")), format!("of-{user}"));
    }
    assert_eq!(git.login("url=https://a.example").0, "linus", "the latest");
    git.approve("url=https://ada:new@a.example");
    assert_eq!(git.login("url=https://a.example"), ("ada".into(), "new".into()));
}

pub fn empty_username_is_a_username(git: &Git) {
    git.approve("protocol=https\nhost=a.example\nusername=\npassword=");
    let answer = git.fill("protocol=https\nhost=a.example");
    assert_eq!(answer, b"protocol=https\nhost=a.example\nusername=\npassword=\n");
    assert_eq!(git.password("url=https://ada@a.example"), ASKED);
}

pub fn empty_host_is_a_host(git: &Git) {
    git.approve("protocol=cert\nhost=\npath=a.pem\nusername=\npassword=p");
    assert_eq!(git.password("protocol=cert\nhost=\npath=a.pem\nusername="), "p");
    assert_eq!(git.password("protocol=cert\nhost=\npath=b.pem\nusername="), ASKED);
}

pub fn long_wwwauth_header_selects_no_other_host(git: &Git) {
    git.approve("url=https://ada:p@victim.example");
    for length in [1001, 4073, 60_000] {
        let realm = "a".repeat(length);
        let header = format!("wwwauth[]=basic realm={realm}host=victim.example");
        let request = format!("protocol=https\nhost=bad.example\n{header}");
        assert_eq!(git.password(request), ASKED);
    }
}
