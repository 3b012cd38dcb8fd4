//! Parses `zerver.toml`, with the line of each value.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zerver_engine::Class;
use zerver_trace::nearest_name;

use super::field::{RawValue, size};
use super::key::{KEYS, Key, RULES};
use super::target_keys::{self, TARGET_KEYS, TARGETS};
use crate::scheduler::ClassRule;

/// Content of a settings file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Keys with their lines and values, in the order of the lines.
    pub(super) values: Vec<(Key, usize, RawValue)>,
    /// The rules, and the line of the first one.
    pub(super) rules: Option<(usize, Vec<ClassRule>)>,
    /// Settings of single targets, in the order of the lines.
    pub(super) targets: Vec<TargetValue>,
}

/// A setting of one target.
#[derive(Debug)]
pub(super) struct TargetValue {
    pub(super) target: String,
    /// A key of [`TARGET_KEYS`].
    pub(super) name: &'static str,
    pub(super) line: usize,
    pub(super) raw: RawValue,
}

/// Error in a settings file, with its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileError {
    pub(super) line: usize,
    pub(super) reason: String,
}

const RULE_KEYS: [&str; 7] = ["path", "header", "value", "body_over", "requested_in", "token", "class"];

/// Parses a file. Values are not validated, except that they must have a type that some setting accepts. Rules are.
///
/// # Errors
/// Fails if the text is not TOML, a key is unknown, a value has a wrong type, or a rule is invalid.
pub(super) fn read(text: &str) -> Result<File, FileError> {
    let invalid = |span: Range<usize>, reason: String| FileError { line: line(text, span.start), reason };
    let table = DeTable::parse(text)
        .map_err(|error| invalid(error.span().unwrap_or_default(), error.message().trim().to_owned()))?;
    let mut file = File::default();
    let mut sections = vec![(String::new(), table.get_ref())];
    while let Some((prefix, table)) = sections.pop() {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let key_line = line(text, name.span().start);
            if let Some(known) = Key::named(&key) {
                let raw = raw(value.get_ref()).ok_or_else(|| {
                    invalid(
                        value.span(),
                        format!("invalid {key}: must be text, a number, true or false, not a date"),
                    )
                })?;
                file.values.push((known, key_line, raw));
            } else if key == RULES.name {
                let rules = value.get_ref().as_array().ok_or_else(|| {
                    invalid(
                        value.span(),
                        "invalid rules: must be a list; write each rule under [[rules]]".to_owned(),
                    )
                })?;
                let rule = |value: &Spanned<DeValue<'_>>| {
                    rule(value.get_ref())
                        .map_err(|(span, reason)| invalid(span.unwrap_or(value.span()), reason))
                };
                file.rules = Some((key_line, rules.iter().map(rule).collect::<Result<_, _>>()?));
            } else if let (Some(section), TARGETS, false) =
                (value.get_ref().as_table(), prefix.as_str(), is_section(&key))
            {
                let target = name.get_ref();
                target_keys::check_name(target).map_err(|rule| {
                    invalid(name.span(), format!("invalid target {target}: must be {rule}"))
                })?;
                for (name, value) in section {
                    let key = target_keys::full_key(target, name.get_ref());
                    let known = TARGET_KEYS.iter().find(|known| *known == name.get_ref());
                    let near = || match nearest_name(name.get_ref(), TARGET_KEYS) {
                        Some(near) => format!("unknown setting {key}; did you mean {near}?"),
                        None => format!(
                            "unknown setting {key}; a target has the settings {}",
                            TARGET_KEYS.join(", ")
                        ),
                    };
                    let known = *known.ok_or_else(|| invalid(name.span(), near()))?;
                    let raw = raw(value.get_ref()).ok_or_else(|| {
                        invalid(value.span(), format!("invalid {key}: no setting is a date"))
                    })?;
                    let line = line(text, name.span().start);
                    file.targets.push(TargetValue { target: target.to_string(), name: known, line, raw });
                }
            } else if let (Some(section), true) = (value.get_ref().as_table(), is_section(&key)) {
                sections.push((format!("{key}."), section));
            } else {
                return Err(invalid(name.span(), unknown_key(&key)));
            }
        }
    }
    file.values.sort_by_key(|(_, line, _)| *line);
    file.targets.sort_by_key(|value| value.line);
    Ok(file)
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn unknown_key(key: &str) -> String {
    let sections = KEYS.iter().filter_map(|key| Some(key.name.split_once('.')?.0));
    let names = KEYS.iter().map(|key| key.name).chain([RULES.name]).chain(sections);
    match (nearest_name(key, names), is_section(key)) {
        (_, true) => format!("{key} is a section, not a value: write [{key}]"),
        (Some(near), _) => format!("unknown setting {key}; did you mean {near}?"),
        (None, _) => format!("unknown setting {key}; `zerver config` lists all settings"),
    }
}

