//! Values that a target names, in a recording and in a run of today's code.

use zerver_trace::{Event, Node, Recorded, Trace, Value};

use super::value_path::{ValuePath, ValueRoot};
use crate::replay_error::ReplayError;
use crate::value::json_tree::JsonTree;
use crate::value::path::{NoSuchPlace, own, step_into};

/// Returns the recorded value that contains a target, or `None` if it was not recorded.
pub(super) fn recorded_whole(
    trace: &Trace,
    target: &ValuePath,
    plain: &dyn Fn(&Recorded) -> Option<Value>,
) -> Option<Value> {
    match &target.root {
        ValueRoot::Slot(name) => trace.events.iter().rev().find_map(|event| match event {
            Event::SlotWritten { slot, value, .. } => {
                let info = trace.flow.slots.get(usize::from(*slot))?;
                (info.name == *name || info.path == *name).then(|| plain(value)).flatten()
            }
            _ => None,
        }),
        ValueRoot::Arguments(number) => trace.events.iter().find_map(|event| match event {
            Event::EffectRequested { call, args, .. } if call == number => plain(args),
            _ => None,
        }),
        root => whole_response(
            root,
            trace.status,
            trace.response_headers.iter().map(|header| (header.name.as_str(), &header.value)),
            &trace.response_body.bytes,
            plain,
        ),
    }
}

/// Checks that the recorded value has the part that a target names, as far as it was recorded.
///
/// # Errors
/// Fails with the parts that exist instead.
pub(super) fn check_part(trace: &Trace, target: &ValuePath) -> Result<(), ReplayError> {
    let plain = |recorded: &Recorded| match recorded {
        Recorded::Plain { value, .. } => Some(value.clone()),
        _ => None,
    };
    let Some(whole) = recorded_whole(trace, target, &plain) else { return Ok(()) };
    let Err(none) = find_part(&whole, &target.path) else { return Ok(()) };
    let error = ReplayError::new(format!("{target} does not exist: there is no {:?}", none.part));
    Err(match (&none.nearest, none.there.as_slice()) {
        (Some(nearest), _) => error.hint(format!("did you mean {nearest}?")),
        (None, []) => error.hint("the value has no parts"),
        (None, there) => error.hint(format!("available: {}", there.join(", "))),
    })
}

/// Returns the part of a response that a target names, as a whole. A JSON body is read as JSON.
pub(super) fn whole_response<'h>(
    root: &ValueRoot,
    status: u16,
    headers: impl Iterator<Item = (&'h str, &'h Recorded)>,
    body: &Recorded,
    plain: &dyn Fn(&Recorded) -> Option<Value>,
) -> Option<Value> {
    match root {
        ValueRoot::Status => Value::from_serialize(&status).ok(),
        ValueRoot::Header(name) => {
            let mut texts = Vec::new();
            for (_, value) in headers.filter(|(of, _)| of.eq_ignore_ascii_case(name)) {
                let value = plain(value)?;
                let bytes = value.root().as_bytes().unwrap_or_default().into_owned();
                texts.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            (!texts.is_empty()).then(|| Value::from_serialize(&texts.join(", ")).ok()).flatten()
        }
        ValueRoot::Body => {
            let value = plain(body)?;
            let bytes = value.root().as_bytes().unwrap_or_default().into_owned();
            match JsonTree::read(&bytes) {
                Ok(tree) => own(&tree.node()).ok(),
                Err(_) => Value::from_serialize(&String::from_utf8_lossy(&bytes)).ok(),
            }
        }
        ValueRoot::Slot(_) | ValueRoot::Arguments(_) => None,
    }
}

/// Returns the part of a value to which a path leads, also into JSON texts.
pub(super) fn part(value: &Value, path: &[String]) -> Option<Value> {
    find_part(value, path).ok()
}

fn find_part(value: &Value, path: &[String]) -> Result<Value, NoSuchPlace> {
    let mut node = &mut value.root();
    for (at, name) in path.iter().enumerate() {
        if let Node::Str(_) | Node::Bytes(_) = node {
            let bytes = node.as_bytes().unwrap_or_default();
            if let Some(inner) = JsonTree::read(&bytes).ok().and_then(|tree| own(&tree.node()).ok()) {
                return find_part(&inner, &path[at..]);
            }
        }
        node = step_into(node, name)?;
    }
    own(node).map_err(|_| NoSuchPlace { part: String::new(), there: Vec::new(), nearest: None })
}
