//! A recorded request, run again against today's code: the same inputs go into a fresh job, effects are answered from
//! the recording, and all that comes out is compared with what was recorded.
//!
//! `input` rebuilds the request, `edits` says what is to be different, `answers` is the fake interpreter, `run` drives
//! the job, `facts` brings a recording and a run into one form, `compare`, `effects` and `response` find where they
//! differ (`path`: where in a value), `apart` compares two live
//! runs in the same way, `mask` keeps secrets out, `report` is what is told. There is no network here, by type: nothing in
//! this crate could reach one.

mod answers;
mod apart;
mod compare;
mod edits;
mod effects;
mod facts;
mod input;
mod mask;
mod nearest;
mod path;
mod replay;
mod report;
mod response;
mod run;
#[cfg(test)]
mod tests;

pub use apart::apart;
pub use edits::{EditError, Edits, SlotEdit};
pub use nearest::nearest;
pub use replay::{Opened, Replay, Secrets, flow_is_gone};
pub use report::{Applied, Coverage, Finding, FindingClass, Refusal, Replied, Report, Seen, Source};
