//! The servers that answer `GET /v1/todos/7`.

use std::net::SocketAddr;
use std::process::Command;

use zerver_recorder::{RecordingPolicy, TailPolicy};

use crate::collector::Collector;
use crate::process::Server;
use crate::{axum_otlp, axum_twin, hyper_twin, todos};

/// A server to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Hyper,
    Axum,
    AxumOtlp,
    Unrecorded,
    Tail,
    All,
}

impl Variant {
    /// As they are declared, so that they can be counted by.
    pub(crate) const ALL: [Self; 6] =
        [Self::Hyper, Self::Axum, Self::AxumOtlp, Self::Unrecorded, Self::Tail, Self::All];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper 1",
            Self::Axum => "axum 0.8",
            Self::AxumOtlp => "axum 0.8, OTLP batch",
            Self::Unrecorded => "zerver, unrecorded",
            Self::Tail => "zerver, tail",
            Self::All => "zerver, all",
        }
    }

    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Axum => "axum",
            Self::AxumOtlp => "axum-otlp",
            Self::Unrecorded => "off",
            Self::Tail => "tail",
            Self::All => "all",
        }
    }

    /// How much of axum's time, untraced, it is to take at most.
    pub(crate) const fn aim(self) -> Option<f64> {
        match self {
            Self::Hyper | Self::Axum | Self::AxumOtlp => None,
            Self::Unrecorded => Some(0.9),
            Self::Tail => Some(1.0),
            Self::All => Some(1.2),
        }
    }

    /// Serves until `ready` returns.
    pub(crate) fn serve(self, ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
        match self {
            Self::Hyper => hyper_twin::serve(ready),
            Self::Axum => axum_twin::serve(ready),
            Self::AxumOtlp => axum_otlp::serve(ready),
            Self::Unrecorded => todos::serve(None, ready),
            Self::Tail => todos::serve(Some(RecordingPolicy::Tail(TailPolicy::default())), ready),
            Self::All => todos::serve(Some(RecordingPolicy::All), ready),
        }
    }
}

/// One that runs, with what takes its spans if it exports them.
pub(crate) struct Started {
    pub(crate) server: Server,
    collector: Option<Collector>,
}

impl Started {
    /// By a command that runs this [program](crate::process::program).
    pub(crate) fn new(variant: Variant, mut command: Command) -> Result<Self, String> {
        let collector = (variant == Variant::AxumOtlp).then(Collector::start).transpose()?;
        if let Some(collector) = &collector {
            // The exporter's client would go through a proxy.
            command.env(axum_otlp::ENDPOINT, collector.url()).env("NO_PROXY", "127.0.0.1");
        }
        Ok(Self { server: Server::launch(command, variant.argument())?, collector })
    }

    /// Ends it, after so many requests. All of their spans must have arrived, or its figures say nothing.
    pub(crate) fn stop(self, requests: u64) -> Result<(), String> {
        let Self { server, collector } = self;
        server.stop(|_| Ok(()))?;
        let (sent, arrived) = (requests * axum_otlp::SPANS, collector.map(|collector| collector.spans()));
        match arrived {
            Some(arrived) if arrived != sent => {
                Err(format!("{arrived} of {sent} spans arrived: the others were dropped"))
            }
            _ => Ok(()),
        }
    }
}
