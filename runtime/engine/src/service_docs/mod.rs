//! Documents in which a running service describes itself to the command line: metrics and settings.

mod metrics;
mod settings;

pub use metrics::{
    ChaosMetrics, ClassMetrics, EffectMetrics, FlowMetrics, LatencyBucket, LatencyExemplar, RecorderMetrics,
    ServiceMetrics, StepMetrics, TargetMetrics, WorkerMetrics,
};
pub use settings::{SettingDoc, SettingSource};
