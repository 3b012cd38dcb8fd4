//! Rules that reclassify requests.

use http::{HeaderMap, HeaderName};
use serde_json::{Value as Json, json};
use zerver_engine::{Class, Request};

use crate::config::MASK;
use crate::http::{is_local_client, tokens_match};

/// A rule that reclassifies requests: it gives them another class than that of their flow. The first rule that matches
/// applies, and the trace names it.
///
/// ```
/// use zerver::{App, ClassRule};
/// use zerver::prelude::Class;
///
/// let app = App::new()
///     .class_rule(ClassRule::path("/reports/", Class::Batch))
///     .class_rule(ClassRule::header("x-tenant", "bulk-import", Class::Batch))
///     .class_rule(ClassRule::body_over(256 * 1024, Class::Batch))
///     .class_rule(ClassRule::requested_in("x-class").with_token("s3cret"));
/// ```
#[derive(Debug, Clone)]
pub struct ClassRule {
    when: When,
    /// `None` if the request names its class.
    class: Option<Class>,
    reason: String,
}

#[derive(Debug, Clone)]
enum When {
    Path(String),
    Header(String, String),
    BodyOver(usize),
    RequestedIn { header: String, token: Option<String> },
}

impl ClassRule {
    /// Matches requests whose path starts with `prefix`.
    pub fn path(prefix: impl Into<String>, class: Class) -> Self {
        let prefix = prefix.into();
        Self { reason: format!("path {prefix}"), when: When::Path(prefix), class: Some(class) }
    }

    /// Matches requests that have a header with this value, such as the id of a tenant.
    ///
    /// # Panics
    /// If HTTP does not allow the name.
    pub fn header(name: &str, value: impl Into<String>, class: Class) -> Self {
        let value = value.into();
        Self {
            reason: format!("header {name}: {value}"),
            when: When::Header(checked(name), value),
            class: Some(class),
        }
    }

    /// Matches requests whose body is longer than this many bytes.
    pub fn body_over(bytes: usize, class: Class) -> Self {
        Self { reason: format!("body over {bytes} bytes"), when: When::BodyOver(bytes), class: Some(class) }
    }

    /// Matches requests that name their class in this header: `interactive`, `default` or `batch`. Without a token, only
    /// local clients are trusted. If a proxy on the same machine leaves no mark in requests, every client appears local, so
    /// set a token there.
    ///
    /// # Panics
    /// If HTTP does not allow the name.
    pub fn requested_in(header: &str) -> Self {
        let header = checked(header);
        Self {
            reason: format!("header {header}"),
            when: When::RequestedIn { header, token: None },
            class: None,
        }
    }

    /// Trusts only clients that know this token. The header then contains `CLASS TOKEN`. Applies to rules made by
    /// [`ClassRule::requested_in`].
    #[must_use]
    pub fn with_token(mut self, secret: impl Into<String>) -> Self {
        if let When::RequestedIn { token, .. } = &mut self.when {
            *token = Some(secret.into());
        }
        self
    }

    /// Returns the reason that a trace records when the rule matches.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the rule as it appears in `zerver.toml`. The token is masked, and so is the value of a header, which may be
    /// secret too.
    pub(crate) fn document(&self) -> Json {
        let mut document = match &self.when {
            When::Path(prefix) => json!({ "path": prefix }),
            When::Header(name, _) => json!({ "header": name, "value": MASK }),
            When::BodyOver(bytes) => json!({ "body_over": bytes }),
            When::RequestedIn { header, token: None } => json!({ "requested_in": header }),
            When::RequestedIn { header, token: Some(_) } => json!({ "requested_in": header, "token": MASK }),
        };
        if let Some(class) = self.class {
            document["class"] = class.as_str().into();
        }
        document
    }

    /// Marks the header that contains the token as secret.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if let When::RequestedIn { header, token: Some(_) } = &self.when
            && let Some(value) = headers.get_mut(header)
        {
            value.set_sensitive(true);
        }
    }

    /// Returns the class for this request, if the rule matches.
    pub(super) fn class_of(&self, request: &Request) -> Option<Class> {
        match &self.when {
            When::Path(prefix) => request.uri.path().starts_with(prefix).then_some(())?,
            When::Header(name, value) => {
                let mut values = request.headers.get_all(name).iter();
                values.any(|found| found.as_bytes() == value.as_bytes()).then_some(())?;
            }
            When::BodyOver(bytes) => (request.body.len() > *bytes).then_some(())?,
            When::RequestedIn { header, token } => {
                let text = request.headers.get(header)?.to_str().ok()?;
                let (class, presented) = text.split_once(' ').unwrap_or((text, ""));
                let is_trusted = match token {
                    Some(token) => tokens_match(presented.as_bytes(), token.as_bytes()),
                    None => is_local_client(request),
                };
                return is_trusted.then(|| class.parse().ok()).flatten();
            }
        }
        self.class
    }
}

fn checked(name: &str) -> String {
    match HeaderName::try_from(name) {
        Ok(name) => name.as_str().to_owned(),
        Err(_) => panic!("{name:?} is not the name of a header"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_rule_matches_its_requests_only() {
        let check = |rule: &ClassRule, request: Request, class: Option<Class>| {
            assert_eq!(rule.class_of(&request), class, "{rule:?}");
        };
        let path = ClassRule::path("/reports/", Class::Batch);
        check(&path, Request::get("/reports/7"), Some(Class::Batch));
        check(&path, Request::get("/report"), None);
        let tenant = ClassRule::header("X-Tenant", "a", Class::Interactive);
        check(&tenant, Request::get("/").with_header("x-tenant", "a"), Some(Class::Interactive));
        check(&tenant, Request::get("/").with_header("x-tenant", "ab"), None);
        let large = ClassRule::body_over(2, Class::Batch);
        check(&large, Request { body: "abc".into(), ..Request::get("/") }, Some(Class::Batch));
        check(&large, Request { body: "ab".into(), ..Request::get("/") }, None);
    }

    #[test]
    fn only_trusted_clients_may_name_a_class() {
        let requested_class = |rule: &ClassRule, peer: &str, value: &str| {
            let peer = Some(peer.parse().unwrap());
            let request = Request::get("/").with_header("host", "localhost").with_header("x-class", value);
            rule.class_of(&Request { peer, ..request })
        };
        let local_only = ClassRule::requested_in("x-class");
        assert_eq!(requested_class(&local_only, "127.0.0.1:9", "batch"), Some(Class::Batch));
        assert_eq!(requested_class(&local_only, "[::1]:9", "interactive"), Some(Class::Interactive));
        assert_eq!(requested_class(&local_only, "10.0.0.1:9", "batch"), None);
        assert_eq!(requested_class(&local_only, "127.0.0.1:9", "first"), None);
        let with_token = ClassRule::requested_in("x-class").with_token("s3cret");
        assert_eq!(requested_class(&with_token, "10.0.0.1:9", "batch s3cret"), Some(Class::Batch));
        assert_eq!(requested_class(&with_token, "127.0.0.1:9", "batch"), None);
        assert_eq!(requested_class(&with_token, "127.0.0.1:9", "batch s3cre"), None);
    }
}
