//! States of the undos of effects, derived from the events of undos.

use zerver_trace::{Event, Recorded};

use crate::timeline::build::builder::TimelineBuilder;
use crate::timeline::rows::effect::{Effect, UndoState};

impl TimelineBuilder<'_> {
    /// Takes an event of an undo. Other events change nothing.
    pub(super) fn take_undo(&mut self, event: &Event<Recorded>) {
        match event {
            &Event::UndoRegistered { undo, call, .. } => {
                self.undos.extend(call.map(|call| (undo, call)));
                self.set_undo(undo, UndoState::NotNeeded);
            }
            &Event::UndoStarted { undo, .. } => {
                self.undoing = Some(undo);
                self.set_undo(undo, UndoState::Started);
            }
            Event::UndoEnded { undo, failure, .. } => {
                self.undoing = None;
                let state = if failure.is_none() { UndoState::Undone } else { UndoState::NotUndone };
                self.set_undo(*undo, state);
            }
            _ => {}
        }
    }

    /// Returns the effect of an undo.
    pub(super) fn undone_effect(&mut self, undo: u32) -> Option<&mut Effect> {
        let place = self.calls.get(self.undos.get(&undo)?)?;
        self.runs[place.run].effects.get_mut(place.effect)
    }

    fn set_undo(&mut self, undo: u32, state: UndoState) {
        if let Some(effect) = self.undone_effect(undo) {
            effect.undo = Some(state);
        }
    }
}
