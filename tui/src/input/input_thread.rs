//! Reads keys, the mouse and pasted text from the terminal on its own thread. Anything else that a terminal sends, such
//! as late replies to another program, is not mistaken for keys.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::decoder::Decoder;
use crate::event_loop::MessageSender;
use crate::message::Message;
use crate::platform::open_terminal;

/// Maximum time until the thread notices that another program needs the terminal.
const POLL: Duration = Duration::from_millis(50);

/// Thread that reads input, except while another program uses the terminal.
pub(crate) struct InputThread(Arc<ReadTurn>);

#[derive(Default)]
struct ReadTurn {
    /// Two flags: another program needs the terminal; the thread has stopped for it.
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl InputThread {
    pub(crate) fn start(sender: MessageSender) -> io::Result<Self> {
        let turn = Arc::new(ReadTurn::default());
        let ours = Arc::clone(&turn);
        let tty = if io::stdin().is_terminal() { None } else { Some(open_terminal()?) };
        thread::spawn(move || {
            let stdin = io::stdin();
            let tty = tty.as_ref().map_or_else(|| stdin.as_fd(), AsFd::as_fd);
            read_all(tty, &ours, &sender);
        });
        Ok(Self(turn))
    }

    /// Stops reading. It resumes when the result is dropped.
    pub(crate) fn pause(&self) -> InputPause {
        let turn = &self.0;
        let mut state = turn.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        let limit = POLL * 4;
        let stopped = turn.changed.wait_timeout_while(state, limit, |(_, has_stopped)| !*has_stopped);
        drop(stopped);
        InputPause(Arc::clone(turn))
    }
}

/// Reads until the terminal is gone or the UI has ended.
fn read_all(tty: BorrowedFd<'_>, turn: &ReadTurn, sender: &MessageSender) {
    let mut decoder = Decoder::default();
    let mut bytes = [0; 1024];
    loop {
        turn.wait();
        let timeout = decoder.timeout().map_or(POLL, |timeout| timeout.min(POLL));
        let timeout = Timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos().into() };
        match poll(&mut [PollFd::from_borrowed_fd(tty, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => decoder.expire(Instant::now()),
            Ok(_) => match rustix::io::read(tty, &mut bytes) {
                Ok(0) => return sender.send(Message::Exit),
                Ok(read) => decoder.feed(&bytes[..read], Instant::now()),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return sender.send(Message::Exit),
            },
            Err(_) => return sender.send(Message::Exit),
        }
        for event in decoder.take_events() {
            if !sender.try_send(Message::Input(event)) {
                return;
            }
        }
    }
}

impl ReadTurn {
    fn wait(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 {
            state.1 = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.1 = false;
    }
}

/// Reading is stopped while this guard exists.
pub(crate) struct InputPause(Arc<ReadTurn>);

impl Drop for InputPause {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).0 = false;
        self.0.changed.notify_all();
    }
}
