//! Lists what a trace lacks, and where it contradicts itself.

use zerver_trace::{Kept, RecordedBody, RecordedBy};

use crate::timeline::build::builder::TimelineBuilder;
use crate::timeline::build::missing_values;
use crate::timeline::rows::effect::EffectEnd;
use crate::timeline::rows::gap::Gap;

impl TimelineBuilder<'_> {
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let attempts = self.runs.iter().flat_map(|run| &run.effects).flat_map(|effect| &effect.attempts);
        let unanswered = attempts.filter(|attempt| attempt.end == EffectEnd::Unanswered).count() as u32;
        let end = self.trace.duration_ns;
        let past =
            self.runs.iter().filter(|run| run.start_ns.saturating_add(run.cpu_ns) > end).count() as u32;
        let cut = |body: &RecordedBody| body.full_len.saturating_sub(body.kept_len);
        // The steps of an imported trace stand for spans, and never ran.
        let is_imported = self.trace.kept == Kept::Imported;
        let is_of_layer = self.trace.recorded_by == RecordedBy::Layer;
        let gaps = [
            (is_imported, Gap::Imported),
            (is_of_layer, Gap::Layer),
            (self.trace.events_dropped > 0, Gap::Dropped(self.trace.events_dropped)),
            (unanswered > 0, Gap::Unanswered(unanswered)),
            (self.stray_answers > 0, Gap::StrayAnswers(self.stray_answers)),
            (self.without_run > 0 && self.trace.has_steps(), Gap::WithoutRun(self.without_run)),
            (self.unknown_names > 0, Gap::UnknownNames(self.unknown_names)),
            (self.backwards > 0, Gap::Backwards(self.backwards)),
            (past > 0, Gap::PastEnd(past)),
            (cut(&self.trace.request_body) > 0, Gap::RequestBody(cut(&self.trace.request_body))),
            (cut(&self.trace.response_body) > 0, Gap::ResponseBody(cut(&self.trace.response_body))),
        ];
        let gaps = gaps.into_iter().filter_map(|(is, gap)| is.then_some(gap));
        gaps.chain(missing_values::values(self.trace, &self.runs)).collect()
    }
}
