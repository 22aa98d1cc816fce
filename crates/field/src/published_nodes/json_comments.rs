//! Blanks `//` and `/* */` comments, so that positions in error messages stay true.

use std::borrow::Cow;

/// The same text with comments replaced by spaces; line breaks stay. A text without comments is not copied.
pub(super) fn blank(text: &str) -> Cow<'_, str> {
    if has_comment(text) { Cow::Owned(blanked(text)) } else { Cow::Borrowed(text) }
}

fn has_comment(text: &str) -> bool {
    let (mut in_string, mut escaped, mut slash) = (false, false, false);
    text.bytes().any(|byte| {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            return false;
        }
        in_string = byte == b'"';
        let begins = slash && matches!(byte, b'/' | b'*');
        slash = byte == b'/';
        begins
    })
}

fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut in_string, mut escaped) = (false, false);
    while let Some(c) = chars.next() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            out.push(c);
            continue;
        }
        match (c, chars.peek()) {
            ('"', _) => {
                in_string = true;
                out.push(c);
            }
            ('/', Some('/')) => {
                out.push(' ');
                while let Some(next) = chars.next_if(|next| *next != '\n') {
                    out.push(if next == '\r' { '\r' } else { ' ' });
                }
            }
            ('/', Some('*')) => {
                chars.next();
                out.push_str("  ");
                let mut star = false;
                for next in chars.by_ref() {
                    out.push(if next == '\n' { '\n' } else { ' ' });
                    if star && next == '/' {
                        break;
                    }
                    star = next == '*';
                }
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_vanish_and_strings_stay() {
        assert_eq!(blank("a // b\n\"// \\\" /*\" /* x\n* */ c"), "a     \n\"// \\\" /*\"     \n     c");
        assert_eq!(blank("/* open"), "       ");
        let plain = r#"{ "url": "opc.tcp://a/*\"//", "b": [1, 2] }"#;
        assert!(matches!(blank(plain), Cow::Borrowed(same) if same == plain));
    }
}
