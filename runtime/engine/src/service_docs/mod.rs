//! Documents in which a running service describes itself to the command line: metrics and settings.

mod metrics;
mod settings;

pub use metrics::{
    ChaosMetrics, ClassMetrics, EffectMetrics, RecorderMetrics, ServiceMetrics, StepMetrics, TargetMetrics,
    WorkerMetrics,
};
pub use settings::{SettingDoc, SettingSource};
