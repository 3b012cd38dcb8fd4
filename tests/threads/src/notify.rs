//! tokio's `Notify`, as its documentation says it behaves: one permit is kept, those who listen are told in turn, and one
//! who was told and goes away hands it on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use loom::sync::Mutex;

#[derive(Default)]
pub(crate) struct Notify(Mutex<State>);

#[derive(Default)]
struct State {
    has_permit: bool,
    next: usize,
    listening: VecDeque<(usize, Option<Waker>)>,
    /// Who has been told and does not know yet, and whether it was told alone.
    told: Vec<(usize, bool)>,
}

pub(crate) struct Notified<'n> {
    notify: &'n Notify,
    number: Option<usize>,
    is_done: bool,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) const fn notified(&self) -> Notified<'_> {
        Notified { notify: self, number: None, is_done: false }
    }

    pub(crate) fn notify_one(&self) {
        wake(self.0.lock().unwrap().tell_one());
    }

    pub(crate) fn notify_waiters(&self) {
        let mut state = self.0.lock().unwrap();
        let all = std::mem::take(&mut state.listening);
        state.told.extend(all.iter().map(|(number, _)| (*number, false)));
        drop(state);
        all.into_iter().for_each(|(_, waker)| wake(waker));
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    fn tell_one(&mut self) -> Option<Waker> {
        let Some((number, waker)) = self.listening.pop_front() else {
            self.has_permit = true;
            return None;
        };
        self.told.push((number, true));
        waker
    }

    fn is_told(&mut self, number: usize) -> Option<bool> {
        let at = self.told.iter().position(|(told, _)| *told == number)?;
        Some(self.told.swap_remove(at).1)
    }
}

impl Notified<'_> {
    pub(crate) fn enable(self: Pin<&mut Self>) -> bool {
        self.get_mut().listen(None)
    }

    fn listen(&mut self, waker: Option<&Waker>) -> bool {
        if self.is_done {
            return true;
        }
        let mut state = self.notify.0.lock().unwrap();
        match self.number {
            None if state.has_permit => {
                state.has_permit = false;
                self.is_done = true;
            }
            None => {
                self.number = Some(state.next);
                let number = state.next;
                state.next += 1;
                state.listening.push_back((number, waker.cloned()));
            }
            Some(number) if state.is_told(number).is_some() => self.is_done = true,
            Some(number) => {
                let own = state.listening.iter_mut().find(|(listening, _)| *listening == number);
                own.unwrap().1 = waker.cloned();
            }
        }
        self.is_done
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.get_mut().listen(Some(context.waker())) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number.filter(|_| !self.is_done) else { return };
        let mut state = self.notify.0.lock().unwrap();
        state.listening.retain(|(listening, _)| *listening != number);
        let next = if state.is_told(number) == Some(true) { state.tell_one() } else { None };
        drop(state);
        wake(next);
    }
}
