//! Scopes of a frame, and the values that expressions name.

use zerver_analysis::{EffectEnd, RowSubject, SlotWrite, display, rfc3339};
use zerver_replay::value::display::{SECRET, wire};
use zerver_trace::duration::show;
use zerver_trace::text::clean;
use zerver_trace::{Decision, Header, Recorded, RecordedBody};

use super::loaded::LoadedRequest;
use super::variable_tree::VariableTree;

/// A group of variables of a frame.
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    pub(crate) variables: Vec<VariableTree>,
}

impl LoadedRequest {
    /// Returns the scopes of the frame of a row. The first is what a person looks at first.
    pub(crate) fn scopes(&self, row: usize) -> Vec<Scope> {
        let request = || Scope { name: "Request", variables: self.request_variables() };
        let mut scopes = match self.subject(row) {
            RowSubject::Request => vec![request()],
            RowSubject::Response => vec![
                Scope { name: "Response", variables: self.response_variables() },
                Scope { name: "Slots", variables: self.slots(row) },
                request(),
            ],
            RowSubject::Run(_) => vec![
                Scope { name: "Slots read", variables: self.reads(row) },
                Scope { name: "Slots written", variables: self.writes(row).iter().map(write).collect() },
                Scope { name: "Step", variables: self.step_variables(row) },
                Scope { name: "All slots", variables: self.slots(row) },
                request(),
            ],
            RowSubject::Effect(..) => vec![
                Scope { name: "Effect", variables: self.effect_variables(row) },
                Scope { name: "Slots written", variables: self.writes(row).iter().map(write).collect() },
                Scope { name: "All slots", variables: self.slots(row) },
                request(),
            ],
        };
        scopes.retain(|scope| !scope.variables.is_empty());
        scopes
    }

    /// Returns the slots as they were when the row began.
    fn slots(&self, row: usize) -> Vec<VariableTree> {
        let shown = self.slots_before(row).into_iter().map(|slot| match slot.is_masked {
            true => VariableTree::masked(&clean(slot.name)),
            false => VariableTree::recorded(slot.name, Some(format!("slot.{}", slot.name)), slot.value),
        });
        shown.collect()
    }

    fn reads(&self, row: usize) -> Vec<VariableTree> {
        let slots = self.slots(row);
        let names = self.run(row).map(|run| run.step.reads.as_slice()).unwrap_or_default();
        let read = |name: &String| {
            let name = clean(name);
            let found = slots.iter().find(|slot| slot.name == *name).cloned();
            found.unwrap_or_else(|| VariableTree::text(&name, "not written yet"))
        };
        names.iter().map(read).collect()
    }

    fn step_variables(&self, row: usize) -> Vec<VariableTree> {
        let Some(run) = self.run(row) else { return Vec::new() };
        let decided = run.decision.map_or("not recorded", Decision::as_str);
        let mut shown = vec![
            VariableTree::text("decided", decided),
            VariableTree::text("began after", show(run.start_ns)),
            VariableTree::text("ran for", show(run.cpu_ns)),
        ];
        if run.queue_ns > 0 {
            shown.push(VariableTree::text("queued for", show(run.queue_ns)));
        }
        if let Some(failure) = self.timeline.failure.as_ref().filter(|_| self.rows[row].state.is_failure()) {
            shown.push(VariableTree::text("failure", clean(&failure.to_string())));
            let causes = failure.causes.iter().enumerate();
            shown.extend(
                causes.map(|(at, cause)| VariableTree::text(&format!("cause {}", at + 1), clean(cause))),
            );
        }
        if let Some(progress) = &run.progress {
            shown.push(VariableTree::recorded("progress", None, progress));
        }
        let effects = run.effects.iter().enumerate();
        let effects: Vec<_> = effects
            .map(|(at, effect)| {
                let end = format!("{}: {}", clean(&effect.label()), clean(&effect.end.to_string()));
                VariableTree::text(&at.to_string(), end)
            })
            .collect();
        if !effects.is_empty() {
            let needs = clean(&display::needs(&run.effects)).into_owned();
            shown.push(VariableTree { is_list: true, ..VariableTree::group("effects", needs, effects) });
        }
        shown.extend(log_lines(&run.log_lines));
        shown
    }

    fn effect_variables(&self, row: usize) -> Vec<VariableTree> {
        let Some(effect) = self.effect(row) else { return Vec::new() };
        let call = effect.attempts.first().map_or(0, |attempt| attempt.call);
        let path = |part: &str| Some(format!("effect.{call}.{part}"));
        let mut shown = vec![VariableTree::recorded("arguments", path("args"), &effect.args)];
        shown.push(match &effect.end {
            EffectEnd::Ok { output, .. } => VariableTree::recorded("output", path("output"), output),
            end => VariableTree::text("output", clean(&end.to_string())),
        });
        shown.push(VariableTree::text("call", call.to_string()));
        shown.push(VariableTree::text("began after", show(effect.start_ns)));
        shown.push(VariableTree::text("took", show(effect.duration_ns)));
        let notes = effect.notes();
        if !notes.is_empty() {
            shown.push(VariableTree::text("notes", clean(&notes.join(", "))));
        }
        if effect.attempts.len() > 1 {
            let attempt = |attempt: &zerver_analysis::Attempt| {
                let end = format!("{}, after {}", clean(&attempt.end.to_string()), show(attempt.duration_ns));
                VariableTree::text(&attempt.number.to_string(), end)
            };
            let attempts = effect.attempts.iter().map(attempt).collect::<Vec<_>>();
            shown.push(VariableTree::group("attempts", attempts.len().to_string(), attempts));
        }
        let phases: Vec<_> =
            effect.phases().iter().map(|(name, ns)| VariableTree::text(&clean(name), show(*ns))).collect();
        if !phases.is_empty() {
            shown.push(VariableTree::group("phases", "of the last attempt", phases));
        }
        shown.extend(log_lines(&effect.log_lines));
        shown
    }

