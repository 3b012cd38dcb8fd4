//! Changes of one flow.

use zerver_trace::{AliasInfo, CatalogFlow, FlowDeclaration, FlowInfo, SloInfo, StepInfo, duration};

use super::routes::Routes;
use super::{Breaking, CatalogChange, route};

/// Adds the changes of a flow that is in both catalogs. `routes` are those of the new one.
pub(super) fn add_changes<'a>(
    old: &'a CatalogFlow,
    new: &CatalogFlow,
    routes: &Routes<'a>,
    today: &str,
    changes: &mut Vec<CatalogChange>,
) {
    let mut found = Changes { flow: &new.flow.name, changes: Vec::new() };
    let is_served = |pattern: &str| routes.owner(&old.flow.method, pattern).is_some();
    let lost = |pattern: &str| if is_served(pattern) { Breaking::No } else { Breaking::Yes };
    found.text("route", Some(route(old)), Some(route(new)), lost(&old.flow.pattern));
    found.text("class", Some(old.flow.class.as_str()), Some(new.flow.class.as_str()), Breaking::No);
    found.steps(&old.flow, &new.flow);
    if let (Some(old_words), Some(new_words)) = (&old.declaration, &new.declaration) {
        for alias in &old_words.aliases {
            let kept = new_words.aliases.iter().find(|kept| kept.pattern == alias.pattern);
            let is_over = alias.until.as_deref().is_some_and(|until| until <= today);
            let breaking = if kept.is_some() || is_over { Breaking::No } else { lost(&alias.pattern) };
            found.text("alias", Some(alias_text(alias)), kept.map(alias_text), breaking);
            if breaking == Breaking::Yes
                && let Some(until) = &alias.until
            {
                found.note(format!("it was to stay until {until}"));
            }
        }
        let is_new =
            |alias: &&AliasInfo| old_words.aliases.iter().all(|known| known.pattern != alias.pattern);
        for alias in new_words.aliases.iter().filter(is_new) {
            found.text("alias", None::<String>, Some(alias_text(alias)), Breaking::No);
        }
        found.declared(&old.flow, old_words, &new.flow, new_words);
    }
    changes.append(&mut found.changes);
}

/// The changes of a flow so far.
struct Changes<'a> {
    flow: &'a str,
    changes: Vec<CatalogChange>,
}

