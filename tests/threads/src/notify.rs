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
    listening: VecDeque<(usize, Waker)>,
    /// Who has been told and does not know yet.
    told: Vec<usize>,
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
        self.told.push(number);
        Some(waker)
    }

    fn is_told(&mut self, number: usize) -> bool {
        let at = self.told.iter().position(|told| *told == number);
        at.map(|at| self.told.swap_remove(at)).is_some()
    }
}

impl Notified<'_> {
    fn listen(&mut self, waker: &Waker) -> bool {
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
                state.listening.push_back((number, waker.clone()));
            }
            Some(number) if state.is_told(number) => self.is_done = true,
            Some(number) => {
                let own = state.listening.iter_mut().find(|(listening, _)| *listening == number);
                own.unwrap().1.clone_from(waker);
            }
        }
        self.is_done
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.get_mut().listen(context.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number.filter(|_| !self.is_done) else { return };
        let mut state = self.notify.0.lock().unwrap();
        state.listening.retain(|(listening, _)| *listening != number);
        let next = if state.is_told(number) { state.tell_one() } else { None };
        drop(state);
        wake(next);
    }
}
