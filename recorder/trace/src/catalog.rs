//! Catalog of a service: its flows, with what their definitions say beyond what a trace needs.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::FlowInfo;

/// A flow of the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogFlow {
    /// The flow, as it is stored with its traces.
    #[serde(flatten)]
    pub flow: FlowInfo,
    /// Position of the recovery step among the steps, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_step: Option<usize>,
    /// Other parts of its definition. `None` for a route that a layer has recorded, and in stores of earlier builds.
    #[serde(flatten)]
    pub declaration: Option<FlowDeclaration>,
}

impl CatalogFlow {
    /// Creates a flow of the catalog.
    pub fn new(flow: FlowInfo, declaration: Option<FlowDeclaration>) -> Self {
        Self { recovery_step: flow.recovery_step(), flow, declaration }
    }
}

/// A flow of which nothing else is known.
impl From<FlowInfo> for CatalogFlow {
    fn from(flow: FlowInfo) -> Self {
        Self::new(flow, None)
    }
}

/// The parts of the definition of a flow that no trace needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct FlowDeclaration {
    /// Version, from 1.
    pub version: u16,
    /// Team or person to ask about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Other paths that reach it.
    pub aliases: Vec<AliasInfo>,
    /// Its own deadline, in nanoseconds. `None` if it has that of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ns: Option<u64>,
    /// Service level objectives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<SloInfo>,
    /// Parts of the request that its steps take by value.
    pub inputs: Vec<InputInfo>,
    /// Shapes of the values of its slots, at the positions of the slots. Empty for a slot that no step writes.
    pub slot_shapes: Vec<String>,
    /// Hash of all of its route, steps, slots and inputs, in hexadecimal.
    pub plan_hash: String,
}

/// Another path of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct AliasInfo {
    /// URL pattern, such as `/orders/{id}`.
    pub pattern: String,
    /// True if its requests are redirected to the route.
    pub redirect: bool,
    /// Day since which it is deprecated, such as `2026-12-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// Day on which it is planned to be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Service level objectives of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SloInfo {
    /// Time within which 95 % of the requests should be answered, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ns: Option<u64>,
    /// Time within which 99 % of the requests should be answered, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ns: Option<u64>,
    /// Share of the requests that may fail, in millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors_ppm: Option<u32>,
}

/// A part of the request that a step takes by value.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct InputInfo {
    /// Position of the step.
    pub step: u16,
    /// The part: `path`, `query`, `headers`, `cookies`, or the media type of the body. Empty if it is unknown.
    pub part: String,
    /// Shape of its value.
    pub shape: String,
}
