//! T-SQL text into tokens.

use crate::error::{SqlResult, syntax};
use crate::session::SqlError;

/// What a token is; its text is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A regular identifier or a keyword.
    Word,
    /// `[name]` or `"name"`.
    Quoted,
    /// `@name` and `@@name`.
    Variable,
    /// `'text'`.
    Text,
    /// `N'text'`.
    NationalText,
    Integer,
    /// With a decimal point, without an exponent.
    Decimal,
    /// With an exponent.
    Float,
    /// `$1.50`.
    Money,
    /// `0x0A`.
    Binary,
    Symbol,
    End,
}

/// One token with the line that it starts on.
#[derive(Debug, Clone)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    /// As written, quotes included.
    pub(crate) text: &'a str,
    pub(crate) line: u32,
    /// Byte offset in the batch.
    pub(crate) start: usize,
}

impl Token<'_> {
    /// The identifier or text without quotes and with doubled quotes undone.
    pub(crate) fn unquoted(&self) -> String {
        match self.kind {
            TokenKind::Quoted => {
                let inner = &self.text[1..self.text.len() - 1];
                if self.text.starts_with('[') {
                    inner.replace("]]", "]")
                } else {
                    inner.replace("\"\"", "\"")
                }
            }
            TokenKind::Text => self.text[1..self.text.len() - 1].replace("''", "'"),
            TokenKind::NationalText => self.text[2..self.text.len() - 1].replace("''", "'"),
            _ => self.text.to_owned(),
        }
    }
}

const SYMBOLS: [&str; 16] = [
    "<>", "<=", ">=", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::", "||",
];

