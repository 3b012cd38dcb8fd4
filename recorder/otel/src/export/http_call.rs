//! An attempt of an effect of kind `http`, as far as its recorded form shows it.

use zerver_analysis::{Attempt, Effect, EffectEnd};
use zerver_trace::Node;

use super::request_span::known_method;
use super::url_parts::UrlParts;
use crate::otlp::{Span, SpanKind, Status, StatusCode};

/// An attempt of an effect of kind `http`.
#[derive(Debug, Default)]
pub(crate) struct HttpCall {
    /// Method; empty if it was not recorded.
    pub(crate) method: String,
    pub(crate) url: UrlParts,
    /// Status of the reply.
    pub(crate) status: Option<u16>,
}

impl HttpCall {
    pub(crate) fn of(effect: &Effect, attempt: &Attempt) -> Self {
        let args = effect.args.value().map(zerver_trace::Value::root);
        let text = |name: &str| args.as_ref()?.field(name)?.as_str().map(str::to_owned);
        Self {
            method: text("method").unwrap_or_default(),
            url: UrlParts::of(&text("url").unwrap_or_default()),
            status: status(&attempt.end),
        }
    }

    /// Adds the conventions for clients of HTTP. Unlike for servers, a status of 4xx is an error.
    pub(super) fn describe(&self, attempt: &Attempt, span: &mut Span) {
        span.kind = SpanKind::Client;
        let (method, original) = known_method(&self.method);
        span.name = if method == "_OTHER" { "HTTP" } else { method }.to_owned();
        let attributes = &mut span.attributes;
        attributes.add("http.request.method", method);
        attributes.add_some("http.request.method_original", original.filter(|method| !method.is_empty()));
        attributes.add_text("server.address", self.url.host.as_str());
        attributes.add_some("server.port", self.url.port);
        attributes.add_text("url.full", self.url.full.as_str());
        attributes.add_some("http.request.resend_count", attempt.number.checked_sub(1).filter(|&n| n > 0));
        if let Some(status) = self.status {
            attributes.add("http.response.status_code", status);
            if status >= 400 {
                attributes.add("error.type", status.to_string());
                span.status = Status { code: StatusCode::Error, message: String::new() };
            }
        }
    }
}

fn status(end: &EffectEnd) -> Option<u16> {
    let EffectEnd::Ok { output, .. } = end else { return None };
    let root = output.value()?.root();
    match root.field("status").unwrap_or(&root) {
        Node::Uint(status) => u16::try_from(*status).ok().filter(|status| (100..=599).contains(status)),
        _ => None,
    }
}
