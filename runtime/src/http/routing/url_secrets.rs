//! Reports secrets in URLs during development, each parameter once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use zerver_trace::secret::{Author, Rule};

use crate::operator_log;

/// Maximum number of parameters that are reported, because clients choose their names.
const MAX_REPORTED: usize = 100;

/// Reports secrets in the queries of requests.
#[derive(Debug, Default)]
pub(crate) struct UrlSecretCheck {
    /// Names of flows and parameters.
    reported: Mutex<BTreeSet<(String, String)>>,
}

impl UrlSecretCheck {
    /// Reports the parameters of a query that look like secrets, unless the flow or the program marks them as such.
    pub(crate) fn check(&self, flow: &str, query: &str, rule: &Rule) {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !is_secret(rule, flow, &name, &value) {
                continue;
            }
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            if reported.len() < MAX_REPORTED && reported.insert((flow.to_owned(), name.to_string())) {
                operator_log::warn(&message(flow, &name));
            }
        }
    }
}

fn is_secret(rule: &Rule, flow: &str, name: &str, value: &str) -> bool {
    let looks_secret =
        || rule.is_parameter(flow, name) || !rule.spans(value.as_bytes(), Author::Client).is_empty();
    !value.is_empty() && !rule.is_marked_parameter(flow, name) && looks_secret()
}

fn message(flow: &str, name: &str) -> String {
    format!(
        "the URL of a request to the flow {flow} contains a secret, in its parameter {name:?}; URLs end up in histories and in logs \
         of proxies, so send it in a header or in the body, or mark it with .secret_param({name:?}) if it has to be there"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_or_by_value() {
        let rule = Rule::new::<&str>(&[], &[(Some("callback"), "code")]);
        let is_secret = |flow: &str, name: &str, value: &str| is_secret(&rule, flow, name, value);
        assert!(is_secret("show", "access_token", "abc") && is_secret("show", "api_key", "1"));
        assert!(is_secret("show", "x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"));
        assert!(!is_secret("show", "page", "2") && !is_secret("show", "access_token", ""));
        assert!(!is_secret("show", "next_page_token", "abc"), "a position in a list");
        assert!(is_secret("show", "code", "abc") && !is_secret("callback", "code", "abc"), "it is marked");
    }

    #[test]
    fn a_parameter_is_reported_once() {
        let check = UrlSecretCheck::default();
        for query in ["token=a", "token=b&page=1", "token=c"] {
            check.check("show", query, &Rule::default());
        }
        (0..2 * MAX_REPORTED).for_each(|at| check.check("show", &format!("token{at}x=a"), &Rule::default()));
        let reported = check.reported.lock().unwrap();
        assert!(
            reported.contains(&("show".to_owned(), "token".to_owned())) && reported.len() <= MAX_REPORTED
        );
    }
}
