//! Secrets of a job, for masking texts about it.

use zerver_trace::Value;
use zerver_trace::secret::{Author, KnownSecrets, Rule};

use super::state_machine::Job;

impl Job {
    /// Returns the secrets in the request and in secret slots.
    pub fn known_secrets(&self, rule: &Rule) -> KnownSecrets {
        let mut secrets = KnownSecrets::default();
        let (request, flow) = (self.request(), self.flow().info());
        for (name, value) in &request.headers {
            let value_bytes = value.as_bytes();
            if value.is_sensitive() {
                secrets.add_words(value_bytes);
            } else {
                let spans = rule.header_spans(name.as_str(), value_bytes, Author::Client);
                spans.into_iter().for_each(|span| secrets.add_words(&value_bytes[span]));
            }
        }
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str()).as_bytes();
        let spans = rule.target_spans(&flow.name, &flow.pattern, target);
        spans.into_iter().for_each(|span| secrets.add_words(&target[span]));
        let body = &request.body[..];
        rule.spans(body, Author::Client).into_iter().for_each(|span| secrets.add_words(&body[span]));
        let secret = flow.slots.iter().enumerate().filter(|(_, slot)| slot.is_secret);
        for datum in secret.filter_map(|(at, _)| self.slot(at as u16)) {
            if let Ok(value) = Value::from_recordable(&**datum) {
                secrets.add_value(&value.root());
            }
        }
        secrets
    }

    /// Returns a text about the job with its secrets masked: those that `rule` finds in the text, and copies of the
    /// [known secrets](Self::known_secrets).
    pub fn masked(&self, text: &str, rule: &Rule) -> String {
        self.known_secrets(rule).masked(text.as_bytes(), rule).unwrap_or_else(|| text.to_owned())
    }
}
