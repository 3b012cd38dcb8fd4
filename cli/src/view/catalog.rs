//! Flows: route, class, and the steps with the slots they read and write.

use anstream::adapter::strip_str;
use serde::{Deserialize, Serialize};
use zerver_analysis::{FlowTarget, slo_text};
use zerver_trace::text::clean;
use zerver_trace::{AliasInfo, CatalogFlow, FlowDeclaration, FlowInfo, StepInfo, duration};

use super::{fill, fit, paint, style, width};

/// Indentation of the steps of a flow, in columns.
const INDENT: usize = 5;

/// A flow, and what its requests called, if they were looked at.
#[derive(Serialize, Deserialize)]
pub(crate) struct ListedFlow {
    #[serde(flatten)]
    pub(crate) flow: CatalogFlow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) targets: Option<Vec<FlowTarget>>,
}

/// Returns one block per flow, with a maximum width in columns if there is one.
pub(crate) fn catalog(flows: &[ListedFlow], columns: Option<usize>) -> String {
    flows.iter().map(|listed| flow(listed, columns.unwrap_or(usize::MAX))).collect::<Vec<_>>().join("\n")
}

fn flow(
    ListedFlow { flow: CatalogFlow { flow, declaration, .. }, targets }: &ListedFlow,
    columns: usize,
) -> String {
    let version = declaration.as_ref().map(|declaration| declaration.version).filter(|version| *version > 1);
    let mut out = format!(
        "{}{}  {} {}  {}\n",
        paint(style::STRONG, &clean(&flow.name)),
        version.map(|version| format!(" v{version}")).unwrap_or_default(),
        clean(&flow.method),
        clean(&flow.pattern),
        paint(style::FAINT, flow.class.as_str()),
    );
    let targets = targets.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let calls = (!targets.is_empty()).then_some(("calls", targets));
    for (name, text) in declaration.iter().flat_map(facts).chain(calls) {
        let text = fit(&clean(&text), columns.saturating_sub(INDENT + name.len() + 1));
        out += &format!("     {} {text}\n", paint(style::FAINT, name));
    }
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

/// Returns what the definition of a flow says, line by line.
fn facts(declaration: &FlowDeclaration) -> Vec<(&'static str, String)> {
    let alias = |alias: &AliasInfo| {
        let mut text = alias.pattern.clone();
        let how = [
            alias.redirect.then(|| "redirects".to_owned()),
            alias.deprecated.as_ref().map(|date| format!("deprecated since {date}")),
            alias.until.as_ref().map(|date| format!("until {date}")),
        ];
        for part in how.into_iter().flatten() {
            text += &format!(", {part}");
        }
        ("alias", text)
    };
    let owner = declaration.owner.iter().map(|owner| ("owner", owner.clone()));
    let deadline = declaration.deadline_ns.map(|ns| ("deadline", duration::show(ns)));
    let slo = declaration.slo.as_ref().map(|slo| ("slo", slo_text(slo)));
    owner.chain(declaration.aliases.iter().map(alias)).chain(deadline).chain(slo).collect()
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
    use zerver_trace::SloInfo;

    const fn listed(flow: CatalogFlow) -> ListedFlow {
        ListedFlow { flow, targets: None }
    }

    #[test]
    fn the_recovery_step_is_no_ordinary_step() {
        let mut flow = (*sample::slow().flow).clone();
        flow.steps.drain(1..4);
        flow.slots.push(zerver_trace::SlotInfo {
            name: "Failure".to_owned(),
            path: FlowInfo::FAILURE_PATH.to_owned(),
            ..zerver_trace::SlotInfo::default()
        });
        let failure = flow.slots.len() as u16 - 1;
        flow.steps[1].reads = vec![zerver_trace::ReadInfo { slot: failure, is_optional: false }];
        let text = strip_str(&catalog(&[listed(CatalogFlow::new(flow, None))], None)).to_string();
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
    fn what_the_definition_says_precedes_the_steps() {
        let mut flow = (*sample::slow().flow).clone();
        flow.steps.truncate(1);
        let alias = |pattern: &str, redirect, until: Option<&str>| AliasInfo {
            pattern: pattern.to_owned(),
            redirect,
            deprecated: until.map(|_| "2026-12-01".to_owned()),
            until: until.map(str::to_owned),
        };
        let declaration = FlowDeclaration {
            version: 2,
            owner: Some("checkout\u{1b}[31m".to_owned()),
            aliases: vec![alias("/todos/{id}", true, Some("2027-03-01")), alias("/t/{id}", false, None)],
            deadline_ns: Some(2_000_000_000),
            slo: Some(SloInfo { p95_ns: Some(50_000_000), p99_ns: None, errors_ppm: Some(1_000) }),
            ..FlowDeclaration::default()
        };
        let text = catalog(
            &[ListedFlow {
                flow: CatalogFlow::new(flow, Some(declaration)),
                targets: Some(vec![
                    FlowTarget { kind: "http".to_owned(), host: Some("rates.example\u{1b}".to_owned()) },
                    FlowTarget { kind: "kv".to_owned(), host: None },
                ]),
            }],
            None,
        );
        insta::assert_snapshot!(strip_str(&text).to_string(), @r"
        todos-item v2  GET /v1/todos/{id}  interactive
             owner checkout\u{1b}[31m
             alias /todos/{id}, redirects, deprecated since 2026-12-01, until 2027-03-01
             alias /t/{id}
             deadline 2.00 s
             slo p95 50.0 ms, errors 0.1%
             calls http rates.example\u{1b}, kv
          1  parse_auth   writes AuthHeader (secret)
             src/todos.rs:10  What parse_auth is for.
        ");
    }

    #[test]
    fn a_flow_is_shown_with_its_steps() {
        let mut flow = (*sample::slow().flow).clone();
        flow.steps[3].reads = vec![
            zerver_trace::ReadInfo { slot: 1, is_optional: true },
            zerver_trace::ReadInfo { slot: 9, is_optional: false },
        ];
        let text = strip_str(&catalog(&[listed(CatalogFlow::new(flow, None))], None)).to_string();
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
