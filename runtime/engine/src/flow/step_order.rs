//! Order check of a flow: each step reads only slots that earlier steps write, each slot has one writer, and the last
//! step always responds. `flow!` evaluates it in a `const _`, so a violation is a compile error that names the step and
//! the slot. `#[track_caller]` makes the compiler point at the flow alone, and not at each function in this file.

use super::chain::Chain;
use crate::slot::{FAILURE_PATH, SlotDesc};
use crate::step::StepDesc;

/// Words that are no names of flows.
const RESERVED: [&str; 7] = ["zerver", "all", "none", "health", "metrics", "catalog", "openapi"];

/// Panics, and thus fails to compile, if the steps of the flow cannot run in their order.
#[track_caller]
pub(crate) const fn check(
    name: &str,
    pattern: &str,
    chains: &[Chain],
    unwritten: &[SlotDesc],
    recovery: Option<&StepDesc>,
) {
    check_name(name);
    check_pattern(name, pattern);
    let mut count = 0;
    let mut last = None;
    let mut c = 0;
    while c < chains.len() {
        let mut s = 0;
        while s < chains[c].steps.len() {
            check_step(chains, unwritten, (c, s));
            last = Some(&chains[c].steps[s]);
            count += 1;
            s += 1;
        }
        c += 1;
    }
    assert!(count < 1000, "a flow has at most 999 steps");
    let mut u = 0;
    while u < unwritten.len() {
        check_unwritten(name, chains, &unwritten[u], recovery);
        u += 1;
    }
    if let Some(step) = recovery {
        check_recovery(chains, unwritten, step);
    }
    match last {
        None => Message::new("flow `").add(name).add("` has no steps").fail(),
        Some(step) if !step.is_final => Message::new("flow `")
            .add(name)
            .add("` may end without a response, because its last step, `")
            .add(step.name)
            .add("`, may continue: return a `Response`, a `Result` of one, or a `Decision<Final, ..>`")
            .fail(),
        Some(_) => {}
    }
}

#[track_caller]
const fn check_name(name: &str) {
    let bytes = name.as_bytes();
    let mut at = 0;
    let mut good = !bytes.is_empty() && bytes.len() <= 64 && bytes[0] != b'-';
    while at < bytes.len() {
        good = good && matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-');
        at += 1;
    }
    if !good {
        Message::new("flow name `")
            .add(name)
            .add("` is invalid: use up to 64 lowercase letters, digits and hyphens, with no hyphen first")
            .fail();
    }
    let mut word = 0;
    while word < RESERVED.len() {
        if same(name, RESERVED[word]) {
            Message::new("flow name `")
                .add(name)
                .add("` is reserved: it would be mistaken for a part of zerver or for a set of flows")
                .fail();
        }
        word += 1;
    }
}

#[track_caller]
const fn check_pattern(name: &str, pattern: &str) {
    let bytes = pattern.as_bytes();
    if bytes.is_empty() || bytes[0] != b'/' {
        Message::new("pattern `")
            .add(pattern)
            .add("` of flow `")
            .add(name)
            .add("` must start with `/`")
            .fail();
    }
}

/// Checks the reads and writes of the step at `at` against the steps before it.
#[track_caller]
const fn check_step(chains: &[Chain], unwritten: &[SlotDesc], at: (usize, usize)) {
    let step = &chains[at.0].steps[at.1];
    let mut r = 0;
    while r < step.reads.len() {
        let read = &step.reads[r];
        if same(read.slot.path, FAILURE_PATH) {
            Message::new("step `")
                .add(step.name)
                .add("` reads slot `Failure`, which only the step declared as `recover` can read")
                .fail();
        }
        if !read.slot.is_builtin {
            match writer(chains, at, read.slot.path) {
                None if read.is_optional && is_one_of(unwritten, read.slot.path) => {}
                None if read.is_optional => {
                    let message =
                        Message::new("step `").add(step.name).add("` reads slot `").add(read.slot.name);
                    match writer(chains, (chains.len(), 0), read.slot.path) {
                        Some((writer, _)) => message
                            .add("`, which is always `None` because only the later step `")
                            .add(writer.name)
                            .add("` writes it: put that step first")
                            .fail(),
                        None => message
                            .add("`, which is always `None` because no step of this flow writes it: add a step or chain that does, or declare `unwritten: [")
                            .add(read.slot.name)
                            .add("]` if this is intended")
                            .fail(),
                    }
                }
                None => Message::new("step `")
                    .add(step.name)
                    .add("` reads slot `")
                    .add(read.slot.name)
                    .add("`, which no earlier step writes")
                    .fail(),
                Some((writer, true)) if !read.is_optional => Message::new("step `")
                    .add(step.name)
                    .add("` reads slot `")
                    .add(read.slot.name)
                    .add("`, which step `")
                    .add(writer.name)
                    .add("` may leave unwritten: take it as `Option<&")
                    .add(read.slot.name)
                    .add(">`")
                    .fail(),
                Some(_) => {}
            }
        }
        r += 1;
    }
    let mut w = 0;
    while w < step.writes.len() {
        let slot = &step.writes[w].slot;
        if slot.is_builtin {
            Message::new("step `")
                .add(step.name)
                .add("` writes slot `")
                .add(slot.name)
                .add("`, which is built in and set before any step runs")
                .fail();
        }
        let mut before = 0;
        while before < w {
            if same(step.writes[before].slot.path, slot.path) {
                Message::new("step `")
                    .add(step.name)
                    .add("` writes slot `")
                    .add(slot.name)
                    .add("` twice")
                    .fail();
            }
            before += 1;
        }
        if let Some((first, _)) = writer(chains, at, slot.path) {
            Message::new("slot `")
                .add(slot.name)
                .add("` is written by two steps, `")
                .add(first.name)
                .add("` and `")
                .add(step.name)
                .add("`: a slot has one writer")
                .fail();
        }
        w += 1;
    }
}

