//! Text of servers and of other hosts, made safe to show: nothing in it moves the cursor, reverses the direction of what
//! follows, or is invisible.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Whether `c` is a control character, or a format character that is invisible or changes how its neighbours are shown.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{70f}'
            // Fillers and separators that look like nothing or like a blank.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            // Zero-width characters, line separators, and embeddings, overrides and isolates (Unicode UAX #9).
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns `text` with hidden characters in the form `\u{202e}`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// For serde: makes a text visible.
pub fn made_visible<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| visible(&text))
}

/// For serde: rejects a text with hidden characters.
pub fn without_hidden<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    match text {
        Some(text) if text.contains(is_hidden) => Err(D::Error::custom("hidden characters")),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bidirectional_and_invisible_characters_become_visible() {
        let hidden =
            ['\0', '\u{1b}', '\n', '\r', '\u{7f}', '\u{85}', '\u{9b}', '\u{ad}', '\u{61c}']
                .into_iter()
                .chain('\u{200b}'..='\u{200f}')
                .chain('\u{2028}'..='\u{202e}')
                .chain('\u{2060}'..='\u{2069}')
                .chain(['\u{feff}', '\u{180e}', '\u{3164}', '\u{fe0f}', '\u{e0001}', '\u{e0061}']);
        for c in hidden {
            let shown = visible(&format!("a{c}b"));
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(c)));
            assert_eq!(visible(&shown), shown);
        }
        for text in ["", "plain text: \"x\" \\ 'y'", "Grüße, 日本語, Ελλάδα, עברית, हिन्दी, José"]
        {
            assert_eq!(visible(text), text);
        }
    }
}
