//! The sources of a value of a request. The declarations of the steps are read at once; runs of the service only when the user
//! asks for them, because they take their time. Nothing is sent anywhere by either.

use std::sync::TryLockError;

use maud::Markup;
use zerver_replay::{ReplayError, StaticSlice, ValuePath, ValueSlice, static_slice};

use super::page_error::PageError;
use super::state::WebState;
use crate::loaded_trace::LoadedTrace;
use crate::url::Params;
use crate::value_paths::named_values;
use crate::view::value_sources::{ValueSourcesView, value_sources_page};

/// Returns the page of the value that the URL names, or of all values.
pub(super) fn page(state: &WebState, loaded: &LoadedTrace, params: &Params) -> Markup {
    let declared = Some(params.get("of")).filter(|of| !of.is_empty()).map(|of| declared(loaded, of));
    render(state, loaded, params.get("of"), declared.map(|declared| declared.map(|(_, slice)| slice)), None)
}

/// Has the service find the sources, and returns the page with them.
pub(super) fn run(state: &WebState, id: &str, form: &Params) -> Result<Markup, PageError> {
    let loaded = state.load(id)?;
    let (declared, found) = match declared(&loaded, form.get("of")) {
        Err(error) => (Err(error), None),
        Ok((path, slice)) => (Ok(slice), Some(find(state, &loaded, path))),
    };
    let page = render(state, &loaded, form.get("of"), Some(declared), found);
    Ok(state.request_frame(&loaded, "value").around(&page))
}

fn find(state: &WebState, loaded: &LoadedTrace, path: ValuePath) -> Result<ValueSlice, ReplayError> {
    match state.replaying.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ReplayError {
            message: "another replay is running".to_owned(),
            hints: vec!["try again when it has ended".to_owned()],
            ..ReplayError::default()
        }),
        // A replay that panicked has left nothing behind.
        locked @ (Ok(_) | Err(TryLockError::Poisoned(_))) => {
            let found = state.services.value_sources(loaded.trace.clone(), path);
            drop(locked);
            found
        }
    }
}

fn declared(loaded: &LoadedTrace, of: &str) -> Result<(ValuePath, StaticSlice), ReplayError> {
    if !loaded.trace.has_steps() {
        return Err(ReplayError {
            message: "the request was recorded from outside: zerver does not know its steps".to_owned(),
            ..ReplayError::default()
        });
    }
    let path: ValuePath = of.parse()?;
    let slice = static_slice(&loaded.trace, &path)?;
    Ok((path, slice))
}

fn render(
    state: &WebState,
    loaded: &LoadedTrace,
    of: &str,
    declared: Option<Result<StaticSlice, ReplayError>>,
    found: Option<Result<ValueSlice, ReplayError>>,
) -> Markup {
    let values = if loaded.trace.has_steps() { named_values(loaded) } else { Vec::new() };
    let now_unix_ns = state.now_unix_ns();
    value_sources_page(&ValueSourcesView { loaded, of, declared, found, values: &values, now_unix_ns })
}
