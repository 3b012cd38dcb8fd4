//! Comparison of secret tokens in constant time.

/// Returns true if the tokens are equal and not empty. The time taken does not depend on where they differ.
pub(crate) fn tokens_match(received: &[u8], token: &[u8]) -> bool {
    let differences = std::iter::zip(received, token).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differences) == 0 && received.len() == token.len() && !token.is_empty()
}
