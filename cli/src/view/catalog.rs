//! Flows: route, class, and the steps with the slots they read and write.

use anstream::adapter::strip_str;
use zerver_trace::text::clean;
use zerver_trace::{FlowInfo, StepInfo};

use super::{fill, fit, paint, style, width};

/// Indentation of the steps of a flow, in columns.
const INDENT: usize = 5;

/// Returns one block per flow, with a maximum width in columns if there is one.
pub(crate) fn catalog(flows: &[FlowInfo], columns: Option<usize>) -> String {
    flows.iter().map(|info| flow(info, columns.unwrap_or(usize::MAX))).collect::<Vec<_>>().join("\n")
}

fn flow(flow: &FlowInfo, columns: usize) -> String {
    let mut out = format!(
        "{}  {} {}  {}\n",
        paint(style::STRONG, &clean(&flow.name)),
        clean(&flow.method),
        clean(&flow.pattern),
        paint(style::FAINT, flow.class.as_str()),
    );
    let names: Vec<_> = flow.steps.iter().map(|step| clean(&step.name)).collect();
    let name_columns = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let recovery = flow.recovery_step();
    for (at, (step, name)) in flow.steps.iter().zip(&names).enumerate() {
        let is_recovery = recovery == Some(at);
        if is_recovery {
            out += &format!("     {}\n", paint(style::FAINT, "on failure"));
        }
        let number = if is_recovery { "   ".to_owned() } else { format!("{:>3}", at + 1) };
        let mut line = format!("{}  {name}{}", paint(style::FAINT, &number), fill(name, name_columns));
        let mut taken = INDENT + name_columns;
        let room = columns.saturating_sub(INDENT + name_columns + 3);
        for part in [slots(flow, step, true, room), slots(flow, step, false, room)].into_iter().flatten() {
            let part_columns = 3 + width(&strip_str(&part).to_string());
            if taken + part_columns > columns && taken > INDENT + name_columns {
                line += &format!("\n{}", " ".repeat(INDENT + name_columns));
                taken = INDENT + name_columns;
            }
            line += &format!("   {part}");
            taken += part_columns;
        }
        out += line.trim_end();
        out.push('\n');
        // The handler of a service that a layer records has no place.
        let source = match step.line {
            0 => String::new(),
            line => format!("{}:{line}", clean(&step.file)),
        };
        let doc = step.doc.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
        let doc = fit(&clean(doc), columns.saturating_sub(INDENT + width(&source) + 2));
        let place = if source.is_empty() { source } else { paint(style::FAINT, &source) + "  " };
        out += format!("     {place}{doc}").trim_end();
        out.push('\n');
    }
    out
}

/// Returns `reads Claims, Todo (optional)`: the step also runs without an optional slot.
fn slots(flow: &FlowInfo, step: &StepInfo, is_read: bool, room: usize) -> Option<String> {
    let slots: Vec<(u16, bool)> = if is_read {
        step.reads.iter().map(|read| (read.slot, read.is_optional)).collect()
    } else {
        step.writes.iter().map(|write| (write.slot, write.is_optional)).collect()
    };
    let name = |(slot, optional): &(u16, bool)| {
        let info = flow.slots.get(usize::from(*slot));
        let name = info.map_or_else(|| format!("slot#{slot}"), |info| clean(&info.name).into_owned());
        let secret = if info.is_some_and(|info| info.is_secret) { " (secret)" } else { "" };
        format!("{name}{secret}{}", if *optional { " (optional)" } else { "" })
    };
    let word = if is_read { "reads" } else { "writes" };
    let names = slots.iter().map(name).collect::<Vec<_>>().join(", ");
    let names = fit(&names, room.saturating_sub(word.len() + 1));
    (!names.is_empty()).then(|| format!("{} {names}", paint(style::FAINT, word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn the_recovery_step_is_no_ordinary_step() {
        let mut flow = (*sample::slow().flow).clone();
        flow.steps.drain(1..4);
        flow.slots.push(zerver_trace::SlotInfo {
            name: "Failure".to_owned(),
            path: FlowInfo::FAILURE_PATH.to_owned(),
            is_secret: false,
        });
        let failure = flow.slots.len() as u16 - 1;
        flow.steps[1].reads = vec![zerver_trace::ReadInfo { slot: failure, is_optional: false }];
        let text = strip_str(&catalog(&[flow], None)).to_string();
        insta::assert_snapshot!(text, @r"
        todos-item  GET /v1/todos/{id}  interactive
          1  parse_auth    writes AuthHeader (secret)
             src/todos.rs:10  What parse_auth is for.
             on failure
             render_todo   reads Failure
             src/todos.rs:50  What render_todo is for.
        ");
    }

    #[test]
    fn a_flow_is_shown_with_its_steps() {
        let mut flow = (*sample::slow().flow).clone();
        flow.steps[3].reads = vec![
            zerver_trace::ReadInfo { slot: 1, is_optional: true },
            zerver_trace::ReadInfo { slot: 9, is_optional: false },
        ];
        let text = strip_str(&catalog(&[flow], None)).to_string();
        insta::assert_snapshot!(text, @r"
        todos-item  GET /v1/todos/{id}  interactive
          1  parse_auth     writes AuthHeader (secret)
             src/todos.rs:10  What parse_auth is for.
          2  lookup_user    reads AuthHeader (secret)   writes Claims
             src/todos.rs:20  What lookup_user is for.
          3  verify_roles   reads Claims
             src/todos.rs:30  What verify_roles is for.
          4  load_todo      reads Claims (optional), slot#9   writes Todo
             src/todos.rs:40  What load_todo is for.
          5  render_todo    reads Todo
             src/todos.rs:50  What render_todo is for.
        ");
    }
}
