//! A model of tokio's `Notify`, after its documentation: it keeps one permit, notifies waiters in order, and passes on
//! the notification of a waiter that is dropped.

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
    /// Waiters that were notified but have not observed it yet.
    notified: Vec<usize>,
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
        wake(self.0.lock().unwrap().notify_next());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    fn notify_next(&mut self) -> Option<Waker> {
        let Some((number, waker)) = self.listening.pop_front() else {
            self.has_permit = true;
            return None;
        };
        self.notified.push(number);
        Some(waker)
    }

    fn is_notified(&mut self, number: usize) -> bool {
        let at = self.notified.iter().position(|notified| *notified == number);
        at.map(|at| self.notified.swap_remove(at)).is_some()
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
            Some(number) if state.is_notified(number) => self.is_done = true,
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
        let next = if state.is_notified(number) { state.notify_next() } else { None };
        drop(state);
        wake(next);
    }
}