    fn request_variables(&self) -> Vec<VariableTree> {
        let trace = &self.trace;
        let mut shown = vec![
            VariableTree::text("id", trace.id.to_string()),
            VariableTree::text("method", clean(&trace.method)),
            VariableTree::text("target", wire(&trace.target).join("\\n")),
            headers("headers", "request.header", &trace.request_headers),
            body("request.body", &trace.request_body),
            VariableTree::text("flow", clean(&trace.flow.name)),
            VariableTree::text("class", trace.class.to_string()),
            VariableTree::text("received", rfc3339(trace.started_unix_ns)),
        ];
        if !trace.peer.is_empty() {
            shown.push(VariableTree::text("peer", clean(&trace.peer)));
        }
        shown
    }

    fn response_variables(&self) -> Vec<VariableTree> {
        let trace = &self.trace;
        let mut status = VariableTree::text("status", trace.status.to_string());
        status.path = Some("response.status".to_owned());
        let mut shown = vec![
            status,
            headers("headers", "response.header", &trace.response_headers),
            body("response.body", &trace.response_body),
            VariableTree::text("took", show(trace.duration_ns)),
        ];
        if let Some(failure) = &self.timeline.failure {
            shown.push(VariableTree::text("failure", clean(&failure.to_string())));
        }
        shown
    }

    /// Returns the value that an expression names in the frame of a row: the name of a slot, or a path as `zerver why-value`
    /// takes it.
    pub(crate) fn evaluate(&self, expression: &str, row: usize) -> Option<VariableTree> {
        let parts: Vec<&str> = expression.trim().split('.').collect();
        let found = |tree: VariableTree, rest: &[&str]| tree.part(rest.iter().copied()).cloned();
        let named = |all: Vec<VariableTree>, name: &str| all.into_iter().find(|tree| tree.name == name);
        match parts.as_slice() {
            ["slot", name, rest @ ..] => found(self.slot(name, row)?, rest),
            ["effect", call, what @ ("args" | "output"), rest @ ..] => {
                let call: u32 = call.parse().ok()?;
                let is_it = |row: &usize| {
                    let effect = self.effect(*row);
                    effect.is_some_and(|effect| effect.attempts.iter().any(|attempt| attempt.call == call))
                };
                let row = (0..self.rows.len()).find(is_it)?;
                let name = if *what == "args" { "arguments" } else { "output" };
                found(named(self.effect_variables(row), name)?, rest)
            }
            [side @ ("request" | "response"), "header", name @ ..] if !name.is_empty() => {
                let all =
                    if *side == "request" { self.request_variables() } else { self.response_variables() };
                found(named(all, "headers")?, &[&name.join(".")])
            }
            ["request", name, rest @ ..] => found(named(self.request_variables(), name)?, rest),
            ["response", name, rest @ ..] => found(named(self.response_variables(), name)?, rest),
            [name, rest @ ..] => found(self.slot(name, row)?, rest),
            [] => None,
        }
    }

    /// Returns a slot as it is in the frame of a row: what the row has written to it, else what was there before.
    fn slot(&self, name: &str, row: usize) -> Option<VariableTree> {
        let written = self.writes(row).iter().find(|write| write.name == name).map(write);
        written.or_else(|| self.slots(row).into_iter().find(|slot| slot.name == name))
    }
}

fn write(write: &SlotWrite) -> VariableTree {
    match write.is_masked() {
        true => VariableTree::text(&clean(&write.name), SECRET),
        false => VariableTree::recorded(&write.name, Some(format!("slot.{}", write.name)), &write.value),
    }
}

fn headers(name: &str, path: &str, headers: &[Header<Recorded>]) -> VariableTree {
    let header = |header: &Header<Recorded>| {
        let path = Some(format!("{path}.{}", header.name)).filter(|path| clean(path) == *path);
        VariableTree { path, ..VariableTree::text(&clean(&header.name), wire(&header.value).join("\\n")) }
    };
    let shown: Vec<_> = headers.iter().map(header).collect();
    VariableTree::group(name, shown.len().to_string(), shown)
}

fn body(path: &str, body: &RecordedBody) -> VariableTree {
    if body.full_len == 0 {
        return VariableTree::text("body", "empty");
    }
    let mut shown = VariableTree::wire("body", Some(path.to_owned()), &body.bytes);
    if body.kept_len < body.full_len {
        shown.text += &format!(" (recorded: {} of {} bytes)", body.kept_len, body.full_len);
    }
    shown
}

fn log_lines(lines: &[zerver_analysis::LogLine]) -> Option<VariableTree> {
    let shown: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let text = format!("{} {}: {}", line.level, clean(&line.target), clean(&line.text()));
            VariableTree::text(&at.to_string(), text)
        })
        .collect();
    let group = || VariableTree::group("log", format!("{} lines", shown.len()), shown.clone());
    (!shown.is_empty()).then(|| VariableTree { is_list: true, ..group() })
}
