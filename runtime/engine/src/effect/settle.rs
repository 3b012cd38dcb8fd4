//! Groups whose members may fail: each result reaches the next step, with its name.

use serde::{Deserialize, Serialize};

use super::composition::Effect;
use super::group::{All, all, join_all};
use crate::Failure;

/// Performs several effects at the same time and returns the result of each as a tuple. It waits for all of them. No
/// failure of a member fails the request.
///
/// A `Result<T, Failure>` can be a field of a slot, so the fields name the results:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zerver_engine::{Decision, Decision::Need, Effect, Failure, Slot, settle, step};
///
/// #[derive(Slot, Serialize, Deserialize)]
/// struct Dashboard {
///     rates: Result<u32, Failure>,
///     news: Result<String, Failure>,
/// }
///
/// #[step]
/// fn load() -> Decision<Dashboard> {
///     let (rates, news) = (Effect::ready(7), Effect::fail(Failure::unavailable("news")));
///     Need(settle((rates, news)).map(|(rates, news)| Dashboard { rates, news }))
/// }
/// # load();
/// ```
pub fn settle<S: Settle>(effects: S) -> Effect<S::Output> {
    effects.settle()
}

/// A tuple of two to four effects, each of which may fail.
pub trait Settle {
    /// Tuple of their results.
    type Output;
    /// Performs them at the same time.
    fn settle(self) -> Effect<Self::Output>;
}

macro_rules! settle {
    ($($t:ident)+) => {
        #[allow(non_snake_case)]
        impl<$($t: Send + 'static),+> Settle for ($(Effect<$t>,)+) {
            type Output = <($(Effect<Result<$t, Failure>>,)+) as All>::Output;

            fn settle(self) -> Effect<Self::Output> {
                let ($($t,)+) = self;
                all(($($t.attempt(),)+))
            }
        }
    };
}

settle!(A B);
settle!(A B C);
settle!(A B C D);

/// Performs any number of named effects of one type at the same time, and returns the result of each with its name, in
/// order. It waits for all of them. No failure of a member fails the request.
///
/// ```
/// use zerver_engine::{Effect, Settled, settle_each};
///
/// let prices: Effect<Settled<u32>> =
///     settle_each([("acme", Effect::ready(7)), ("globex", Effect::ready(9))]);
/// ```
pub fn settle_each<N, T>(effects: impl IntoIterator<Item = (N, Effect<T>)>) -> Effect<Settled<T>>
where
    N: Into<String>,
    T: Send + 'static,
{
    let (names, effects): (Vec<String>, Vec<_>) =
        effects.into_iter().map(|(name, effect)| (name.into(), effect.attempt())).unzip();
    join_all(effects).map(|results| Settled { members: std::iter::zip(names, results).collect() })
}

/// Results of [`settle_each`]. It can be a field of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settled<T> {
    members: Vec<(String, Result<T, Failure>)>,
}

impl<T> Settled<T> {
    /// Returns the outputs of the members that succeeded, with their names, in order.
    pub fn succeeded(&self) -> impl Iterator<Item = (&str, &T)> {
        self.members.iter().filter_map(|(name, result)| Some((name.as_str(), result.as_ref().ok()?)))
    }

    /// Returns the failures of the members that failed, with their names, in order.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.members.iter().filter_map(|(name, result)| Some((name.as_str(), result.as_ref().err()?)))
    }

    /// Returns the result of the first member with this name.
    pub fn get(&self, name: &str) -> Option<Result<&T, &Failure>> {
        self.members.iter().find(|(other, _)| other == name).map(|(_, result)| result.as_ref())
    }
}

impl<T> IntoIterator for Settled<T> {
    type Item = (String, Result<T, Failure>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}
