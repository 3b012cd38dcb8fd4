//! Pages about the service itself: its scheduler and its catalog; and the keys.

use maud::{Markup, html};

use super::page_error::PageError;
use super::state::WebState;
use crate::page::{Frame, Tab, key_tables};
use crate::view::catalog::catalog_page;
use crate::view::scheduler::{SchedulerView, scheduler_page};

pub(super) fn scheduler(state: &WebState) -> Result<Markup, PageError> {
    let metrics = state.services.metrics();
    let before = match &metrics {
        Some(Ok(now)) => state.earlier_metrics(now),
        _ => zerver_replay::ServiceMetrics::default(),
    };
    let content = scheduler_page(&SchedulerView { metrics: metrics.as_ref(), before: &before });
    Ok(state.frame(Tab::Scheduler, "Scheduler").around(&content))
}

pub(super) fn catalog(state: &WebState) -> Result<Markup, PageError> {
    let flows = state.services.catalog().map_err(zerver_trace::SourceError::from)?;
    Ok(state.frame(Tab::Catalog, "Catalog").around(&catalog_page(&flows)))
}

pub(super) fn keys() -> Markup {
    let content = html! { h1 { "Keys" } (key_tables()) };
    Frame::new(Tab::Other, "Keys").around(&content)
}