/// Splits a batch into tokens, the last of which is always `End`.
pub(crate) fn tokenize(sql: &str) -> SqlResult<Vec<Token<'_>>> {
    let mut lexer = Lexer {
        sql,
        bytes: sql.as_bytes(),
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::with_capacity(sql.len() / 5 + 2);
    loop {
        let token = lexer.next()?;
        let end = token.kind == TokenKind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'#' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'@' || byte == b'$'
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_blanks(&mut self) -> SqlResult<()> {
        loop {
            match self.peek(0) {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' => {
                    while self.at < self.bytes.len() && self.peek(0) != b'\n' {
                        self.at += 1;
                    }
                }
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                0xEF if self.bytes[self.at..].starts_with(&[0xEF, 0xBB, 0xBF]) => self.at += 3,
                0xC2 if self.peek(1) == 0xA0 => self.at += 2,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> SqlResult<()> {
        let line = self.line;
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (byte, _) => {
                    self.line += u32::from(byte == b'\n');
                    self.at += 1;
                }
            }
        }
        let mut error = SqlError::new(113, 15, 1, "Missing end comment mark '*/'.").ending_batch();
        error.line = line;
        Err(error)
    }

    fn next(&mut self) -> SqlResult<Token<'a>> {
        self.skip_blanks()?;
        let (start, line) = (self.at, self.line);
        let kind = self.scan()?;
        Ok(Token {
            kind,
            text: &self.sql[start..self.at],
            line,
            start,
        })
    }

    fn scan(&mut self) -> SqlResult<TokenKind> {
        let byte = self.peek(0);
        if self.at >= self.bytes.len() {
            return Ok(TokenKind::End);
        }
        match byte {
            b'\'' => {
                self.delimited(b'\'', 1)?;
                return Ok(TokenKind::Text);
            }
            b'N' | b'n' if self.peek(1) == b'\'' => {
                self.delimited(b'\'', 2)?;
                return Ok(TokenKind::NationalText);
            }
            b'[' => {
                self.delimited(b']', 1)?;
                return Ok(TokenKind::Quoted);
            }
            b'"' => {
                self.delimited(b'"', 1)?;
                return Ok(TokenKind::Quoted);
            }
            b'@' => {
                self.at += 1;
                while is_word_part(self.peek(0)) {
                    self.at += 1;
                }
                return Ok(TokenKind::Variable);
            }
            b'$' if self.peek(1).is_ascii_digit() || self.peek(1) == b'.' => {
                self.at += 1;
                self.number();
                return Ok(TokenKind::Money);
            }
            b'$' if self.peek(1).is_ascii_alphabetic() => {
                self.at += 1;
                while is_word_part(self.peek(0)) {
                    self.at += 1;
                }
                return Ok(TokenKind::Word);
            }
            b'0' if matches!(self.peek(1), b'x' | b'X') => {
                self.at += 2;
                while self.peek(0).is_ascii_hexdigit() {
                    self.at += 1;
                }
                return Ok(TokenKind::Binary);
            }
            _ => {}
        }
        if byte.is_ascii_digit() || (byte == b'.' && self.peek(1).is_ascii_digit()) {
            return Ok(self.number());
        }
        if is_word_start(byte) {
            while is_word_part(self.peek(0)) {
                self.at += 1;
            }
            return Ok(TokenKind::Word);
        }
        for symbol in SYMBOLS {
            if self.bytes[self.at..].starts_with(symbol.as_bytes()) {
                self.at += symbol.len();
                return Ok(TokenKind::Symbol);
            }
        }
        if b"+-*/%&|^~=<>!().,;:".contains(&byte) {
            self.at += 1;
            return Ok(TokenKind::Symbol);
        }
        let mut error = syntax(&(byte as char).to_string());
        error.line = self.line;
        Err(error)
    }

    /// Integer, decimal or float; `1.` and `.5` are decimals.
    fn number(&mut self) -> TokenKind {
        let mut kind = TokenKind::Integer;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        if self.peek(0) == b'.' {
            kind = TokenKind::Decimal;
            self.at += 1;
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                kind = TokenKind::Float;
                self.at += 1 + sign;
                while self.peek(0).is_ascii_digit() {
                    self.at += 1;
                }
            }
        }
        kind
    }

    /// Runs to the closing quote, a doubled one being part of the text.
    fn delimited(&mut self, close: u8, open_length: usize) -> SqlResult<()> {
        let (start, line) = (self.at, self.line);
        self.at += open_length;
        while self.at < self.bytes.len() {
            let byte = self.peek(0);
            self.at += 1;
            if byte == close {
                if self.peek(0) != close {
                    return Ok(());
                }
                self.at += 1;
            }
            self.line += u32::from(byte == b'\n');
        }
        let text: String = self.sql[start + open_length..].chars().take(128).collect();
        let message = format!("Unclosed quotation mark after the character string '{text}'.");
        let mut error = SqlError::new(105, 15, 1, message).ending_batch();
        error.line = line;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kinds(sql: &str) -> Vec<(TokenKind, &str)> {
        tokenize(sql)
            .unwrap()
            .into_iter()
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn literals_and_names() {
        use TokenKind::*;
        assert_eq!(
            kinds("[a]]b] N'x''y' 0xAF $1.5 1e3 .5 @@SPID #t a.b"),
            vec![
                (Quoted, "[a]]b]"),
                (NationalText, "N'x''y'"),
                (Binary, "0xAF"),
                (Money, "$1.5"),
                (Float, "1e3"),
                (Decimal, ".5"),
                (Variable, "@@SPID"),
                (Word, "#t"),
                (Word, "a"),
                (Symbol, "."),
                (Word, "b"),
                (End, ""),
            ]
        );
        assert_eq!(tokenize("[a]]b]").unwrap()[0].unquoted(), "a]b");
    }

    #[test]
    fn comments_nest_and_lines_count() {
        let tokens = tokenize("/* a /* b */\n */ -- x\nSELECT").unwrap();
        assert_eq!((tokens[0].text, tokens[0].line), ("SELECT", 3));
        assert_eq!(tokenize("/* open").unwrap_err().number, 113);
        assert_eq!(tokenize("'open").unwrap_err().number, 105);
    }
}
