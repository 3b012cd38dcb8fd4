//! Splits a query into tokens.

use std::ops::Range;

use super::query_error::QueryError;

/// Maximum length of a query, in bytes.
const MAX_LEN: usize = 4096;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Place in the query, in bytes.
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Open,
    Close,
    Comma,
    Not,
    Operator(Operator),
    /// A text. One in quotes is never a keyword.
    Text {
        text: String,
        is_quoted: bool,
    },
}

/// Operator of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `:` or `~`.
    Fits,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fits => ":",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }
}

/// Operators, the longer ones first.
const OPERATORS: [(&str, Operator); 8] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    (":", Operator::Fits),
    ("~", Operator::Fits),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

pub(super) fn tokens(query: &str) -> Result<Vec<Token>, QueryError> {
    if query.len() > MAX_LEN {
        return Err(QueryError::new(0..query.len(), format!("a query has at most {MAX_LEN} bytes")));
    }
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(c) = query[at..].chars().next() {
        let rest = &query[at..];
        // After an operator comes a value, in which a colon is a character like any other: `path:/a:b`, `since:2:00`.
        let is_value =
            tokens.last().is_some_and(|last| matches!(last.kind, TokenKind::Operator(_) | TokenKind::Comma));
        let operator = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
        let (kind, len) = match (c, operator) {
            (c, _) if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            ('(', _) => (TokenKind::Open, 1),
            (')', _) => (TokenKind::Close, 1),
            (',', _) => (TokenKind::Comma, 1),
            ('"', _) => quoted(query, at)?,
            (_, Some((sign, operator))) if !is_value => (TokenKind::Operator(*operator), sign.len()),
            ('!', _) if !is_value => (TokenKind::Not, 1),
            _ => word(rest, is_value),
        };
        tokens.push(Token { kind, at: at..at + len });
        at += len;
    }
    Ok(tokens)
}

/// Reads a word up to a space, a parenthesis, a comma, or, unless it is a value, an operator.
fn word(rest: &str, is_value: bool) -> (TokenKind, usize) {
    let ends = |(at, c): (usize, char)| {
        // A path may contain a colon.
        let may_be_field = !is_value && at > 0 && !rest[..at].contains('/');
        c.is_whitespace()
            || matches!(c, '(' | ')' | ',')
            || (may_be_field && OPERATORS.iter().any(|(sign, _)| rest[at..].starts_with(sign)))
    };
    let len = rest.char_indices().find(|(at, c)| ends((*at, *c))).map_or(rest.len(), |(at, _)| at);
    (TokenKind::Text { text: rest[..len].to_owned(), is_quoted: false }, len)
}

/// Reads a text in quotes, in which a backslash makes the next character mean itself.
fn quoted(query: &str, start: usize) -> Result<(TokenKind, usize), QueryError> {
    let (mut text, mut is_escaped) = (String::new(), false);
    for (at, c) in query[start..].char_indices().skip(1) {
        match c {
            _ if is_escaped => {
                text.push(c);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return Ok((TokenKind::Text { text, is_quoted: true }, at + 1)),
            c => text.push(c),
        }
    }
    Err(QueryError::new(start..query.len(), "a text in quotes does not end"))
}
