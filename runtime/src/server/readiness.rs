//! Whether a service is ready: until what performs its effects is open, no flow of it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{oneshot, watch};

use super::service::Service;
use crate::app::startup::{Kept, Live, LiveError, Open};
use crate::effects::interpreter::Interpreters;
use crate::{Limits, StartError};

/// How far a service is with its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Starting,
    Ready,
    /// And why.
    Failed(Arc<str>),
}

/// The readiness of one service.
pub(crate) struct Readiness {
    stage: watch::Sender<Stage>,
    interpreters: OnceLock<Interpreters>,
}

impl Readiness {
    /// Of a service that waits until it [is ready](Self::ready).
    pub(crate) fn starting() -> Self {
        Self { stage: watch::Sender::new(Stage::Starting), interpreters: OnceLock::new() }
    }

    /// Its effects are performed by these.
    pub(crate) fn ready(&self, interpreters: Interpreters) {
        // Set once, and before anybody is told.
        let _ = self.interpreters.set(interpreters);
        self.stage.send_replace(Stage::Ready);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.interpreters.get().is_some()
    }

    /// What performs effects: nothing, before it is ready.
    pub(crate) fn interpreters(&self) -> &Interpreters {
        static NONE: Interpreters = Interpreters::new();
        self.interpreters.get().unwrap_or(&NONE)
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Waits until it is ready, or is known never to be.
    pub(crate) async fn wait(&self) -> Result<(), StartError> {
        let mut stage = self.stage.subscribe();
        let known = stage.wait_for(|stage| *stage != Stage::Starting).await;
        match known.as_deref() {
            Ok(Stage::Failed(why)) => Err(StartError::Live(LiveError::from(why.as_ref()))),
            _ => Ok(()),
        }
    }
}

/// Has a service that has started become ready, on a thread of its own: what is opened lives on the effect runtime. What is
/// returned stops that when it is dropped.
pub(crate) fn prepare(
    service: Arc<Service>,
    open: Open,
    mut live: Live,
    kept: Arc<Mutex<Kept>>,
) -> std::io::Result<oneshot::Sender<()>> {
    let (stop, stopped) = oneshot::channel::<()>();
    let work = move || {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            service.effect_runtime.handle().block_on(async {
                tokio::select! {
                    opened = open(&mut live) => Some(opened),
                    _ = stopped => None,
                }
            })
        }));
        let opened = match opened {
            Ok(Some(opened)) => {
                opened.and_then(|()| check_kinds(&service.limits, &live).map_err(LiveError::from))
            }
            // The service stops.
            Ok(None) => return,
            Err(_) => Err(LiveError::from("it panicked")),
        };
        match opened {
            Ok(()) => {
                let Live { interpreters, kept: opened } = live;
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(opened);
                service.schedule.know_kinds(interpreters.kinds());
                service.readiness.ready(interpreters);
            }
            Err(error) => {
                let causes = std::iter::successors(error.source(), |error| error.source());
                let why = causes.fold(error.to_string(), |why, cause| format!("{why}: {cause}"));
                service.readiness.stage.send_replace(Stage::Failed(why.into()));
            }
        }
    };
    std::thread::Builder::new().name("zerver-live".to_owned()).spawn(work)?;
    Ok(stop)
}

/// Checks that limits are for kinds that there are.
pub(crate) fn check_kinds(limits: &Limits, live: &Live) -> Result<(), StartError> {
    let kinds: Vec<_> = live.interpreters.kinds().collect();
    match limits.effects_per_kind.keys().find(|kind| !kinds.contains(&kind.as_str())) {
        Some(kind) => Err(StartError::NoSuchKind { kind: kind.clone(), kinds: kinds.join(", ") }),
        None => Ok(()),
    }
}
