//! Declarations: what the definition of a flow says beyond what its traces need.

use std::sync::Arc;
use std::time::Duration;

use zerver_engine::{Alias, FlowDef, InputDesc, InputPart, Slo};
use zerver_trace::{AliasInfo, CatalogFlow, FlowDeclaration, FlowInfo, InputInfo, SloInfo};

use super::plan_hash::plan_hash;
use crate::time::nanos;

/// Returns the flows of the catalog. Each call traces all types again, so this is for starts and for people.
pub(crate) fn catalog_flows(defs: &[FlowDef], infos: &[Arc<FlowInfo>]) -> Vec<CatalogFlow> {
    let flow = |(def, info): (&FlowDef, &Arc<FlowInfo>)| {
        CatalogFlow::new((**info).clone(), Some(declaration(def, info)))
    };
    defs.iter().zip(infos).map(flow).collect()
}

/// Returns the declaration of a flow.
fn declaration(def: &FlowDef, info: &FlowInfo) -> FlowDeclaration {
    let (inputs, slot_shapes) = (inputs(def), slot_shapes(def, info));
    let plan_hash = plan_hash(info, &inputs, &slot_shapes);
    FlowDeclaration {
        version: def.number_of_version(),
        owner: def.owner_name().map(str::to_owned),
        aliases: def.alias_list().iter().map(alias).collect(),
        deadline_ns: def.own_deadline().map(nanos),
        slo: slo(def.objectives()),
        inputs,
        slot_shapes,
        plan_hash,
    }
}

fn alias(alias: &Alias) -> AliasInfo {
    AliasInfo {
        pattern: alias.pattern().to_owned(),
        redirect: alias.is_redirect(),
        deprecated: alias.deprecation().map(|date| date.to_string()),
        until: alias.sunset().map(|date| date.to_string()),
    }
}

/// Returns the objectives, unless there are none.
fn slo(slo: Slo) -> Option<SloInfo> {
    let ns = |limit: Option<Duration>| limit.map(nanos);
    let info = SloInfo {
        p95_ns: ns(slo.p95_limit()),
        p99_ns: ns(slo.p99_limit()),
        errors_ppm: slo.error_millionths(),
    };
    (info != SloInfo::default()).then_some(info)
}

fn inputs(def: &FlowDef) -> Vec<InputInfo> {
    let of_step = |(step, inputs): (usize, &'static [Option<InputDesc>])| {
        inputs.iter().map(move |input| InputInfo {
            step: step as u16,
            part: input.map_or("", |input| part_name(input.part)).to_owned(),
            shape: input.map_or_else(|| "any".to_owned(), |input| (input.shape)().to_string()),
        })
    };
    let recovery = def.recovery_step();
    let steps = def.steps().map(|step| step.inputs).chain(recovery.map(|step| step.inputs));
    steps.enumerate().flat_map(of_step).collect()
}

const fn part_name(part: InputPart) -> &'static str {
    match part {
        InputPart::Path => "path",
        InputPart::Query => "query",
        InputPart::Headers => "headers",
        InputPart::Cookies => "cookies",
        InputPart::Body(media_type) => media_type,
    }
}

/// Returns the shape of each slot of a flow, or an empty text for one that no step writes.
fn slot_shapes(def: &FlowDef, info: &FlowInfo) -> Vec<String> {
    let recovery = def.recovery_step();
    let writes: Vec<_> = def
        .steps()
        .flat_map(|step| step.writes)
        .chain(recovery.iter().flat_map(|step| step.writes))
        .collect();
    let shape = |path: &str| {
        writes.iter().find(|write| write.slot.path == path).map(|write| (write.shape)().to_string())
    };
    info.slots.iter().map(|slot| shape(&slot.path).unwrap_or_default()).collect()
}
