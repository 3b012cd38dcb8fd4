//! The settings of a service, as text.

use serde_json::Value as Json;
use zerver_replay::{SettingDoc, SettingSource};
use zerver_trace::text::clean;

use super::style;
use super::table::{Column, Table};

/// A row for each: what somebody has said stands out.
pub(crate) fn settings(settings: &[SettingDoc], columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        Column::Left("setting"),
        Column::Left(""),
        Column::Shrinks("value"),
        Column::Left("from"),
    ]);
    for told in settings {
        let (mark, from) = match told.source {
            SettingSource::Default => (style::FAINT, "default"),
            SettingSource::Program => (style::PLAIN, "program"),
            SettingSource::File => (style::STRONG, "file"),
            SettingSource::Environment => (style::STRONG, "environment"),
        };
        let from = told.location.as_deref().unwrap_or(from);
        // A rule has a row of its own.
        let (first, more) = match &told.value {
            Json::Array(all) if all.iter().any(Json::is_object) => (text(&all[0]), &all[1..]),
            value => (text(value), &[][..]),
        };
        table.row(vec![
            (style::PLAIN, clean(&told.key).into_owned()),
            (style::FAINT, if told.is_reloadable { "*" } else { "" }.to_owned()),
            (mark, clean(&first).into_owned()),
            (mark, clean(from).into_owned()),
        ]);
        let none = || (style::PLAIN, String::new());
        for value in more {
            table.row(vec![none(), none(), (mark, clean(&text(value)).into_owned()), none()]);
        }
    }
    table.draw(columns)
}

/// A value on one line, without the quotes that a file needs.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(all) if all.is_empty() => "-".to_owned(),
        Json::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        Json::Object(all) => {
            let pair = |name: &String| Some(format!("{name}={}", text(all.get(name)?)));
            // First what a rule asks for, then what it gives.
            let (given, asked): (Vec<_>, Vec<_>) = all.keys().partition(|name| *name == "class");
            asked.into_iter().chain(given).filter_map(pair).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_setting_has_a_line() {
        let told = |key: &str, value: Json, from, place: Option<&str>, reloads| SettingDoc {
            key: key.to_owned(),
            value,
            source: from,
            location: place.map(str::to_owned),
            is_reloadable: reloads,
        };
        let settings = [
            told("workers", json!(2), SettingSource::Default, None, false),
            told("deadline", json!("5s"), SettingSource::File, Some("zerver.toml:3"), true),
            told("recording.store", json!(null), SettingSource::Environment, Some("ZERVER_STORE"), false),
            told("hosts", json!(["a", "b\u{1b}[2J"]), SettingSource::Program, None, false),
            told(
                "rules",
                json!([{ "class": "batch", "path": "/r/" }, { "asked": "x-class" }]),
                SettingSource::Program,
                None,
                true,
            ),
        ];
        let shown = anstream::adapter::strip_str(&super::settings(&settings, None)).to_string();
        insta::assert_snapshot!(shown, @r#"
        setting             value                 from
        workers             2                     default
        deadline         *  5s                    zerver.toml:3
        recording.store     -                     ZERVER_STORE
        hosts               a, b\u{1b}[2J         program
        rules            *  path=/r/ class=batch  program
                            asked=x-class
        "#);
    }
}
