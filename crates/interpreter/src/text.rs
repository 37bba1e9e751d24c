//! Text out of bytes that come in pieces: a character split between two reads stays whole.

use bytes::Bytes;

/// What is left of an incomplete character.
#[derive(Debug, Default)]
pub struct Utf8Tail {
    rest: Vec<u8>,
}

impl Utf8Tail {
    /// The text of what came before and these bytes, but for an incomplete character at the end. Invalid bytes are
    /// replaced by U+FFFD.
    pub fn push(&mut self, bytes: Vec<u8>) -> Bytes {
        let mut bytes =
            if self.rest.is_empty() { bytes } else { [std::mem::take(&mut self.rest), bytes].concat() };
        let cut = bytes.len() - incomplete(&bytes);
        self.rest = bytes.split_off(cut);
        valid(bytes)
    }

    /// What is left at the end, replaced.
    pub fn end(&mut self) -> Bytes {
        valid(std::mem::take(&mut self.rest))
    }
}

fn valid(bytes: Vec<u8>) -> Bytes {
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into(),
    }
}

/// How many bytes at the end begin a character that is not complete.
fn incomplete(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let length = match bytes[bytes.len() - back] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(pieces: &[&[u8]]) -> String {
        let mut tail = Utf8Tail::default();
        let mut text = Vec::new();
        for piece in pieces {
            text.extend_from_slice(&tail.push(piece.to_vec()));
        }
        text.extend_from_slice(&tail.end());
        String::from_utf8(text).unwrap_or_default()
    }

    #[test]
    fn a_character_split_anywhere_stays_whole() {
        let text = "aé€😀z";
        for cut in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            assert_eq!(pushed(&[left, right]), text, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(pushed(&bytes), text);
    }

    #[test]
    fn invalid_bytes_are_replaced_and_the_rest_is_kept() {
        assert_eq!(pushed(&[b"a\xffb"]), "a\u{fffd}b");
        assert_eq!(pushed(&[b"a\x80\x80\x80\x80b"]), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(pushed(&[b"ab\xe2\x82"]), "ab\u{fffd}");
        assert_eq!(pushed(&[b"ab\xe2", b"c"]), "ab\u{fffd}c");
    }
}