/// Checks the recovery step. The flow may fail at any step, so each slot that it reads may be unwritten.
#[track_caller]
const fn check_recovery(chains: &[Chain], unwritten: &[SlotDesc], step: &StepDesc) {
    if !step.is_final {
        Message::new("recovery step `")
            .add(step.name)
            .add("` may continue, but no step follows it: return a `Response`, a `Result` of one, or a `Decision<Final, ..>`")
            .fail();
    }
    let mut reads_failure = false;
    let mut r = 0;
    while r < step.reads.len() {
        let read = &step.reads[r];
        if same(read.slot.path, FAILURE_PATH) {
            reads_failure = true;
        } else if !read.slot.is_builtin {
            let message =
                Message::new("recovery step `").add(step.name).add("` reads slot `").add(read.slot.name);
            match writer(chains, (chains.len(), 0), read.slot.path) {
                Some((writer, _)) if !read.is_optional => message
                    .add("`, but the flow may fail before step `")
                    .add(writer.name)
                    .add("` writes it: take it as `Option<&")
                    .add(read.slot.name)
                    .add(">`")
                    .fail(),
                Some(_) => {}
                None if read.is_optional && is_one_of(unwritten, read.slot.path) => {}
                None => message.add("`, which no step of this flow writes").fail(),
            }
        }
        r += 1;
    }
    if !reads_failure {
        Message::new("recovery step `")
            .add(step.name)
            .add("` does not read the failure that it recovers from: add a parameter `&Failure`")
            .fail();
    }
}

/// Checks that a slot declared as unwritten is read by at least one step and written by none.
#[track_caller]
const fn check_unwritten(name: &str, chains: &[Chain], slot: &SlotDesc, recovery: Option<&StepDesc>) {
    let message = Message::new("flow `").add(name).add("` declares slot `").add(slot.name);
    if let Some((writer, _)) = writer(chains, (chains.len(), 0), slot.path) {
        message.add("` as unwritten, but step `").add(writer.name).add("` writes it").fail();
    } else if !is_read(chains, slot.path) && !is_read_by(recovery, slot.path) {
        message.add("` as unwritten, but no step reads it").fail();
    }
}

const fn is_read(chains: &[Chain], path: &str) -> bool {
    let mut c = 0;
    while c < chains.len() {
        let mut s = 0;
        while s < chains[c].steps.len() {
            if is_read_by(Some(&chains[c].steps[s]), path) {
                return true;
            }
            s += 1;
        }
        c += 1;
    }
    false
}

const fn is_read_by(step: Option<&StepDesc>, path: &str) -> bool {
    let Some(step) = step else { return false };
    let mut r = 0;
    while r < step.reads.len() {
        if same(step.reads[r].slot.path, path) {
            return true;
        }
        r += 1;
    }
    false
}

const fn is_one_of(slots: &[SlotDesc], path: &str) -> bool {
    let mut at = 0;
    while at < slots.len() {
        if same(slots[at].path, path) {
            return true;
        }
        at += 1;
    }
    false
}

/// Returns the step before `end` that writes this slot, and true if it may leave the slot unwritten.
const fn writer<'a>(chains: &[Chain], end: (usize, usize), path: &str) -> Option<(&'a StepDesc, bool)>
where
    StepDesc: 'static,
{
    let mut c = 0;
    while c < chains.len() && c <= end.0 {
        let steps = chains[c].steps;
        let mut s = 0;
        while s < steps.len() && (c < end.0 || s < end.1) {
            let mut w = 0;
            while w < steps[s].writes.len() {
                if same(steps[s].writes[w].slot.path, path) {
                    return Some((&steps[s], steps[s].writes[w].is_optional));
                }
                w += 1;
            }
            s += 1;
        }
        c += 1;
    }
    None
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Message composed at compile time: a panic in a constant takes a single `&str` and cannot format.
pub(super) struct Message {
    bytes: [u8; 512],
    len: usize,
}

impl Message {
    pub(super) const fn new(text: &str) -> Self {
        Self { bytes: [0; 512], len: 0 }.add(text)
    }

    pub(super) const fn add(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = text[at];
            self.len += 1;
            at += 1;
        }
        self
    }

    #[track_caller]
    pub(super) const fn fail(self) -> ! {
        match str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(message) => panic!("{}", message),
            Err(_) => panic!("the steps of this flow cannot run in this order"),
        }
    }
}
