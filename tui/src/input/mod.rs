//! Terminal input: keys, the mouse and pasted text.

mod control_sequence;
mod decoder;
mod input_thread;

pub(crate) use input_thread::InputThread;
