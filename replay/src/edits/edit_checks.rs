//! Checks edits against a recording before anything runs.

use crate::edits::edit_set::Edits;
use crate::edits::effect_names::{is_asked, unknown_effect};
use crate::observed::Observed;
use crate::replay::Replay;
use crate::replay_error::ReplayError;
use crate::run::context::LivePerformer;

impl Replay<'_> {
    /// Checks that the host can perform the live kinds.
    pub(crate) fn check_live(&self) -> Result<(), ReplayError> {
        let kinds = self.context.live.map_or(Vec::new(), LivePerformer::kinds);
        let named = self.edits.live.iter().map(|live| live.kind.as_str());
        match named.into_iter().find(|kind| !kinds.contains(kind)) {
            None => Ok(()),
            Some(kind) => {
                Err(ReplayError::new(format!("the service has no effect of kind {kind}"))
                    .suggest(kind, &kinds))
            }
        }
    }

    /// Checks that the effects with faults exist.
    ///
    /// Another edit may add such an effect. The check then happens after the run, unless an effect would have been
    /// performed for real by then.
    pub(crate) fn check_faults(
        &self,
        recorded: &Observed<'_>,
        plain: Option<&Observed<'_>>,
    ) -> Result<(), ReplayError> {
        let faults_alone = Edits { faults: self.edits.faults.clone(), ..Edits::default() };
        if self.edits.live.is_empty() && (*self.edits != faults_alone || plain.is_none()) {
            return Ok(());
        }
        let all = || recorded.calls().chain(plain.into_iter().flat_map(Observed::calls));
        let known =
            |effect: &str| is_asked(effect, recorded) || plain.is_some_and(|plain| is_asked(effect, plain));
        match self.edits.faults.iter().find(|fault| !known(&fault.effect)) {
            Some(fault) => Err(unknown_effect(&fault.effect, all())),
            None => Ok(()),
        }
    }
}
