//! The servers that answer `GET /v1/todos/{id}`, and starting one with its collector.

use std::net::SocketAddr;
use std::process::Command;

use zerver_recorder::{RecordingPolicy, TailPolicy};
use zerver_tower::Keep;

use super::collector::Collector;
use super::process::Server;
use super::{axum_fastrace, axum_otlp, axum_server, hyper_server, todos};
use crate::load::traffic::Traffic;

/// A server of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Hyper,
    Axum,
    AxumOtlp,
    AxumFastrace,
    LayerTail,
    LayerAll,
    Unrecorded,
    Tail,
    All,
    /// Records everything for a fleet whose database is out of reach.
    AllFleetDown,
}

impl Variant {
    /// All variants in the order of their declaration, so that `variant as usize` is an index.
    pub(crate) const ALL: [Self; 10] = [
        Self::Hyper,
        Self::Axum,
        Self::AxumOtlp,
        Self::AxumFastrace,
        Self::LayerTail,
        Self::LayerAll,
        Self::Unrecorded,
        Self::Tail,
        Self::All,
        Self::AllFleetDown,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper 1",
            Self::Axum => "axum 0.8",
            Self::AxumOtlp => "axum 0.8, OTLP batch",
            Self::AxumFastrace => "axum 0.8, fastrace",
            Self::LayerTail => "axum 0.8, layer, tail",
            Self::LayerAll => "axum 0.8, layer, all",
            Self::Unrecorded => "zerver, unrecorded",
            Self::Tail => "zerver, tail",
            Self::All => "zerver, all",
            Self::AllFleetDown => "zerver, all, fleet down",
        }
    }

    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Axum => "axum",
            Self::AxumOtlp => "axum-otlp",
            Self::AxumFastrace => "axum-fastrace",
            Self::LayerTail => "axum-layer-tail",
            Self::LayerAll => "axum-layer-all",
            Self::Unrecorded => "off",
            Self::Tail => "tail",
            Self::All => "all",
            Self::AllFleetDown => "all-fleet-down",
        }
    }

    /// Returns true if the server is measured with this traffic. The layer has the queue of its users, which is too short for
    /// all varied traffic on a server that shares a core with the writer.
    pub(crate) fn takes(self, traffic: Traffic) -> bool {
        match self {
            Self::LayerAll => traffic == Traffic::Identical,
            Self::AllFleetDown => traffic == Traffic::Sessions,
            _ => true,
        }
    }

    /// Serves until `ready` returns.
    pub(crate) fn serve(self, ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
        match self {
            Self::Hyper => hyper_server::serve(ready),
            Self::Axum => axum_server::serve(ready),
            Self::AxumOtlp => axum_otlp::serve(ready),
            Self::AxumFastrace => axum_fastrace::serve(ready),
            Self::LayerTail => axum_server::serve_recorded(Keep::Tail, ready),
            Self::LayerAll => axum_server::serve_recorded(Keep::All, ready),
            Self::Unrecorded => todos::serve(None, false, ready),
            Self::Tail => todos::serve(Some(RecordingPolicy::Tail(TailPolicy::default())), false, ready),
            Self::All => todos::serve(Some(RecordingPolicy::All), false, ready),
            Self::AllFleetDown => todos::serve(Some(RecordingPolicy::All), true, ready),
        }
    }
}

/// A running server, and the collector of its spans if it exports any.
pub(crate) struct Started {
    pub(crate) server: Server,
    collector: Option<Collector>,
}

impl Started {
    /// Starts the server by a command that runs this [program](super::process::program).
    pub(crate) fn new(variant: Variant, mut command: Command) -> Result<Self, String> {
        let collector = (variant == Variant::AxumOtlp).then(Collector::start).transpose()?;
        if let Some(collector) = &collector {
            // The client of the exporter would use a proxy.
            command.env(axum_otlp::ENDPOINT, collector.url()).env("NO_PROXY", "127.0.0.1");
        }
        Ok(Self { server: Server::launch(command, variant.argument())?, collector })
    }

    /// Stops the server after `requests` requests. Fails if a span of theirs is missing, since the figures would be
    /// meaningless.
    pub(crate) fn stop(self, requests: u64) -> Result<(), String> {
        let Self { server, collector } = self;
        server.stop(|_| Ok(()))?;
        let (sent, arrived) = (requests * axum_otlp::SPANS, collector.map(|collector| collector.spans()));
        match arrived {
            Some(arrived) if arrived != sent => Err(format!("only {arrived} of {sent} spans arrived")),
            _ => Ok(()),
        }
    }
}
