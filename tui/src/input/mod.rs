//! Keys, the mouse and pasted text, decoded from the terminal's bytes.

mod control_sequence;
mod decoder;
mod input_thread;

pub(crate) use input_thread::InputThread;
