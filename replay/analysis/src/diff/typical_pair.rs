//! Picks two requests of a flow to compare if the user names none.

use thiserror::Error;
use zerver_trace::{RequestId, Summary};

/// Minimum number of requests to pick from.
const MIN_REQUESTS: usize = 10;

/// A typical fast and a typical slow request of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypicalPair {
    /// Median of the others.
    pub fast: RequestId,
    /// Median of the slowest tenth.
    pub slow: RequestId,
    /// Number of requests picked from.
    pub population: usize,
}

/// There are too few requests to pick typical ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too few successful requests to pick typical ones: {found} of at least {MIN_REQUESTS}")]
pub struct TooFewRequests {
    /// Number of successful requests.
    pub found: usize,
}

/// Picks the median of the slowest tenth (at least one request) and the median of the others. Only successful requests
/// count ([`Summary::has_succeeded`]): others are fast or slow for reasons of their own.
///
/// # Errors
/// Fails if there are fewer than ten.
pub fn typical_pair(requests: &[Summary]) -> Result<TypicalPair, TooFewRequests> {
    let mut answered: Vec<(u64, RequestId)> = requests
        .iter()
        .filter(|request| request.has_succeeded())
        .map(|request| (request.duration_ns, request.id))
        .collect();
    if answered.len() < MIN_REQUESTS {
        return Err(TooFewRequests { found: answered.len() });
    }
    answered.sort_unstable();
    let (rest, slowest) = answered.split_at(answered.len() - answered.len().div_ceil(10));
    let middle = |of: &[(u64, RequestId)]| of[(of.len() - 1) / 2].1;
    Ok(TypicalPair { fast: middle(rest), slow: middle(slowest), population: answered.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn typical_requests_are_medians_of_the_successful_ones() {
        let request = |ms: u64, failed| {
            let mut summary = sample::slow().summary();
            (summary.id, summary.duration_ns, summary.is_failed) =
                (RequestId::from_u128(ms.into()), ms, failed);
            summary
        };
        let ms = |id: RequestId| id.as_u128();
        let mut requests: Vec<Summary> = (1..=30).rev().map(|ms| request(ms, false)).collect();
        requests.extend((100..200).map(|ms| request(ms, true)));
        // A step may answer with 4xx, which is no success either.
        requests.extend((200..300).map(|ms| Summary { status: 404, ..request(ms, false) }));
        let found = typical_pair(&requests).unwrap();
        assert_eq!((ms(found.fast), ms(found.slow), found.population), (14, 29, 30));

        let found = typical_pair(&requests[..10]).unwrap();
        assert_eq!((ms(found.fast), ms(found.slow)), (25, 30));
        assert_eq!(typical_pair(&requests[21..]).unwrap_err(), TooFewRequests { found: 9 });
        assert!(typical_pair(&[]).unwrap_err().to_string().contains("0 of at least 10"));
    }
}
