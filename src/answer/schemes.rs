//! The authentication schemes that a server named in `WWW-Authenticate` (RFC 9110 §11.6.1), as git passes them on.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schemes {
    has_any: bool,
    has_bearer: bool,
}

impl Schemes {
    /// Adds the schemes of one header. An empty value resets the list.
    pub fn add(&mut self, header: &[u8]) {
        if header.is_empty() {
            *self = Self::default();
            return;
        }
        self.has_any = true;
        self.has_bearer |= header.split(|&byte| byte == b',').any(|challenge| {
            let words = challenge.trim_ascii_start().split(u8::is_ascii_whitespace);
            words.into_iter().next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
        });
    }

    /// Whether the server takes no Bearer token. A server that named nothing may take it.
    pub fn exclude_bearer(self) -> bool {
        self.has_any && !self.has_bearer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemes_without_bearer_exclude_it() {
        for (headers, excludes) in [
            (&[][..], false),
            (&["Basic realm=\"GitHub\""], true),
            (&["basic"], true),
            (&["Negotiate", "Basic realm=\"a\""], true),
            (&["Bearer realm=\"a\""], false),
            (&["Basic realm=\"a\"", "bearer"], false),
            (&["BEARER", "Basic realm=\"a\""], false),
            (&["Basic realm=\"a\", Bearer authorization_uri=\"https://b.example\""], false),
            (&["Basic realm=\"Bearer\""], true),
            (&["Bearerish"], true),
            (&["Basic", ""], false),
            (&["Bearer", "", "Basic"], true),
        ] {
            let mut schemes = Schemes::default();
            for header in headers {
                schemes.add(header.as_bytes());
            }
            assert_eq!(schemes.exclude_bearer(), excludes, "{headers:?}");
        }
    }
}
