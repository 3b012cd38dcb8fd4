//! A worker: one thread, with its connections and their requests. Nothing of a request leaves it but its effects and
//! its capture.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use zerver_engine::{Request, Ticket};

use super::drain_state::Drain;
use super::open_connections::OpenConnections;
use super::service::{OwnService, Service};
use super::worker_context::Crew;
use crate::execution::active_request::Live;
use crate::execution::request_ids::Ids;
use crate::http::{AnyFrames, Date};
use crate::scheduler::{Board, Guest, Offers, Shared, Turns};
use crate::time::{Clock, Stopwatch};

pub(crate) struct Worker {
    pub(crate) service: Arc<Service>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) drain: Drain,
    pub(crate) turns: Turns,
    pub(crate) board: Arc<Board>,
    pub(crate) own_service: Arc<OwnService>,
    pub(crate) crew: Crew,
    pub(crate) frames: AnyFrames,
    pub(crate) date: Date,
    pub(super) connections: OpenConnections,
}

impl Worker {
    /// `slept` is set whenever its thread goes to sleep.
    pub(crate) fn new(
        service: Arc<Service>,
        crew: Crew,
        board: Arc<Board>,
        slept: Arc<AtomicBool>,
        offers: Arc<Offers<Ticket, Box<Guest>>>,
    ) -> io::Result<Rc<Self>> {
        let Shared { flows, .. } = &service.schedule;
        let settings = &service.schedule.tuning().scheduling;
        Ok(Rc::new(Self {
            clock: Clock::new(Arc::clone(&crew.zero)),
            ids: Ids::new().map_err(|error| io::Error::other(error.to_string()))?,
            drain: Drain::default(),
            turns: Turns::new(
                settings,
                flows.len(),
                Arc::clone(&crew.zero),
                slept,
                Arc::clone(&board),
                Arc::clone(&crew.peers),
                offers,
            ),
            board,
            own_service: Arc::new(OwnService(Arc::clone(&service))),
            service,
            crew,
            frames: AnyFrames::default(),
            date: Date::default(),
            connections: OpenConnections::default(),
        }))
    }

    /// A request whose head has arrived on a connection of this worker.
    pub(crate) fn receive(&self, watch: Stopwatch, request: Request) -> Live {
        let Self { own_service, clock, ids, board, .. } = self;
        Live::new(own_service, clock, ids, board.worker(), watch, request)
    }
}
