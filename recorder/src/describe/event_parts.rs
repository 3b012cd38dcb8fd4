//! Interns the values of events.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};

use zerver_trace::{Answer, Event, MissingReason, SharedValue, SlotInfo};

use crate::catch_panic;
use crate::describe::part_secrets::ValueRole;
use crate::describe::part_table::{IdentityHasher, PartId};
use crate::describe::value_interner::{MAX_TEXT, ValueInterner, truncate_with_ellipsis};

impl ValueInterner {
    /// Returns the events with parts in the place of values.
    pub(crate) fn events(&mut self, events: &[Event<SharedValue>], slots: &[SlotInfo]) -> Vec<Event<PartId>> {
        let (left, announcing, at) = (self.bytes_left, self.parts_with_secrets.len(), self.table.position());
        let all = |parts: &mut Self| events.iter().map(|event| parts.event(event, slots)).collect();
        if let Ok(all) = catch_panic::catch(|| all(self)) {
            return all;
        }
        // The `Serialize` of a value panicked. The second attempt catches the panic of each value.
        (self.bytes_left, self.catches_each_value) = (left, true);
        self.parts_with_secrets.truncate(announcing);
        self.table.rewind(at);
        let all = all(self);
        self.catches_each_value = false;
        all
    }

    fn event(&mut self, event: &Event<SharedValue>, slots: &[SlotInfo]) -> Event<PartId> {
        match event {
            Event::BodyReceived { at_ns } => Event::BodyReceived { at_ns: *at_ns },
            Event::StepRan { step, ready_ns, at_ns, cpu_ns, decision } => Event::StepRan {
                step: *step,
                ready_ns: *ready_ns,
                at_ns: *at_ns,
                cpu_ns: *cpu_ns,
                decision: *decision,
            },
            Event::StepYielded { step, progress } => {
                Event::StepYielded { step: *step, progress: self.intern_datum(ValueRole::Other, progress) }
            }
            Event::SlotWritten { step, slot, at_ns, value } => {
                let secret = slots.get(usize::from(*slot)).is_none_or(|slot| slot.is_secret);
                let value =
                    self.intern_datum(if secret { ValueRole::Secret } else { ValueRole::Other }, value);
                Event::SlotWritten { step: *step, slot: *slot, at_ns: *at_ns, value }
            }
            Event::EffectRequested { call, step, at_ns, kind, args, attempt, timeout_ns } => {
                Event::EffectRequested {
                    call: *call,
                    step: *step,
                    at_ns: *at_ns,
                    kind: kind.clone(),
                    args: self.intern_datum(ValueRole::Other, args),
                    attempt: *attempt,
                    timeout_ns: *timeout_ns,
                }
            }
            Event::EffectCompleted { call, at_ns, answer } => {
                let answer = match answer {
                    Answer::Ok(output) => Answer::Ok(self.intern_datum(ValueRole::Other, output)),
                    Answer::Err(error) => Answer::Err(error.clone()),
                    Answer::Canceled => Answer::Canceled,
                };
                Event::EffectCompleted { call: *call, at_ns: *at_ns, answer }
            }
            Event::Reclassified { at_ns, from, to, reason } => {
                Event::Reclassified { at_ns: *at_ns, from: *from, to: *to, reason: reason.clone() }
            }
            Event::EffectQueued { call, at_ns, reason } => {
                Event::EffectQueued { call: *call, at_ns: *at_ns, reason: *reason }
            }
            Event::EffectStarted { call, at_ns } => Event::EffectStarted { call: *call, at_ns: *at_ns },
            Event::Migrated { at_ns, to } => Event::Migrated { at_ns: *at_ns, to: *to },
            Event::QuantumExceeded { step, at_ns, quantum_ns } => {
                Event::QuantumExceeded { step: *step, at_ns: *at_ns, quantum_ns: *quantum_ns }
            }
            Event::CompletionDelayed { call, ready_ns, at_ns, thread, flow, step } => {
                Event::CompletionDelayed {
                    call: *call,
                    ready_ns: *ready_ns,
                    at_ns: *at_ns,
                    thread: *thread,
                    flow: flow.clone(),
                    step: step.clone(),
                }
            }
            Event::ReadDelayed { part, unread_ns, ran_ns, flow, step } => Event::ReadDelayed {
                part: *part,
                unread_ns: *unread_ns,
                ran_ns: *ran_ns,
                flow: flow.clone(),
                step: step.clone(),
            },
            Event::PolicyDecided { call, at_ns, decision, wait_ns } => {
                Event::PolicyDecided { call: *call, at_ns: *at_ns, decision: *decision, wait_ns: *wait_ns }
            }
            Event::StepPanicked { step, at_ns, file, line, column } => Event::StepPanicked {
                step: *step,
                at_ns: *at_ns,
                file: file.clone(),
                line: *line,
                column: *column,
            },
            Event::EffectPoint { call, at_ns, point } => {
                Event::EffectPoint { call: *call, at_ns: *at_ns, point: point.clone() }
            }
            Event::FaultInjected { call, at_ns, rule } => {
                Event::FaultInjected { call: *call, at_ns: *at_ns, rule: rule.clone() }
            }
            Event::Logged { call, at_ns, level, target, line } => Event::Logged {
                call: *call,
                at_ns: *at_ns,
                level: *level,
                target: target.clone(),
                line: self.intern_datum(ValueRole::Other, line),
            },
            Event::StepLogged { step, at_ns, level, target, line } => Event::StepLogged {
                step: *step,
                at_ns: *at_ns,
                level: *level,
                target: target.clone(),
                line: self.intern_datum(ValueRole::Other, line),
            },
            Event::UndoRegistered { undo, call, step, at_ns } => {
                Event::UndoRegistered { undo: *undo, call: *call, step: *step, at_ns: *at_ns }
            }
            Event::UndoStarted { undo, at_ns } => Event::UndoStarted { undo: *undo, at_ns: *at_ns },
            Event::UndoEnded { undo, at_ns, failure } => Event::UndoEnded {
                undo: *undo,
                at_ns: *at_ns,
                failure: failure.as_ref().map(|failure| self.intern_datum(ValueRole::Other, failure)),
            },
        }
    }

    fn intern_datum(&mut self, role: ValueRole<'_>, datum: &SharedValue) -> PartId {
        self.prefix.clear();
        let any: &dyn Any = &**datum;
        let describe = |parts: &mut Self| {
            let summary = || {
                let mut line = datum.summary()?;
                truncate_with_ellipsis(&mut line, MAX_TEXT);
                Some(line)
            };
            parts.intern_encoded(role, type_salt(any.type_id()), |encoder| datum.encode(encoder), summary)
        };
        if !self.catches_each_value {
            return describe(self);
        }
        let table = self.table.position();
        catch_panic::catch(|| describe(self)).unwrap_or_else(|panic| {
            self.table.rewind(table);
            self.intern_missing(role, MissingReason::Failed(format!("Serialize panicked: {panic}")))
        })
    }
}

/// Salt of a type. Equal values of different types are different parts, because their summaries differ.
fn type_salt(of: TypeId) -> u64 {
    let mut hasher = IdentityHasher::default();
    of.hash(&mut hasher);
    hasher.finish() << 2
}
