//! Long values and values of any bytes.

use super::Git;

pub fn long_credential_round_trips(git: &Git) {
    // The longest line that git's protocol allows, and a path and user name that are long as well.
    let password = "p".repeat(65_535 - "password=".len());
    let long = "x".repeat(20_000);
    let request = format!("protocol=https\nhost=a.example\npath={long}\nusername={long}");
    let given = format!("{request}\npassword={password}\noauth_refresh_token={long}");
    git.approve(&given);
    git.approve("url=https://ada:short@a.example");
    assert_eq!(git.fill(&request), format!("{given}\n").into_bytes());
    git.reject(&given);
    assert_eq!(git.password("url=https://a.example"), "short");
}

pub fn credential_of_any_bytes_round_trips(git: &Git) {
    let values: [&[u8]; 7] = [
        b"a=b=c",
        b" \t\"\\'$(x)%41",
        "p\u{e4}ss\u{1f511}".as_bytes(),
        b"\x01\x7f\xff\xfe",
        b"base64:AAAA",
        b"base64:",
        b"{\"null\":null}",
    ];
    for value in values {
        let request = [b"protocol=https\nhost=a.example\nusername=u", value, b"\npath=", value];
        let given = [&request.concat()[..], b"\npassword=", value].concat();
        git.approve(&given);
        let answer = git.fill(request.concat());
        let has = |line: &[u8]| answer.split(|&byte| byte == b'\n').any(|found| found == line);
        assert!(has(&[b"password=", value].concat()), "{}", String::from_utf8_lossy(&answer));
        git.reject(&given);
    }
}
