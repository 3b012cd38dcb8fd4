//! The thread on which a service that already listens opens what performs its effects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::service::Service;
use crate::Limits;
use crate::app::startup::{AsyncHook, BoxError, KeptValues, Startup};
use crate::start_error::{StartError, with_causes};

/// Has a service that has started become ready, on a thread of its own: what is opened lives on the effect runtime. What is
/// returned stops that when it is dropped.
pub(crate) fn spawn_startup(
    service: Arc<Service>,
    open: AsyncHook,
    mut startup: Startup,
    kept: Arc<Mutex<KeptValues>>,
) -> std::io::Result<oneshot::Sender<()>> {
    let (stop, stopped) = oneshot::channel::<()>();
    let work = move || {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            service.effect_runtime.handle().block_on(async {
                tokio::select! {
                    opened = open(&mut startup) => Some(opened),
                    _ = stopped => None,
                }
            })
        }));
        let opened = match opened {
            Ok(Some(opened)) => {
                opened.and_then(|()| check_effect_kinds(&service.limits, &startup).map_err(BoxError::from))
            }
            // The service stops.
            Ok(None) => return,
            Err(_) => Err(BoxError::from("the startup hook panicked")),
        };
        match opened {
            Ok(()) => {
                let Startup { interpreters, kept: opened } = startup;
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(opened);
                service.scheduler.set_effect_kinds(interpreters.kinds());
                service.readiness.set_ready(interpreters);
            }
            Err(error) => {
                service.readiness.set_failed(with_causes(&*error).into());
            }
        }
    };
    std::thread::Builder::new().name("zerver-startup".to_owned()).spawn(work)?;
    Ok(stop)
}

/// Checks that limits are for kinds that there are.
pub(crate) fn check_effect_kinds(limits: &Limits, startup: &Startup) -> Result<(), StartError> {
    let kinds: Vec<_> = startup.interpreters.kinds().collect();
    match limits.effects_per_kind.keys().find(|kind| !kinds.contains(&kind.as_str())) {
        Some(kind) => Err(StartError::UnknownEffectKind { kind: kind.clone(), kinds: kinds.join(", ") }),
        None => Ok(()),
    }
}
