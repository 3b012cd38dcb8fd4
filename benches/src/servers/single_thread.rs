//! A server on one thread and on any free port.

use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Serves until `ready` returns, which runs on a separate thread and gets the address.
pub(crate) fn serve(
    ready: impl FnOnce(SocketAddr) + Send + 'static,
    serve: impl AsyncFnOnce(TcpListener) -> Result<(), String>,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let addr = listener.local_addr().map_err(|error| error.to_string())?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            ready(addr);
            let _ = stop.send(());
        });
        tokio::select! {
            served = serve(listener) => served,
            _ = stopped => Ok(()),
        }
    })
}
