//! The client of a request, as far as access depends on it.

use zerver::prelude::*;

/// A slot that describes the client of a request: the claims of a token, a session, a user.
///
/// ```
/// use zerver::prelude::*;
/// use zerver_auth::Principal;
///
/// #[slot]
/// #[derive(Debug, Clone)]
/// struct Viewer { sub: String, roles: Vec<String>, scope: String, org: Option<String> }
///
/// impl Principal for Viewer {
///     fn has_role(&self, role: &str) -> bool {
///         self.roles.iter().any(|own| own == role)
///     }
///
///     fn has_capability(&self, capability: &str) -> bool {
///         zerver_auth::scope_contains(&self.scope, capability)
///     }
///
///     fn tenant(&self) -> Option<&str> {
///         self.org.as_deref()
///     }
/// }
/// ```
pub trait Principal: Slot {
    /// Returns true if the client has this role. By default, it has none.
    fn has_role(&self, _role: &str) -> bool {
        false
    }

    /// Returns true if the client has this capability, such as a scope of OAuth. By default, it has none.
    fn has_capability(&self, _capability: &str) -> bool {
        false
    }

    /// Returns the tenant to which the client belongs. By default, it belongs to none.
    fn tenant(&self) -> Option<&str> {
        None
    }
}

/// Returns true if a `scope`, which is a list of words separated by spaces (RFC 6749, section 3.3), contains this word.
pub fn scope_contains(scope: &str, word: &str) -> bool {
    scope.split(' ').any(|own| !own.is_empty() && own == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_list_of_words() {
        assert!(scope_contains("a b:write c", "b:write") && scope_contains("a", "a"));
        assert!(!scope_contains("ab", "a") && !scope_contains("a b", "a b") && !scope_contains("", ""));
    }
}
