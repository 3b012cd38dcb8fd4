//! Documents in which a running service describes itself to the command line: metrics and settings.

mod metrics;
mod settings;
mod slo;

pub use metrics::{
    AliasMetrics, ChaosMetrics, ClassMetrics, EffectMetrics, FleetMetrics, FlowMetrics, LatencyBucket,
    LatencyExemplar, RecorderMetrics, ServiceMetrics, StepMetrics, TargetMetrics, WorkerMetrics,
};
pub use settings::{SettingDoc, SettingSource};
pub use slo::{BurnWindow, SLO_WINDOWS_MIN, SloMetrics, SloState, slo_objectives};
