//! Live updates: server-sent events that say how many new requests a query selects. The page then fetches itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::handler::WebState;
use crate::selection::TypedQuery;
use crate::url::Params;

/// Interval at which the store is read.
const POLL_INTERVAL: Duration = Duration::from_millis(300);
/// Interval of comments without news, which notice that a client has left.
const KEEP_ALIVE_POLLS: u32 = 50;
/// Maximum number of events that wait for a slow client.
const MAX_WAITING: usize = 4;

/// Begins to follow the store for one page.
pub(super) fn follow(state: &Arc<WebState>, params: &Params) -> Receiver<Bytes> {
    let (sender, events) = channel(MAX_WAITING);
    let typed = TypedQuery::parse(params.get("q"), &*state.services);
    tokio::spawn(send_news(Arc::clone(state), typed, sender));
    events
}

async fn send_news(state: Arc<WebState>, typed: TypedQuery, sender: Sender<Bytes>) {
    let query = Arc::new(typed.query);
    let mut seen = None;
    let mut selected = 0;
    for poll in 0_u32.. {
        let (of, query) = (Arc::clone(&state), Arc::clone(&query));
        let news = spawn_blocking(move || {
            // An error is shown by the page itself.
            let snapshot = of.window.refresh().ok()?;
            let new = snapshot.added.saturating_sub(seen.unwrap_or(snapshot.added));
            // A request that only its trace can judge counts: the page then shows the truth.
            let is_selected =
                |request: &&Arc<zerver_trace::Summary>| query.matches_summary(&***request) != Some(false);
            let newest = snapshot.requests.iter().take(usize::try_from(new).unwrap_or(usize::MAX));
            Some((snapshot.added, newest.filter(is_selected).count()))
        });
        if let Ok(Some((added, new))) = news.await {
            seen = Some(added);
            selected += new;
            let message = match (new, poll % KEEP_ALIVE_POLLS) {
                (0, 0) => ": no news\n\n".to_owned(),
                (0, _) => String::new(),
                _ => format!("event: requests\ndata: {selected}\n\n"),
            };
            if !message.is_empty() && sender.send(Bytes::from(message)).await.is_err() {
                return;
            }
        }
        if sender.is_closed() {
            return;
        }
        sleep(POLL_INTERVAL).await;
    }
}