impl Changes<'_> {
    /// Adds a change if the texts differ.
    fn text(
        &mut self,
        subject: &str,
        old: Option<impl Into<String>>,
        new: Option<impl Into<String>>,
        breaking: Breaking,
    ) {
        let (old, new) = (old.map(Into::into), new.map(Into::into));
        if old != new {
            let (flow, subject) = (self.flow.to_owned(), subject.to_owned());
            self.changes.push(CatalogChange { flow, subject, old, new, breaking, note: None });
        }
    }

    /// Adds a note to the last change that affects clients.
    fn note(&mut self, note: String) {
        let mut changes = self.changes.iter_mut().rev();
        if let Some(change) = changes.find(|change| change.breaking != Breaking::No) {
            change.note = Some(note);
        }
    }

    fn steps(&mut self, old: &FlowInfo, new: &FlowInfo) {
        let names = |flow: &FlowInfo| {
            let recovery = flow.recovery_step();
            let steps = flow.steps.iter().enumerate().filter(|(at, _)| recovery != Some(*at));
            steps.map(|(_, step)| step.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let recovery = |flow: &FlowInfo| flow.recovery_step().map(|at| flow.steps[at].name.clone());
        self.text("steps", Some(names(old)), Some(names(new)), Breaking::No);
        self.text("recovery step", recovery(old), recovery(new), Breaking::No);
        for step in &new.steps {
            if let Some(known) = old.steps.iter().find(|known| known.name == step.name) {
                let subject = format!("step {}", step.name);
                self.text(&subject, Some(step_text(old, known)), Some(step_text(new, step)), Breaking::No);
            }
        }
        for slot in &new.slots {
            let known = old.slots.iter().find(|known| known.path == slot.path);
            if known.is_some_and(|known| known.is_secret != slot.is_secret) {
                let word = |is_secret| Some(if is_secret { "secret" } else { "not secret" });
                let subject = format!("slot {}", slot.name);
                self.text(&subject, word(!slot.is_secret), word(slot.is_secret), Breaking::No);
            }
        }
    }

    fn declared(
        &mut self,
        old_flow: &FlowInfo,
        old: &FlowDeclaration,
        new_flow: &FlowInfo,
        new: &FlowDeclaration,
    ) {
        for (slot, shape) in new_flow.slots.iter().zip(&new.slot_shapes) {
            let known = old_flow.slots.iter().position(|known| known.path == slot.path);
            let Some(known) = known.and_then(|at| old.slot_shapes.get(at)) else { continue };
            self.text(&format!("slot {}", slot.name), Some(known), Some(shape), Breaking::No);
        }
        let inputs = |declaration: &FlowDeclaration| {
            let mut inputs: Vec<_> =
                declaration.inputs.iter().map(|input| format!("{} {}", input.part, input.shape)).collect();
            inputs.sort_unstable();
            inputs.dedup();
            inputs
        };
        let (old_inputs, new_inputs) = (inputs(old), inputs(new));
        let of_part = |inputs: &[String], other: &[String]| -> Vec<String> {
            inputs.iter().filter(|input| !other.contains(input)).cloned().collect()
        };
        let (gone, added) = (of_part(&old_inputs, &new_inputs), of_part(&new_inputs, &old_inputs));
        for at in 0..gone.len().max(added.len()) {
            // What is no longer read cannot fail any more.
            let breaking = if added.get(at).is_some() { Breaking::Maybe } else { Breaking::No };
            self.text("input", gone.get(at).cloned(), added.get(at).cloned(), breaking);
        }
        if self.changes.is_empty() {
            self.text("plan", Some(&old.plan_hash), Some(&new.plan_hash), Breaking::No);
        }
        let has_broken = self.changes.iter().any(|change| change.breaking != Breaking::No);
        let version = |declaration: &FlowDeclaration| Some(format!("v{}", declaration.version));
        self.text("version", version(old), version(new), Breaking::No);
        if has_broken && old.version == new.version {
            self.note(format!("the version is still v{}", new.version));
        }
        self.text("owner", old.owner.as_deref(), new.owner.as_deref(), Breaking::No);
        let deadline = |declaration: &FlowDeclaration| declaration.deadline_ns.map(duration::show);
        self.text("deadline", deadline(old), deadline(new), Breaking::No);
        self.text("slo", old.slo.as_ref().map(slo_text), new.slo.as_ref().map(slo_text), Breaking::No);
    }
}

fn alias_text(alias: &AliasInfo) -> String {
    let mut text = alias.pattern.clone();
    if alias.redirect {
        text += ", redirects";
    }
    if let Some(date) = &alias.deprecated {
        text += &format!(", deprecated {date}");
    }
    if let Some(date) = &alias.until {
        text += &format!(", until {date}");
    }
    text
}

/// Returns the objectives as text: `p95 50.0 ms, p99 200 ms, errors 0.1%`.
pub fn slo_text(slo: &SloInfo) -> String {
    let limit = |name: &str, ns: Option<u64>| ns.map(|ns| format!("{name} {}", duration::show(ns)));
    let errors = slo.errors_ppm.map(|ppm| format!("errors {}%", f64::from(ppm) / 10_000.0));
    let parts = [limit("p95", slo.p95_ns), limit("p99", slo.p99_ns), errors];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns the slots of a step: `reads Claims, Todo?, writes Page`.
fn step_text(flow: &FlowInfo, step: &StepInfo) -> String {
    let name = |(slot, is_optional): (u16, bool)| {
        let name = flow.slots.get(usize::from(slot)).map_or("?", |slot| slot.name.as_str());
        format!("{name}{}", if is_optional { "?" } else { "" })
    };
    let list = |word: &str, slots: Vec<(u16, bool)>| match slots.as_slice() {
        [] => None,
        _ => Some(format!("{word} {}", slots.into_iter().map(name).collect::<Vec<_>>().join(", "))),
    };
    let reads = list("reads", step.reads.iter().map(|read| (read.slot, read.is_optional)).collect());
    let writes = list("writes", step.writes.iter().map(|write| (write.slot, write.is_optional)).collect());
    [reads, writes].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
