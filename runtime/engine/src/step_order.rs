//! The order check: runs while the program is compiled (`flow!` puts it into a `const _`), so that a step which reads
//! what nobody wrote is a compile error that names the step and the slot. `#[track_caller]` has the compiler point at the
//! flow alone, and not at each function here.

use crate::{Chain, SlotDesc, StepDesc};

/// Fails to evaluate if the flow's steps are in no possible order.
#[track_caller]
pub(crate) const fn check(name: &str, pattern: &str, chains: &[Chain], unwritten: &[SlotDesc]) {
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
        check_unwritten(name, chains, &unwritten[u]);
        u += 1;
    }
    match last {
        None => Message::new("flow `").add(name).add("` has no steps").fail(),
        Some(step) if !step.ends => Message::new("the last step of flow `")
            .add(name)
            .add("`, `")
            .add(step.name)
            .add("`, may go on, and nothing comes after it: return a Response, a Result of one, or Decision<Ends, ..>")
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
            .add("` is no slug: use at most 64 lower-case letters, digits and hyphens")
            .fail();
    }
}

#[track_caller]
const fn check_pattern(name: &str, pattern: &str) {
    let bytes = pattern.as_bytes();
    if bytes.is_empty() || bytes[0] != b'/' {
        Message::new("the pattern of flow `")
            .add(name)
            .add("`, `")
            .add(pattern)
            .add("`, must begin with `/`")
            .fail();
    }
}

/// Checks what the step at `at` reads and writes against the steps before it.
#[track_caller]
const fn check_step(chains: &[Chain], unwritten: &[SlotDesc], at: (usize, usize)) {
    let step = &chains[at.0].steps[at.1];
    let mut r = 0;
    while r < step.reads.len() {
        let read = &step.reads[r];
        if !read.slot.given {
            match writer(chains, at, read.slot.path) {
                None if read.optional && is_one_of(unwritten, read.slot.path) => {}
                None if read.optional => {
                    let message =
                        Message::new("step `").add(step.name).add("` reads slot `").add(read.slot.name);
                    match writer(chains, (chains.len(), 0), read.slot.path) {
                        Some((writer, _)) => message
                            .add("`, which only the later step `")
                            .add(writer.name)
                            .add("` writes, so that it is always none: put the writer first")
                            .fail(),
                        None => message
                            .add("`, which no step of this flow writes, so that it is always none: put the step or chain that writes it first, or say that this is meant: `unwritten: [")
                            .add(read.slot.name)
                            .add("]`")
                            .fail(),
                    }
                }
                None => Message::new("step `")
                    .add(step.name)
                    .add("` reads slot `")
                    .add(read.slot.name)
                    .add("`, which no earlier step writes")
                    .fail(),
                Some((writer, true)) if !read.optional => Message::new("step `")
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
        if slot.given {
            Message::new("step `")
                .add(step.name)
                .add("` writes slot `")
                .add(slot.name)
                .add("`, which every request has from the start")
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
                .add("` has two writers: step `")
                .add(first.name)
                .add("` and step `")
                .add(step.name)
                .add("`")
                .fail();
        }
        w += 1;
    }
}

/// Checks that a slot which is said to be unwritten is read by some step, and written by none.
#[track_caller]
const fn check_unwritten(name: &str, chains: &[Chain], slot: &SlotDesc) {
    let message = Message::new("flow `").add(name).add("` says that slot `").add(slot.name);
    if let Some((writer, _)) = writer(chains, (chains.len(), 0), slot.path) {
        message.add("` is unwritten, and step `").add(writer.name).add("` writes it").fail();
    } else if !is_read(chains, slot.path) {
        message.add("` is unwritten, and none of its steps reads it").fail();
    }
}

const fn is_read(chains: &[Chain], path: &str) -> bool {
    let mut c = 0;
    while c < chains.len() {
        let mut s = 0;
        while s < chains[c].steps.len() {
            let reads = chains[c].steps[s].reads;
            let mut r = 0;
            while r < reads.len() {
                if same(reads[r].slot.path, path) {
                    return true;
                }
                r += 1;
            }
            s += 1;
        }
        c += 1;
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

/// The step before `end` that writes this slot, and whether it may leave it unwritten.
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
                    return Some((&steps[s], steps[s].writes[w].optional));
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

/// A message put together while the program is compiled; a panic in a constant takes one `&str` and formats nothing.
struct Message {
    bytes: [u8; 512],
    len: usize,
}

impl Message {
    const fn new(text: &str) -> Self {
        Self { bytes: [0; 512], len: 0 }.add(text)
    }

    const fn add(mut self, text: &str) -> Self {
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
    const fn fail(self) {
        match str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(message) => panic!("{}", message),
            Err(_) => panic!("the steps of this flow are in no possible order"),
        }
    }
}
