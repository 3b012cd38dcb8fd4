//! Parses tokens into conditions.

use std::ops::Range;

use super::condition::{Condition, Term};
use super::field::{Field, ValueType};
use super::lexer::{Operator, Token, TokenKind, tokens};
use super::query_error::QueryError;
use super::time_point::QueryClock;
use super::value::Value;

/// Maximum nesting of parentheses and negations.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(query: &str, clock: &QueryClock) -> Result<Condition, QueryError> {
    let tokens = tokens(query)?;
    let mut parser = Parser { tokens: &tokens, end: query.len(), depth: 0, clock };
    let condition = parser.any()?;
    match parser.tokens.first() {
        None => Ok(condition),
        Some(token) => Err(QueryError::new(token.at.clone(), "this parenthesis closes nothing")),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    /// Length of the query.
    end: usize,
    depth: usize,
    clock: &'t QueryClock,
}

impl Parser<'_> {
    /// Parses alternatives.
    fn any(&mut self) -> Result<Condition, QueryError> {
        let mut alternatives = vec![self.all()?];
        while self.take_keyword("or") {
            let at = self.place();
            let alternative = self.all()?;
            if [&alternatives[0], &alternative].contains(&&Condition::default()) {
                return Err(QueryError::new(at, "`or` stands between two conditions"));
            }
            alternatives.push(alternative);
        }
        match <[Condition; 1]>::try_from(alternatives) {
            Ok([only]) => Ok(only),
            Err(alternatives) => Ok(Condition::Any(alternatives)),
        }
    }

    /// Parses conditions that must all hold.
    fn all(&mut self) -> Result<Condition, QueryError> {
        let mut parts = Vec::new();
        loop {
            let _ = self.take_keyword("and");
            match self.tokens.first() {
                None | Some(Token { kind: TokenKind::Close, .. }) => break,
                Some(_) if self.is_keyword("or") => break,
                Some(_) => parts.push(self.one()?),
            }
        }
        Ok(Condition::all(parts))
    }

    fn one(&mut self) -> Result<Condition, QueryError> {
        let at = self.place();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(QueryError::new(
                at,
                format!("the query is nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        let condition = if self.take_keyword("not") || self.take(&TokenKind::Not) {
            match self.tokens.first() {
                None => return Err(QueryError::new(self.place(), "a condition is missing after `not`")),
                Some(_) => Condition::Not(Box::new(self.one()?)),
            }
        } else if self.take(&TokenKind::Open) {
            let inner = self.any()?;
            if !self.take(&TokenKind::Close) {
                return Err(QueryError::new(at, "this parenthesis is not closed"));
            }
            if inner == Condition::default() {
                return Err(QueryError::new(at, "there is no condition in these parentheses"));
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn term(&mut self) -> Result<Condition, QueryError> {
        let at = self.place();
        let Some((name, is_quoted)) = self.take_text() else {
            return Err(QueryError::new(at, "a field or a word is expected here"));
        };
        let operator = match self.tokens.first() {
            Some(Token { kind: TokenKind::Operator(operator), .. }) if !is_quoted => *operator,
            _ => {
                let value = Value::parse(&name, ValueType::Text, self.clock);
                let values = vec![value.map_err(|message| QueryError::new(at, message))?];
                return Ok(Condition::Term(Term { field: Field::Word, operator: Operator::Fits, values }));
            }
        };
        self.tokens = &self.tokens[1..];
        // The short forms that existed before `took`.
        let (name, operator) = match (name.as_str(), operator) {
            ("slower", Operator::Fits) => ("took", Operator::Greater),
            ("faster", Operator::Fits) => ("took", Operator::Less),
            (name, operator) => (name, operator),
        };
        let field = Field::parse(name).map_err(|message| QueryError::new(at.clone(), message))?;
        check_operator(&field, operator).map_err(|message| QueryError::new(at, message))?;
        let mut values = Vec::new();
        loop {
            let place = self.place();
            let Some((text, _)) = self.take_text() else {
                let message = format!("a value is missing after {name}{}", operator.as_str());
                return Err(QueryError::new(place, message));
            };
            let value = Value::parse(&text, field.value_type(), self.clock);
            values.push(value.map_err(|message| {
                // Some messages quote the value, which says enough.
                let names_value = message.starts_with('"');
                QueryError::new(place, if names_value { message } else { format!("{name}: {message}") })
            })?);
            if !self.take(&TokenKind::Comma) {
                break;
            }
        }
        Ok(Condition::Term(Term { field, operator, values }))
    }

    /// Returns the place of the next token, or the end.
    fn place(&self) -> Range<usize> {
        self.tokens.first().map_or(self.end..self.end, |token| token.at.clone())
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| token.kind == *kind);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn take_text(&mut self) -> Option<(String, bool)> {
        let Some((Token { kind: TokenKind::Text { text, is_quoted }, .. }, rest)) = self.tokens.split_first()
        else {
            return None;
        };
        self.tokens = rest;
        Some((text.clone(), *is_quoted))
    }

    /// Returns true if the next token is this word, and not the name of a field.
    fn is_keyword(&self, word: &str) -> bool {
        let is_word = matches!(
            self.tokens.first(),
            Some(Token { kind: TokenKind::Text { text, is_quoted: false }, .. }) if text.eq_ignore_ascii_case(word)
        );
        is_word && !matches!(self.tokens.get(1), Some(Token { kind: TokenKind::Operator(_), .. }))
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        let is_next = self.is_keyword(word);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }
}

fn check_operator(field: &Field, operator: Operator) -> Result<(), String> {
    let compares = matches!(
        operator,
        Operator::Greater | Operator::GreaterOrEqual | Operator::Less | Operator::LessOrEqual
    );
    let sign = operator.as_str();
    match field.value_type() {
        ValueType::Text | ValueType::State if compares => {
            Err(format!("a text is not compared by {sign}: use : or ="))
        }
        ValueType::Time if operator != Operator::Fits => {
            Err(format!("write the time after a colon, not after {sign}"))
        }
        ValueType::Duration if !compares => Err(format!("a duration is compared by > or <, not by {sign}")),
        _ => Ok(()),
    }
}
