//! Events that a job cannot know by itself. Its driver and the scheduler report them; none of them changes what the job
//! does.

use std::sync::Arc;

use zerver_trace::{
    Class, Event, LogLevel, Name, PolicyDecision, QueueReason, SharedValue, Thread, TypedValue,
};

use super::state_machine::Job;

impl Job {
    /// Records that parts of the request were read late, as [`Event::ReadDelayed`].
    pub fn record_read_delays(&mut self, events: Vec<Event<SharedValue>>) {
        for event in events {
            self.log.record(|| event);
        }
    }

    /// Records that the request got another class.
    pub fn record_reclassified(&mut self, at_ns: u64, from: Class, to: Class, reason: impl Into<Name>) {
        self.log.record(|| Event::Reclassified { at_ns, from, to, reason: reason.into() });
    }

    /// Records that the request migrated to another thread than that of its connection.
    pub fn record_migrated(&mut self, at_ns: u64, to: Thread) {
        self.log.record(|| Event::Migrated { at_ns, to });
    }

    /// Records that a step ran for longer than the quantum of its class.
    pub fn record_quantum_exceeded(&mut self, step: u16, at_ns: u64, quantum_ns: u64) {
        self.log.record(|| Event::QuantumExceeded { step, at_ns, quantum_ns });
    }

    /// Records that a requested call is queued.
    pub fn record_effect_queued(&mut self, number: u32, at_ns: u64, reason: QueueReason) {
        self.log.record(|| Event::EffectQueued { call: number, at_ns, reason });
    }

    /// Records that a queued call starts.
    pub fn record_effect_started(&mut self, number: u32, at_ns: u64) {
        self.log.record(|| Event::EffectStarted { call: number, at_ns });
    }

    /// Records that a call reached a point on its way.
    pub fn record_effect_point(&mut self, number: u32, at_ns: u64, point: Name) {
        self.log.record(|| Event::EffectPoint { call: number, at_ns, point });
    }

    /// Records that a rule of chaos injected a fault into a call.
    pub fn record_injected_fault(&mut self, call: u32, at_ns: u64, rule: Name) {
        self.log.record(|| Event::FaultInjected { call, at_ns, rule });
    }

    /// Records a line that the code which performs a call has logged.
    pub fn record_log_line(&mut self, call: u32, at_ns: u64, level: LogLevel, target: Name, line: String) {
        self.log.record(|| Event::Logged { call, at_ns, level, target, line: Arc::new(TypedValue(line)) });
    }

    /// Records a decision of the policy of a target.
    pub fn record_policy_decision(&mut self, call: u32, at_ns: u64, decision: PolicyDecision, wait_ns: u64) {
        self.log.record(|| Event::PolicyDecided { call, at_ns, decision, wait_ns });
    }

    /// Records that the result of a call was ready before it is taken in, as [`Event::CompletionDelayed`].
    pub fn record_completion_delay(&mut self, event: Event<SharedValue>) {
        self.log.record(|| event);
    }

    /// Records such a delay for each call in flight. `event` makes the event for a call's number.
    pub fn record_completion_delays(&mut self, event: impl Fn(u32) -> Event<SharedValue>) {
        for call in self.effect.iter().flat_map(|effect| effect.calls_in_flight()) {
            self.log.record(|| event(call));
        }
    }
}
