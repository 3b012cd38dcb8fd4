//! A span that was imported, as an effect, is exported as it was, except for what was masked.

use zerver_analysis::Effect;
use zerver_trace::{Node, Value};

use crate::otlp::{AttributeValue, Attributes, Span, SpanKind};

/// Replaces name, kind and attributes by those that the span had.
pub(super) fn restore(effect: &Effect, span: &mut Span) {
    let Some(args) = effect.args.value().map(Value::root) else { return };
    let text = |name: &str| args.field(name).and_then(Node::as_str);
    if let Some(name) = text("span") {
        name.clone_into(&mut span.name);
    }
    let kind = text("kind").and_then(|kind| SpanKind::ALL.into_iter().find(|known| known.as_str() == kind));
    span.kind = kind.unwrap_or(span.kind);
    if let Some(AttributeValue::Map(attributes)) = args.field("attributes").map(attribute) {
        span.attributes = attributes;
    }
}

/// Returns the value of an attribute. A value is as deep as its recorded form, whose depth is limited.
fn attribute(node: &Node<'_>) -> AttributeValue {
    match node {
        Node::Str(text) => AttributeValue::Text((*text).to_owned()),
        Node::Bool(is_true) => AttributeValue::Bool(*is_true),
        Node::Int(number) => AttributeValue::Int(*number),
        Node::Uint(number) => AttributeValue::from(*number),
        Node::F64(number) => AttributeValue::Float(*number),
        Node::Bytes(bytes) => AttributeValue::Bytes(bytes.to_vec()),
        Node::Seq(items) => AttributeValue::List(items.iter().map(attribute).collect()),
        Node::Map(entries) => {
            let entry =
                |(name, value): &(Node<'_>, Node<'_>)| Some((name.as_str()?.to_owned(), attribute(value)));
            AttributeValue::Map(Attributes(entries.iter().filter_map(entry).collect()))
        }
        _ => AttributeValue::Empty,
    }
}
