//! The fake interpreter: it answers a call as a recorded call of the same kind with the same arguments was answered,
//! each once, and nothing else. It never guesses.

use zerver_engine::{Call, Performed};
use zerver_trace::{Answer, Value};

use super::facts::{self, Facts};
use super::replay::Secrets;

/// The recorded answers of one request.
pub(super) struct Answers<'r> {
    calls: Vec<(&'r facts::Call<'r>, bool)>,
    /// Those whose answers went to nobody, for something went wrong with the call.
    spared: Vec<&'r facts::Call<'r>>,
    secrets: &'r Secrets,
}

/// What is known of how a call ended.
pub(super) enum Known {
    /// So.
    Ended(Performed),
    /// It was in flight when the request ended.
    InFlight,
    /// Nothing, and why.
    Nothing(String),
}

impl<'r> Answers<'r> {
    pub(super) fn new(recorded: &'r Facts<'r>, secrets: &'r Secrets) -> Self {
        Self { calls: recorded.calls().map(|call| (call, false)).collect(), spared: Vec::new(), secrets }
    }

    /// The recorded call that this one is, if there is one left.
    pub(super) fn take(&mut self, kind: &str, args: &Value) -> Option<&'r facts::Call<'r>> {
        let secrets = self.secrets;
        let same = |call: &facts::Call<'_>| *call.kind == *kind && secrets.plain(&call.args) == Ok(args);
        let found = self.calls.iter_mut().find(|(call, taken)| !taken && same(call))?;
        found.1 = true;
        Some(found.0)
    }

    /// The same for another attempt at a call: where no more were recorded, the one whose answer was spared.
    pub(super) fn take_again(&mut self, kind: &str, args: &Value) -> Option<&'r facts::Call<'r>> {
        let secrets = self.secrets;
        self.take(kind, args).or_else(|| {
            let same = |call: &&facts::Call<'_>| *call.kind == *kind && secrets.plain(&call.args) == Ok(args);
            let at = self.spared.iter().position(same)?;
            Some(self.spared.remove(at))
        })
    }

    /// The answer of this one went to nobody.
    pub(super) fn spare(&mut self, call: &'r facts::Call<'r>) {
        self.spared.push(call);
    }

    /// Why a call has no answer.
    pub(super) fn why_not(&self, kind: &str) -> String {
        let hidden =
            self.calls.iter().filter(|(call, taken)| !taken && *call.kind == *kind).find_map(|(call, _)| {
                Some(format!("the arguments of {}: {}", call.label(), self.secrets.plain(&call.args).err()?))
            });
        hidden.unwrap_or_else(|| "it was not recorded with these arguments".to_owned())
    }

    /// How a recorded call ended, as an answer to `call`.
    pub(super) fn answer(&self, recorded: &facts::Call<'_>, call: &Call) -> Known {
        match (&recorded.answer, recorded.answered) {
            (Some(Answer::Ok(output)), Some(_)) => match self.secrets.plain(output) {
                Ok(output) => match call.decode(output) {
                    Ok(output) => Known::Ended(Ok(output)),
                    Err(error) => {
                        Known::Nothing(format!("its recorded answer fits no more: {}", error.message))
                    }
                },
                Err(gone) => Known::Nothing(format!("its recorded answer: {gone}")),
            },
            (Some(Answer::Err(error)), Some(_)) => Known::Ended(Err(error.clone())),
            _ => Known::InFlight,
        }
    }
}
