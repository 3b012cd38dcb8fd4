//! Aliases: other paths of a flow, such as those of earlier versions.

use super::date::Date;
use super::step_order::Message;

/// Another path of a flow, such as that of an earlier version.
///
/// It has the parameters of the route, in any order. A client that uses it learns the path of the route from the header
/// `Link` (`rel="successor-version"`), since when the alias is deprecated from `Deprecation` (RFC 9745), and when it will end
/// from `Sunset` (RFC 8594). The alias is served after that day, too, until it is removed from the program: no service stops
/// answering because of the date.
///
/// ```
/// use zerver_engine::{Alias, Request, Response, flow, step};
///
/// #[step]
/// fn show(request: &Request) -> Response {
///     Response::text(request.param_str("id").unwrap_or_default())
/// }
///
/// let flow = flow!("order-show" v2, GET "/v2/orders/{id}",
///     owner: "checkout",
///     aliases: [Alias::redirect("/orders/{id}").deprecated("2026-12-01").until("2027-03-01")],
///     steps: [show]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    pattern: &'static str,
    is_redirect: bool,
    deprecated: Option<Date>,
    until: Option<Date>,
}

impl Alias {
    /// Creates an alias whose requests run the steps of the flow.
    pub const fn serve(pattern: &'static str) -> Self {
        Self { pattern, is_redirect: false, deprecated: None, until: None }
    }

    /// Creates an alias whose requests are answered with a redirect to the route: 308, with the same method and query.
    pub const fn redirect(pattern: &'static str) -> Self {
        Self { is_redirect: true, ..Self::serve(pattern) }
    }

    /// Sets the day since which clients should not use the alias, as `YYYY-MM-DD`. It may be in the future.
    ///
    /// # Panics
    /// If it is not a date. In `flow!`, this is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn deprecated(mut self, date: &'static str) -> Self {
        self.deprecated = Some(Date::parse(date));
        self
    }

    /// Sets the day on which the alias is planned to be removed, as `YYYY-MM-DD`.
    ///
    /// # Panics
    /// If it is not a date. In `flow!`, this is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn until(mut self, date: &'static str) -> Self {
        self.until = Some(Date::parse(date));
        self
    }

    /// Returns the pattern of its path.
    pub const fn pattern(&self) -> &'static str {
        self.pattern
    }

    /// Returns true if its requests are redirected to the route.
    pub const fn is_redirect(&self) -> bool {
        self.is_redirect
    }

    /// Returns the day since which it is deprecated.
    pub const fn deprecation(&self) -> Option<Date> {
        self.deprecated
    }

    /// Returns the day on which it is planned to be removed.
    pub const fn sunset(&self) -> Option<Date> {
        self.until
    }

    /// Panics, and thus fails to compile, if its dates contradict each other or it is no path.
    #[track_caller]
    pub(super) const fn check(&self, flow: &str) {
        let message = Message::new("alias `").add(self.pattern).add("` of flow `").add(flow);
        if self.pattern.is_empty() || self.pattern.as_bytes()[0] != b'/' {
            message.add("` must start with `/`").fail();
        }
        match (self.deprecated, self.until) {
            (None, Some(_)) => message
                .add("` has an end but is not deprecated: add `.deprecated(\"YYYY-MM-DD\")`, so that clients learn of it")
                .fail(),
            // RFC 9745, section 4.
            (Some(since), Some(until)) if until.is_before(since) => {
                message.add("` ends before it is deprecated").fail()
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(alias: Alias) -> Option<String> {
        let panic = std::panic::catch_unwind(|| alias.check("orders")).err()?;
        panic.downcast_ref::<String>().cloned()
    }

    #[test]
    fn dates_must_agree() {
        let alias = Alias::serve("/orders");
        assert_eq!(fault(alias), None);
        assert_eq!(fault(alias.deprecated("2026-12-01").until("2026-12-01")), None);
        insta::assert_snapshot!(fault(alias.until("2027-03-01")).unwrap(), @r#"alias `/orders` of flow `orders` has an end but is not deprecated: add `.deprecated("YYYY-MM-DD")`, so that clients learn of it"#);
        let late = alias.deprecated("2027-03-02").until("2027-03-01");
        insta::assert_snapshot!(fault(late).unwrap(), @"alias `/orders` of flow `orders` ends before it is deprecated");
        insta::assert_snapshot!(fault(Alias::redirect("orders")).unwrap(), @"alias `orders` of flow `orders` must start with `/`");
    }
}
