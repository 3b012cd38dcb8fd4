//! Serves the commands of zerver that read recordings as tools over the Model Context Protocol.
//!
//! Each tool runs the `zerver` program with `--json`, so that an assistant reads the same documents as a script. Nothing
//! is written, no file is read by its name, no effect is performed, and no shell takes part. What was recorded came from
//! anywhere, and is therefore returned in a field named `untrusted`.

mod answer;
mod command_line;
mod server;
mod tools;

use std::path::PathBuf;

use rmcp::ServiceExt as _;
use rmcp::transport::stdio;

use server::ToolServer;

/// Program and store that the tools use.
#[derive(Debug, Clone)]
pub struct McpOptions {
    /// The `zerver` program.
    pub program: PathBuf,
    /// Folder of the store; by default the one that the program finds.
    pub store: Option<PathBuf>,
    /// Folder of the service's package, for replays and the catalog; by default the one that the program finds.
    pub app: Option<PathBuf>,
}

/// Serves the tools on standard input and output until the input ends.
///
/// # Errors
/// If the client does not speak the protocol, or the streams fail.
pub fn serve(options: McpOptions) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let running = ToolServer::new(options).serve(stdio()).await?;
        running.waiting().await?;
        Ok(())
    })
}