/// Line of a byte offset in a text, counted from 1.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn raw(value: &DeValue<'_>) -> Option<RawValue> {
    Some(match value {
        DeValue::String(text) => RawValue::One(text.to_string()),
        DeValue::Integer(number) => {
            let value = i128::from_str_radix(number.as_str(), number.radix());
            RawValue::One(value.map_or_else(|_| number.as_str().to_owned(), |value| value.to_string()))
        }
        DeValue::Float(number) => RawValue::One(number.as_str().to_owned()),
        DeValue::Boolean(flag) => RawValue::One(flag.to_string()),
        DeValue::Array(items) => RawValue::Many(
            items.iter().map(|item| item.get_ref().as_str().unwrap_or_default().to_owned()).collect(),
        ),
        DeValue::Table(entries) => {
            let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| match raw(value.get_ref())? {
                RawValue::One(text) => Some(format!("{}={text}", name.get_ref())),
                RawValue::Many(_) => None,
            };
            RawValue::Many(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        DeValue::Datetime(_) => return None,
    })
}

/// Parses a rule. An error contains the place, if it is more precise than the whole rule, and the reason.
fn rule(value: &DeValue<'_>) -> Result<ClassRule, (Option<Range<usize>>, String)> {
    let table = value.as_table().ok_or((None, "a rule is a table: write it under [[rules]]".to_owned()))?;
    let mut values = [const { None }; RULE_KEYS.len()];
    for (name, value) in table {
        let Some(index) = RULE_KEYS.iter().position(|known| known == name.get_ref()) else {
            let near = nearest_name(name.get_ref(), RULE_KEYS)
                .map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err((Some(name.span()), format!("unknown key {} in a rule{near}", name.get_ref())));
        };
        let text = match raw(value.get_ref()) {
            Some(RawValue::One(text)) => text,
            _ => return Err((Some(value.span()), format!("invalid rules.{}: must be text", name.get_ref()))),
        };
        values[index] = Some((text, value.span()));
    }
    let [path, header, equals, body_over, requested_in, token, class] = values;
    let class = match class {
        Some((text, span)) => Some(text.parse::<Class>().map_err(|_| {
            (Some(span), "invalid rules.class: must be interactive, default or batch".to_owned())
        })?),
        None => None,
    };
    let header_name =
        |(name, span): (String, Range<usize>), key: &str| match http::HeaderName::try_from(&name) {
            Ok(_) => Ok(name),
            Err(_) => Err((Some(span), format!("invalid rules.{key}: must be the name of a header"))),
        };
    let keys = "a rule has the keys path and class; or header, value and class; or body_over and class; or requested_in, \
                with or without token";
    match (path, header, equals, body_over, requested_in, token, class) {
        (Some((path, _)), None, None, None, None, None, Some(class)) => Ok(ClassRule::path(path, class)),
        (None, Some(header), Some((value, _)), None, None, None, Some(class)) => {
            Ok(ClassRule::header(&header_name(header, "header")?, value, class))
        }
        (None, None, None, Some((bytes, span)), None, None, Some(class)) => {
            let bytes = size(&bytes).and_then(|bytes| usize::try_from(bytes).ok());
            let bytes = bytes.ok_or((
                Some(span),
                "invalid rules.body_over: must be a number of bytes, such as 256KiB".to_owned(),
            ))?;
            Ok(ClassRule::body_over(bytes, class))
        }
        (None, None, None, None, Some(requested_in), token, None) => {
            let rule = ClassRule::requested_in(&header_name(requested_in, "requested_in")?);
            Ok(token.map_or_else(|| rule.clone(), |(token, _)| rule.clone().with_token(token)))
        }
        _ => Err((None, keys.to_owned())),
    }
}
