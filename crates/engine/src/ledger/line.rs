//! Reading JSON lines of entries.
//!
//! There is one way to write an entry: the keys in their order, no spaces, the shortest escapes, a newline at the end.
//! Whatever else would mean the same is refused, so that a changed byte is always seen.

use std::io::{self, BufRead, Read};

use thiserror::Error;

/// A longer line is refused: no entry comes near, and memory stays bounded.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// One line, its strings unescaped but not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Position; `u64::MAX` when the number is larger.
    pub seq: u64,
    /// Hash of the entry before, as hex digits.
    pub prev: &'a str,
    /// Hash of this entry, as hex digits.
    pub hash: &'a str,
    /// The body's JSON text.
    pub body: &'a str,
}

/// A line that is not as entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an entry as the ledger writes it")]
pub struct NotALine;

/// Reads lines one at a time into memory that is used again.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    line: Vec<u8>,
    strings: [String; 3],
}

impl<R: BufRead> Lines<R> {
    /// Reads from `input`.
    #[must_use]
    pub fn new(input: R) -> Self {
        Self { input, line: Vec::new(), strings: Default::default() }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// When the input fails. That the line is [`NotALine`] is no error of the input.
    pub fn next_line(&mut self) -> io::Result<Option<Result<Line<'_>, NotALine>>> {
        self.line.clear();
        (&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)?;
        Ok((!self.line.is_empty()).then(|| parse(&self.line, &mut self.strings).ok_or(NotALine)))
    }
}

fn parse<'a>(line: &'a [u8], [prev, hash, body]: &'a mut [String; 3]) -> Option<Line<'a>> {
    let rest = std::str::from_utf8(line).ok()?;
    let (seq, rest) = number(rest.strip_prefix(r#"{"seq":"#)?)?;
    let (prev, rest) = string(rest.strip_prefix(r#","prev":""#)?, prev)?;
    let (hash, rest) = string(rest.strip_prefix(r#","hash":""#)?, hash)?;
    let (body, rest) = string(rest.strip_prefix(r#","body":""#)?, body)?;
    (rest == "}\n").then_some(Line { seq, prev, hash, body })
}

/// A whole number without leading zeros, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    (end > 0 && !leading_zero).then(|| (digits.parse().unwrap_or(u64::MAX), rest))
}

/// A string whose opening quote is gone, unescaped into `buffer` if need be, and what follows its closing quote.
fn string<'a>(text: &'a str, buffer: &'a mut String) -> Option<(&'a str, &'a str)> {
    let mut rest = text;
    let end = special(rest)?;
    if rest.as_bytes()[end] == b'"' {
        return Some((&rest[..end], &rest[end + 1..]));
    }
    buffer.clear();
    loop {
        let end = special(rest)?;
        buffer.push_str(&rest[..end]);
        let (escaped, length) = match rest.as_bytes()[end..] {
            [b'"', ..] => return Some((buffer, &rest[end + 1..])),
            [b'\\', b'"', ..] => ('"', 2),
            [b'\\', b'\\', ..] => ('\\', 2),
            [b'\\', b'b', ..] => ('\u{8}', 2),
            [b'\\', b't', ..] => ('\t', 2),
            [b'\\', b'n', ..] => ('\n', 2),
            [b'\\', b'f', ..] => ('\u{c}', 2),
            [b'\\', b'r', ..] => ('\r', 2),
            [b'\\', b'u', b'0', b'0', high, low, ..] => (control(high, low)?, 6),
            _ => return None,
        };
        buffer.push(escaped);
        rest = &rest[end + length..];
    }
}

/// Position of the next quote, backslash or control character; a raw control character stands in no JSON string.
fn special(text: &str) -> Option<usize> {
    const SPECIAL: [bool; 256] = {
        let mut special = [false; 256];
        let mut byte = 0;
        while byte < 0x20 {
            special[byte] = true;
            byte += 1;
        }
        special[b'"' as usize] = true;
        special[b'\\' as usize] = true;
        special
    };
    text.bytes().position(|b| SPECIAL[usize::from(b)])
}

/// The control character of two hex digits, if it has no shorter escape.
fn control(high: u8, low: u8) -> Option<char> {
    let low = match low {
        b'0'..=b'9' => low - b'0',
        b'a'..=b'f' => low - b'a' + 10,
        _ => return None,
    };
    let byte = match high {
        b'0' => low,
        b'1' => 16 + low,
        _ => return None,
    };
    (!matches!(byte, 8 | 9 | 10 | 12 | 13)).then_some(char::from(byte))
}
