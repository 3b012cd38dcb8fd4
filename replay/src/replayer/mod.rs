//! A recorded request, run again against today's code: the same inputs go into a fresh job, effects are answered from
//! the recording, and all that comes out is compared with what was recorded.
//!
//! `input` rebuilds the request, `edits` says what is to be different (`form`: values as people write them, `faults`:
//! what goes wrong with effects), `answers` is the fake interpreter, `clock` the time, `world` what the program around
//! may add, `run` drives the job, `facts` brings a recording and a run into one form, `compare`, `effects` and
//! `waiting` and `response` find where they differ (`path`: where in a value), `blame` what that comes from, `mask` keeps secrets
//! out, `report` is what is told, `told` puts a run into it, `names` says what a call may be called, `check` is the short
//! way to "nothing differs", `apart` compares two live runs in the same way. There is no network here, by type: nothing
//! in this crate could reach one.

mod answers;
mod apart;
mod blame;
mod check;
mod clock;
mod compare;
mod edits;
mod effects;
mod facts;
mod faults;
mod form;
mod input;
mod mask;
mod names;
mod nearest;
mod path;
mod replay;
mod report;
mod response;
mod run;
#[cfg(test)]
mod tests;
mod told;
mod waiting;
mod world;

pub use apart::{apart, masked};
pub use edits::{EditError, Edits, LiveKind, SlotEdit};
pub use faults::{Fault, Trial, Wrong, trials};
pub use nearest::nearest;
pub use replay::{Opened, Replay, Secrets, flow_is_gone};
pub use report::{Applied, Coverage, Ending, Finding, FindingClass, Refusal, Replied, Report, Seen, Source};
pub use world::{Live, Progress, Timers, World};
