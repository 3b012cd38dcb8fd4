//! A replay with edits as a command for a shell.

use zerver_replay::{Edits, FaultKind};
use zerver_trace::RequestId;
use zerver_trace::duration::HumanDuration;

use zerver_analysis::CurlCommand as ShellCommand;
use zerver_analysis::shell_word as word;

/// Stands for a secret.
const SECRET: &str = "SECRET";

/// Returns the `zerver replay` of a request with edits. The values of the headers for which `is_secret` returns true are
/// left out.
pub(crate) fn replay_command(id: RequestId, edits: &Edits, is_secret: impl Fn(&str) -> bool) -> ShellCommand {
    let mut text = format!("zerver replay {id}");
    let mut comments = String::new();
    let mut add = |option: &str, value: &str| text += &format!(" {option} {}", word(value.as_bytes()));
    for slot in &edits.slots {
        let path: String = slot.path.iter().map(|part| format!(".{part}")).collect();
        add("--set", &format!("{}{path}={}", slot.slot, slot.json));
    }
    if let Some(step) = &edits.at {
        add("--at", step);
    }
    for answer in &edits.answers {
        add("--answer", &format!("{}={}", answer.effect, answer.json));
    }
    for fault in &edits.faults {
        let effect = &fault.effect;
        match &fault.kind {
            FaultKind::Timeout => add("--fail", &format!("{effect}=timeout")),
            FaultKind::Unreachable => add("--fail", &format!("{effect}=unreachable")),
            FaultKind::Malformed => add("--fail", &format!("{effect}=malformed")),
            FaultKind::Error(message) => add("--fail", &format!("{effect}=error:{message}")),
            FaultKind::Latency { ns } => {
                add("--latency", &format!("{effect}={}", HumanDuration { ns: *ns }));
            }
        }
    }
    for (name, value) in &edits.headers {
        if is_secret(name) {
            comments += &format!("# {SECRET} stands for the value of {name}, which is not copied\n");
            add("--request-header", &format!("{name}={SECRET}"));
        } else {
            add("--request-header", &format!("{name}={value}"));
        }
    }
    if let Some(body) = &edits.body {
        add("--request-body", &String::from_utf8_lossy(body));
    }
    ShellCommand { is_partial: !comments.is_empty(), text: comments + &text }
}

#[cfg(test)]
mod tests {
    use zerver_replay::Fault;
    use zerver_testkit::sample;

    use super::*;

    #[test]
    fn edits_become_options() {
        let fault = |kind| Fault { effect: "kv get a".into(), kind };
        let edits = Edits {
            slots: vec!["Todo.title=\"it's\"".parse().unwrap()],
            at: Some("render".into()),
            answers: vec!["http GET a/b=null".parse().unwrap()],
            headers: vec![("accept".into(), "*/*".into()), ("cookie".into(), "sesame".into())],
            body: Some(b"{}".to_vec()),
            faults: vec![fault(FaultKind::Timeout), fault(FaultKind::Latency { ns: 1_500_000_000 })],
            live: Vec::new(),
        };
        let ShellCommand { text, is_partial } =
            replay_command(sample::slow().id, &edits, |name| name == "cookie");
        insta::assert_snapshot!(text, @r#"
        # SECRET stands for the value of cookie, which is not copied
        zerver replay 019aa4c2-1f3b-7abc-8def-0123456789ab --set 'Todo.title="it'\''s"' --at render --answer 'http GET a/b=null' --fail 'kv get a=timeout' --latency 'kv get a=1500ms' --request-header 'accept=*/*' --request-header 'cookie=SECRET' --request-body '{}'
        "#);
        assert!(is_partial);
        let plain = replay_command(sample::slow().id, &Edits::default(), |_| true);
        assert_eq!(plain.text, "zerver replay 019aa4c2-1f3b-7abc-8def-0123456789ab");
        assert!(!plain.is_partial);
    }
}
