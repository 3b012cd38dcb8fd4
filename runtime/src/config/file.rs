//! `zerver.toml`: what it says, and on which lines.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zerver_engine::Class;
use zerver_replay::nearest_name;

use super::field::{Raw, size};
use super::key::{KEYS, Key, RULES};
use crate::schedule::Rule;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Keys, their lines and their values.
    pub(super) values: Vec<(Key, usize, Raw)>,
    /// The rules, and the line of the first one.
    pub(super) rules: Option<(usize, Vec<Rule>)>,
}

/// What is wrong with a file, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

const RULE_KEYS: [&str; 7] = ["path", "header", "value", "body_over", "asked", "token", "class"];

/// Reads a file; its values are not looked at yet, but that they can be values at all.
///
/// # Errors
/// When it is no TOML, or a key is not known.
pub(super) fn read(text: &str) -> Result<File, Wrong> {
    let wrong = |span: Range<usize>, what: String| Wrong { line: line(text, span.start), what };
    let table = DeTable::parse(text)
        .map_err(|error| wrong(error.span().unwrap_or_default(), error.message().trim().to_owned()))?;
    let mut file = File::default();
    let mut sections = vec![(String::new(), table.get_ref())];
    while let Some((above, table)) = sections.pop() {
        for (name, value) in table {
            let key = format!("{above}{}", name.get_ref());
            let at = line(text, name.span().start);
            if let Some(known) = Key::named(&key) {
                let raw = raw(value.get_ref())
                    .ok_or_else(|| wrong(value.span(), format!("{key} is a date, and no setting is one")))?;
                file.values.push((known, at, raw));
            } else if key == RULES.name {
                let rules = value.get_ref().as_array().ok_or_else(|| {
                    wrong(value.span(), "rules is wrong; it is a list: write each under [[rules]]".to_owned())
                })?;
                let rule = |value: &Spanned<DeValue<'_>>| {
                    rule(value.get_ref()).map_err(|(span, what)| wrong(span.unwrap_or(value.span()), what))
                };
                file.rules = Some((at, rules.iter().map(rule).collect::<Result<_, _>>()?));
            } else if let (Some(section), true) = (value.get_ref().as_table(), is_section(&key)) {
                sections.push((format!("{key}."), section));
            } else {
                return Err(wrong(name.span(), unknown(&key)));
            }
        }
    }
    file.values.sort_by_key(|(_, line, _)| *line);
    Ok(file)
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn unknown(key: &str) -> String {
    let sections = KEYS.iter().filter_map(|key| Some(key.name.split_once('.')?.0));
    let names = KEYS.iter().map(|key| key.name).chain([RULES.name]).chain(sections);
    match (nearest_name(key, names), is_section(key)) {
        (_, true) => format!("{key} is a section, and no value: write [{key}]"),
        (Some(near), _) => format!("there is no setting {key}; is it {near}?"),
        (None, _) => format!("there is no setting {key}; `zerver config` shows all there are"),
    }
}

/// The line of a place in a text, from 1.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    Some(match value {
        DeValue::String(text) => Raw::One(text.to_string()),
        DeValue::Integer(number) => {
            let value = i128::from_str_radix(number.as_str(), number.radix());
            Raw::One(value.map_or_else(|_| number.as_str().to_owned(), |value| value.to_string()))
        }
        DeValue::Float(number) => Raw::One(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Raw::One(flag.to_string()),
        DeValue::Array(all) => {
            Raw::Many(all.iter().map(|one| one.get_ref().as_str().unwrap_or_default().to_owned()).collect())
        }
        DeValue::Table(all) => {
            let one = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| match raw(value.get_ref())? {
                Raw::One(text) => Some(format!("{}={text}", name.get_ref())),
                Raw::Many(_) => None,
            };
            Raw::Many(all.iter().map(one).collect::<Option<_>>()?)
        }
        DeValue::Datetime(_) => return None,
    })
}

/// One of the rules; what is wrong with it, and where.
fn rule(value: &DeValue<'_>) -> Result<Rule, (Option<Range<usize>>, String)> {
    let table = value.as_table().ok_or((None, "a rule is written under [[rules]]".to_owned()))?;
    let mut given = [const { None }; RULE_KEYS.len()];
    for (name, value) in table {
        let Some(at) = RULE_KEYS.iter().position(|known| known == name.get_ref()) else {
            let near = nearest_name(name.get_ref(), RULE_KEYS)
                .map_or(String::new(), |near| format!("; is it {near}?"));
            return Err((Some(name.span()), format!("rules know no {}{near}", name.get_ref())));
        };
        let text = match raw(value.get_ref()) {
            Some(Raw::One(text)) => text,
            _ => return Err((Some(value.span()), format!("rules.{} is wrong; it is text", name.get_ref()))),
        };
        given[at] = Some((text, value.span()));
    }
    let [path, header, equals, body_over, asked, token, class] = given;
    let class = match class {
        Some((text, span)) => Some(text.parse::<Class>().map_err(|_| {
            (Some(span), "rules.class is wrong; it is interactive, default or batch".to_owned())
        })?),
        None => None,
    };
    let name = |(name, span): (String, Range<usize>), key: &str| match http::HeaderName::try_from(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err((Some(span), format!("rules.{key} is wrong; it is the name of a header"))),
    };
    let what = "a rule has one of: path and class; header, value and class; body_over and class; asked, which may \
                have a token";
    match (path, header, equals, body_over, asked, token, class) {
        (Some((path, _)), None, None, None, None, None, Some(class)) => Ok(Rule::path(path, class)),
        (None, Some(header), Some((value, _)), None, None, None, Some(class)) => {
            Ok(Rule::header(&name(header, "header")?, value, class))
        }
        (None, None, None, Some((bytes, span)), None, None, Some(class)) => {
            let bytes = size(&bytes).and_then(|bytes| usize::try_from(bytes).ok());
            let bytes = bytes.ok_or((
                Some(span),
                "rules.body_over is wrong; it is a number of bytes, such as 256KiB".to_owned(),
            ))?;
            Ok(Rule::body_over(bytes, class))
        }
        (None, None, None, None, Some(asked), token, None) => {
            let rule = Rule::asked(&name(asked, "asked")?);
            Ok(token.map_or_else(|| rule.clone(), |(token, _)| rule.clone().with_token(token)))
        }
        _ => Err((None, what.to_owned())),
    }
}
