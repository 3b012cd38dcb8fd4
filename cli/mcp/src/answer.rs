//! The answer of a tool: a document, or a part of it that an assistant can take in.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

/// Maximum length of the part of a document in one answer, in bytes.
const MAX_LEN: usize = 16 << 10;

/// Returns `{"untrusted": DOCUMENT}`, or a part of a long document as text, with the offset of the next part.
///
/// # Errors
/// That there is no such part.
pub(crate) fn answer(output: &[u8], given: &JsonObject) -> Result<String, String> {
    let text = String::from_utf8_lossy(output);
    // A test is a program, and not a JSON document.
    let mut document = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()));
    if let Some(pointer) = given.get("pointer").and_then(Value::as_str) {
        let part = document.pointer_mut(pointer).map(Value::take);
        document = part.ok_or_else(|| format!("the document has no value at {pointer:?}"))?;
    }
    let offset = given.get("offset").and_then(Value::as_u64).unwrap_or(0);
    let whole = match &document {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if offset == 0 && whole.len() <= MAX_LEN {
        return Ok(json!({ "untrusted": document, "next": null }).to_string());
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    if start >= whole.len() || !whole.is_char_boundary(start) {
        return Err(format!(
            "there is nothing at the offset {offset}: the document has {} bytes",
            whole.len()
        ));
    }
    let mut end = (start + MAX_LEN).min(whole.len());
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    let next = (end < whole.len()).then_some(end);
    Ok(json!({ "untrusted": &whole[start..end], "part_of_bytes": whole.len(), "next": next }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(document: &str, given: &Value) -> Result<Value, String> {
        answer(document.as_bytes(), given.as_object().unwrap())
            .map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_short_document_is_whole_and_a_long_one_comes_in_parts() {
        let short = ask(r#"{"a": [1, 2]}"#, &json!({})).unwrap();
        assert_eq!(short, json!({"untrusted": {"a": [1, 2]}, "next": null}));
        let long = json!({"text": "ä".repeat(20_000)}).to_string();
        let (mut all, mut offset) = (String::new(), json!(0));
        loop {
            let part = ask(&long, &json!({ "offset": offset })).unwrap();
            all += part["untrusted"].as_str().unwrap();
            offset = part["next"].clone();
            if offset.is_null() {
                break;
            }
        }
        assert_eq!(all, long);
        assert!(ask(&long, &json!({"offset": 10})).is_err(), "within a character");
        assert!(ask(&long, &json!({"offset": 999_999})).is_err());
    }

    #[test]
    fn a_part_of_a_document_is_found_by_its_pointer() {
        let document = r#"{"slots": [{"value": 7}]}"#;
        let part = ask(document, &json!({"pointer": "/slots/0/value"})).unwrap();
        assert_eq!(part["untrusted"], 7);
        assert!(ask(document, &json!({"pointer": "/slots/1"})).unwrap_err().contains("no value at"));
        assert_eq!(ask("fn test() {}", &json!({})).unwrap()["untrusted"], "fn test() {}");
    }
}
