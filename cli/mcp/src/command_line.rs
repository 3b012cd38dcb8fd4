//! The command line that a call of a tool becomes.

use std::ffi::OsString;
use std::path::Path;

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::tools::{Parameter, ParameterKind, Tool};

/// Returns the arguments for the program.
///
/// # Errors
/// If the tool has no such parameter, or a value does not fit.
pub(crate) fn command_line(
    tool: &Tool,
    given: &JsonObject,
    app: Option<&Path>,
) -> Result<Vec<OsString>, String> {
    if let Some(name) = given.keys().find(|name| tool.parameters.iter().all(|known| known.name != **name)) {
        return Err(format!("{} has no parameter {name}", tool.name));
    }
    let mut line: Vec<OsString> = tool.command.iter().map(OsString::from).collect();
    line.push("--json".into());
    if let Some(app) = app.filter(|_| tool.builds) {
        // `catalog` takes the folder as an argument.
        if tool.name == "replay" {
            line.push("--app".into());
        }
        line.push(app.into());
    }
    let mut arguments: Vec<OsString> = Vec::new();
    for parameter in tool.parameters {
        let Some(value) = given.get(parameter.name).filter(|value| !value.is_null()) else {
            if parameter.is_required {
                return Err(format!("{} needs the parameter {}", tool.name, parameter.name));
            }
            continue;
        };
        add(parameter, value, &mut line, &mut arguments)?;
    }
    // Nothing after this is an option.
    line.push("--".into());
    line.append(&mut arguments);
    Ok(line)
}

fn add(
    parameter: &Parameter,
    value: &Value,
    line: &mut Vec<OsString>,
    arguments: &mut Vec<OsString>,
) -> Result<(), String> {
    let wrong = |what: &str| format!("{} must be {what}", parameter.name);
    let text = || value.as_str().ok_or_else(|| wrong("a string"));
    match parameter.kind {
        ParameterKind::RequestId => arguments.push(request_id(text()?).ok_or_else(|| {
            wrong("a request id, a prefix of one, or @last, @failed, @slowest or @fastest")
        })?),
        ParameterKind::Query => arguments.push(text()?.into()),
        ParameterKind::Option { name, words } => {
            let text = text()?;
            if !words.is_empty() && !words.contains(&text) {
                return Err(wrong(&format!("one of {}", words.join(", "))));
            }
            line.push(format!("{name}={text}").into());
        }
        ParameterKind::Options { name } => {
            let values = value.as_array().ok_or_else(|| wrong("a list of strings"))?;
            for value in values {
                let text = value.as_str().ok_or_else(|| wrong("a list of strings"))?;
                line.push(format!("{name}={text}").into());
            }
        }
        ParameterKind::Number { name, max } => {
            let number = value.as_u64().filter(|number| (1..=max).contains(number));
            let number = number.ok_or_else(|| wrong(&format!("a number from 1 to {max}")))?;
            line.push(format!("{name}={number}").into());
        }
        ParameterKind::Offset => drop(value.as_u64().ok_or_else(|| wrong("a number from 0"))?),
        ParameterKind::Pointer => drop(text()?),
    }
    Ok(())
}

/// Returns a request id as the program takes it. Anything else could name a file.
fn request_id(text: &str) -> Option<OsString> {
    let is_id = text.starts_with(|c: char| c.is_ascii_hexdigit())
        && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_slug = |slug: &str| {
        !slug.is_empty() && slug.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let (keyword, flow) = text.split_once(':').unwrap_or((text, "x"));
    let is_keyword = matches!(keyword, "@last" | "@failed" | "@slowest" | "@fastest") && is_slug(flow);
    (is_id || is_keyword).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::TOOLS;

    fn line(tool: &str, given: Value) -> Result<String, String> {
        let tool = TOOLS.iter().find(|known| known.name == tool).unwrap();
        let line = command_line(tool, given.as_object().unwrap(), Some(Path::new("/app")))?;
        Ok(line.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_tool_becomes_a_command() {
        for (tool, given, wanted) in [
            (
                "list_requests",
                json!({"query": "flow:a took>1s", "limit": 5}),
                "ls --json --limit=5 -- flow:a took>1s",
            ),
            ("list_flows", json!({"versus": "since:2h"}), "flows --json --vs=since:2h --"),
            ("diff", json!({"a": "@fastest", "b": "01a2-3"}), "diff --json -- @fastest 01a2-3"),
            ("get_value", json!({"id": "@last:todo", "pointer": "/slots/0"}), "trace --json -- @last:todo"),
            (
                "replay",
                json!({"id": "@last", "set": ["A=1", "--live=kv"], "fail": []}),
                "replay --json --app /app --set=A=1 --set=--live=kv -- @last",
            ),
            ("slo", json!({"flow": "--until=1h", "limit": 3}), "slo --json --limit=3 -- --until=1h"),
            ("catalog", json!({}), "catalog --json /app --"),
            (
                "export_test",
                json!({"id": "00", "expect": "fixed"}),
                "export --test --output - --json --expect=fixed -- 00",
            ),
        ] {
            assert_eq!(line(tool, given).unwrap(), wanted);
        }
    }

    #[test]
    fn nothing_but_the_parameters_of_a_tool_is_accepted() {
        for (tool, given, wanted) in [
            ("get_timeline", json!({"id": "/etc/passwd"}), "must be a request id"),
            ("get_timeline", json!({"id": "-"}), "must be a request id"),
            ("get_timeline", json!({"id": "a.zrv"}), "must be a request id"),
            ("get_timeline", json!({"id": "@last:../x"}), "must be a request id"),
            ("get_timeline", json!({"id": ""}), "must be a request id"),
            ("get_timeline", json!({}), "needs the parameter id"),
            ("get_timeline", json!({"id": 7}), "must be a string"),
            ("replay", json!({"id": "@last", "live": ["http"]}), "has no parameter live"),
            ("replay", json!({"id": "@last", "set": "A=1"}), "a list of strings"),
            ("list_requests", json!({"limit": 0}), "from 1 to 1000"),
            ("list_requests", json!({"sort": "name"}), "one of started"),
            ("list_requests", json!({"offset": -1}), "a number from 0"),
        ] {
            let error = line(tool, given.clone()).unwrap_err();
            assert!(error.contains(wanted), "{given}: {error}");
        }
    }
}
