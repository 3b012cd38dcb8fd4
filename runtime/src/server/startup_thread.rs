//! The thread on which a service that already listens opens what performs its effects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::service::Service;
use crate::app::startup::{Kept, Live, LiveError, Open};
use crate::{Limits, StartError};

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
                service.readiness.fail(why.into());
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
