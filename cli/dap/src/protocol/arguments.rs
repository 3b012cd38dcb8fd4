//! Arguments of the requests that a client sends. Whatever is not used is left out; whatever may be missing has a default.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Initialize {
    #[serde(rename = "linesStartAt1")]
    pub(crate) lines_start_at_1: bool,
    #[serde(rename = "columnsStartAt1")]
    pub(crate) columns_start_at_1: bool,
    pub(crate) path_format: String,
}

impl Default for Initialize {
    fn default() -> Self {
        Self { lines_start_at_1: true, columns_start_at_1: true, path_format: "path".to_owned() }
    }
}

/// Configuration that the user writes. `request` is taken by the protocol, hence `id`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Launch {
    #[serde(default = "last")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) store: Option<String>,
    #[serde(default = "yes")]
    pub(crate) stop_on_entry: bool,
}

fn last() -> String {
    "@last".to_owned()
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Source {
    pub(crate) path: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SetBreakpoints {
    #[serde(default)]
    pub(crate) source: Source,
    #[serde(default)]
    pub(crate) breakpoints: Vec<SourceBreakpoint>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SourceBreakpoint {
    pub(crate) line: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SetFunctionBreakpoints {
    pub(crate) breakpoints: Vec<FunctionBreakpoint>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FunctionBreakpoint {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetDataBreakpoints {
    pub(crate) breakpoints: Vec<DataBreakpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataBreakpoint {
    pub(crate) data_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetExceptionBreakpoints {
    pub(crate) filters: Vec<String>,
    pub(crate) filter_options: Vec<FilterOption>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterOption {
    pub(crate) filter_id: String,
    #[serde(default)]
    pub(crate) condition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StackTrace {
    pub(crate) start_frame: usize,
    pub(crate) levels: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfFrame {
    pub(crate) frame_id: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variables {
    pub(crate) variables_reference: i64,
    #[serde(default)]
    pub(crate) filter: String,
    #[serde(default)]
    pub(crate) start: usize,
    #[serde(default)]
    pub(crate) count: usize,
}

/// A variable by its place, in `setVariable` and `dataBreakpointInfo`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NamedVariable {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) variables_reference: i64,
    #[serde(default)]
    pub(crate) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluate {
    pub(crate) expression: String,
    pub(crate) frame_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BreakpointLocations {
    pub(crate) source: Source,
    pub(crate) line: i64,
    pub(crate) end_line: Option<i64>,
}
