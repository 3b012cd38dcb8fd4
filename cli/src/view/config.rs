//! Settings of a service, as a table.

use serde_json::Value as Json;
use zerver_replay::{SettingDoc, SettingSource};
use zerver_trace::text::clean;

use super::style;
use super::table::{Column, Table};

/// Returns a row per setting, with those that are set emphasized.
pub(crate) fn settings(settings: &[SettingDoc], columns: Option<usize>) -> String {
    let mut table = Table::new(&[
        Column::Left("setting"),
        Column::Left(""),
        Column::Shrinks("value"),
        Column::Left("from"),
    ]);
    for setting in settings {
        let (mark, from) = match setting.source {
            SettingSource::Default => (style::FAINT, "default"),
            SettingSource::Program => (style::PLAIN, "program"),
            SettingSource::File => (style::STRONG, "file"),
            SettingSource::Environment => (style::STRONG, "environment"),
        };
        let from = setting.location.as_deref().unwrap_or(from);
        // Each rule has its own row.
        let (first, more) = match &setting.value {
            Json::Array(all) if all.iter().any(Json::is_object) => (text(&all[0]), &all[1..]),
            value => (text(value), &[][..]),
        };
        table.row(vec![
            (style::PLAIN, clean(&setting.key).into_owned()),
            (style::FAINT, if setting.is_reloadable { "*" } else { "" }.to_owned()),
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

/// Returns a value on one line, without the quotes of TOML.
fn text(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(all) if all.is_empty() => "-".to_owned(),
        Json::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        Json::Object(all) => {
            let pair = |name: &String| Some(format!("{name}={}", text(all.get(name)?)));
            // The conditions of a rule come first, then its class.
            let (class, conditions): (Vec<_>, Vec<_>) = all.keys().partition(|name| *name == "class");
            conditions.into_iter().chain(class).filter_map(pair).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_setting_has_a_row() {
        let setting = |key: &str, value: Json, from, place: Option<&str>, reloads| SettingDoc {
            key: key.to_owned(),
            value,
            source: from,
            location: place.map(str::to_owned),
            is_reloadable: reloads,
        };
        let settings = [
            setting("workers", json!(2), SettingSource::Default, None, false),
            setting("deadline", json!("5s"), SettingSource::File, Some("zerver.toml:3"), true),
            setting("recording.store", json!(null), SettingSource::Environment, Some("ZERVER_STORE"), false),
            setting("hosts", json!(["a", "b\u{1b}[2J"]), SettingSource::Program, None, false),
            setting(
                "rules",
                json!([{ "class": "batch", "path": "/r/" }, { "requested_in": "x-class" }]),
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
                            requested_in=x-class
        "#);
    }
}
