//! The terminal UI in a terminal: requests are opened, compared and replayed with other values, and the terminal is
//! restored.

use std::process::Command;

use serde_json::json;

use crate::harness::{Place, programs, undisturbed};
use crate::pty::Terminal;

const ENTER: &str = "\r";
const ESC: &str = "\u{1b}";
const TAB: &str = "\t";
const CLEAR: &str = "\u{15}";

/// Sets up a folder whose service has answered a few requests and ended. The second report took longer than the first.
fn recorded() -> Place {
    undisturbed(|| {
        let place = try_record()?;
        let [slow_ns, fast_ns] = place.durations_ns("report")[..] else { panic!("two") };
        (fast_ns + 20_000_000 < slow_ns).then_some(place)
    })
}

fn try_record() -> Option<Place> {
    let place = Place::new();
    let dev = place.dev();
    dev.ask("POST", "/todos").json(json!({ "title": "Buy milk" })).send();
    for latency_ms in [0, 40] {
        dev.get(&format!("/reports/todos?latency_ms={latency_ms}"));
    }
    let is_in_time = dev.ask("GET", "/v1/todos/1").bearer("ann-token").send().is_in_time();
    place.wait_for(4);
    dev.stop();
    is_in_time.then_some(place)
}

fn tui(place: &Place, more: &[&str]) -> Command {
    let todos = programs().todos.to_str().unwrap();
    place.command(&[&["tui", "--exe", todos], more].concat())
}

#[test]
fn requests_are_opened_compared_and_run_again() {
    let place = recorded();
    // Wide enough for the slots that an effect wrote, even if its answer was taken late.
    let mut terminal = Terminal::start(&tui(&place, &[]), 160, 50);
    terminal.wait_for(&["1 requests", "/v1/todos/1", "/reports/todos", "POST"]);

    // The newest request, the todo, is at the top.
    terminal.press(ENTER);
    let text = terminal.wait_for(&["parse_auth", "lookup_user", "render_for_user", "Claims"]);
    assert!(!text.contains("ann-token"), "{text}");

    // The two reports, the slow one above.
    terminal.press(ESC);
    terminal.wait_for(&["POST"]);
    terminal.press("jjd");
    terminal.wait_for(&["select b, press d"]);
    terminal.press("kd");
    terminal.wait_for(&["slower", "http GET figures.internal", "total", "latency_ms  0 -> 40"]);

    // The todo again, and another name in its claims.
    terminal.press("1");
    terminal.wait_for(&["POST"]);
    terminal.press("kr");
    terminal.wait_for(&["same: 8 of 8 decisions reproduced"]);
    terminal.press(&format!("jjjj{ENTER}"));
    terminal.wait_for(&["Todo = {\"id\":1,\"title\":\"Buy milk\""]);
    terminal.press(&format!("{CLEAR}.title=\"Buy bread\"{ENTER}"));
    terminal.wait_for(&["different: ", "response.body", "Buy bread"]);

    // The finding leads to its step, and the missing answer is requested.
    terminal.press(&format!("kkk{ENTER}{CLEAR}.sub=\"bob\"{ENTER}"));
    terminal.wait_for(&["no answer", "no recorded answer"]);
    terminal.press(ESC);
    // A key directly after escape would be read as a key with alt.
    terminal.wait("end of the question", |screen| !screen.contents().contains("no recorded answer"));
    terminal.press(&format!("{TAB}{ENTER}"));
    terminal.wait("timeline", |screen| {
        let text = screen.contents();
        text.contains("count_request") && !text.contains("differences")
    });

    // The flows, with their times. The one that took most of the time is the first.
    terminal.press("5");
    terminal.wait_for(&["flows: 4 requests", "report  GET /reports/todos", ": newest 2 requests"]);
    // By name, and flows without requests last.
    terminal.press("ssss");
    terminal.press("jj");
    terminal.wait_for(&["todos-item  GET /v1/todos/", ": 1 request", "p50", "p99", "kv get todo:1"]);
    // Its requests.
    terminal.press(ENTER);
    terminal.wait_for(&["flow=\"todos-item\"", "1 of 4"]);
    terminal.press("q");
    assert!(terminal.end().success());
}

#[test]
fn a_diff_opens_and_gives_its_exit_code() {
    let place = recorded();
    let ids: Vec<String> = place
        .wait_for(4)
        .iter()
        .filter(|request| request["flow"] == "report")
        .map(|request| request["id"].as_str().unwrap().to_owned())
        .collect();
    let command = place.command(&["diff", &ids[1], &ids[0]]);
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.wait_for(&["3 diff", "differences", "total"]);
    terminal.press("q");
    assert_eq!(terminal.end().exit_code(), 1);

    let printed = Terminal::start(&place.command(&["diff", &ids[1], &ids[0], "--no-tui"]), 80, 40);
    printed.wait_for(&["verdict", "total"]);
    assert_eq!(printed.end().exit_code(), 1);
}

#[test]
fn a_portable_file_opens_where_there_is_no_store() {
    let (place, other) = (recorded(), Place::new());
    let file = other.path().join("report.zrv");
    let file = file.to_str().unwrap();
    let requests = place.wait_for(4);
    let report = requests.iter().find(|request| request["flow"] == "report").unwrap();
    let id = report["id"].as_str().unwrap();
    assert_eq!(place.zerver(&["export", id, "-o", file]).code, Some(0));
    let mut terminal = Terminal::start(&tui(&other, &[file]), 120, 40);
    terminal.wait_for(&["GET /reports/todos", "parse_report"]);
    terminal.press("1");
    terminal.wait_for(&["1 requests", "live", "/reports/todos"]);
    terminal.press("r");
    terminal.wait_for(&["same: ", "decisions reproduced"]);
    // The first effect, after three slots: it gets no answer.
    terminal.press("jjjf");
    terminal.wait_for(&["→ timeout", "ends ", ", recorded "]);
    terminal.press("q");
    assert!(terminal.end().success());
}

#[test]
fn two_files_are_compared_where_there_is_no_store_and_a_file_with_a_request_of_one() {
    let (place, other) = (recorded(), Place::new());
    let requests = place.wait_for(4);
    let reports = requests.iter().filter(|request| request["flow"] == "report");
    let ids: Vec<&str> = reports.map(|request| request["id"].as_str().unwrap()).collect();
    let [slow, fast] = ["slow.zrv", "fast.zrv"].map(|name| other.path().join(name).display().to_string());
    for (id, file) in ids.iter().zip([&slow, &fast]) {
        assert_eq!(place.zerver(&["export", id, "-o", file]).code, Some(0));
    }
    for (place, first) in [(&other, fast.as_str()), (&place, ids[1])] {
        let mut terminal = Terminal::start(&place.command(&["diff", first, &slow]), 120, 40);
        terminal.wait_for(&["3 diff", "slower", "http GET figures.internal", "total"]);
        // Both can be opened from there.
        terminal.press(ENTER);
        terminal.wait_for(&["GET /reports/todos", "event ", "step parse_report"]);
        terminal.press("q");
        assert_eq!(terminal.end().exit_code(), 1);
    }
}

#[test]
fn a_secret_of_which_only_the_hash_is_known_is_typed_in() {
    let (place, other) = (recorded(), Place::new());
    let file = other.path().join("todo.zrv").display().to_string();
    assert_eq!(place.zerver(&["export", "@last:todos-item", "-o", &file]).code, Some(0));
    let mut terminal = Terminal::start(&tui(&other, &[&file]), 120, 40);
    terminal.wait_for(&["parse_auth"]);
    terminal.press("r");
    terminal.wait_for(&["cannot be replayed", "authorization = ", "this secret was not exported"]);
    terminal.press("Bearer ann-token");
    terminal.wait_for(&["authorization = ****************"]);
    terminal.press(ENTER);
    // The original secret cannot be distinguished from another.
    terminal.wait_for(&["no recorded answer; a similar effect got this one"]);
    terminal.press(ENTER);
    let text = terminal.wait_for(&["incomplete: 8 of 8 decisions reproduced", "(as typed)"]);
    assert!(!text.contains("ann-token"), "{text}");
    terminal.press("q");
    assert!(terminal.end().success());
}

/// Returns true if one of these texts is shown. The unit depends on the speed of the machine.
fn is_there(parts: &str, text: &str) -> bool {
    parts.split('|').any(|part| text.contains(part))
}

#[test]
fn each_screen_takes_another_size_and_comes_back_after_a_stop() {
    let place = recorded();
    let mut terminal = Terminal::start(&tui(&place, &["@last"]), 120, 40);
    terminal.wait_for(&["parse_auth"]);
    terminal.press("1");
    terminal.wait_for(&["live"]);
    terminal.press("jjdkd");
    terminal.wait_for(&["total"]);
    let id = terminal.id().to_string();
    for (key, part) in
        [("1", "method"), ("2", "event "), ("3", "differences"), ("4", "Nothing to replay"), ("5", "report")]
    {
        terminal.press(key);
        for (columns, rows) in [(80, 24), (200, 50), (40, 12), (120, 40)] {
            terminal.resize(columns, rows);
            terminal.wait(&format!("{part} on {columns} columns"), |screen| {
                let text = screen.contents();
                let lines: Vec<&str> = text.lines().collect();
                is_there(part, &text)
                    && lines.len() == usize::from(rows)
                    && lines[lines.len() - 1].contains("? keys")
            });
        }
        // Ctrl-Z, and `fg`.
        terminal.press("\u{1a}");
        terminal.wait("the screen of before", |screen| !screen.alternate_screen() && !screen.hide_cursor());
        terminal.wait_until_stopped();
        assert!(Command::new("kill").args(["-CONT", &id]).status().unwrap().success());
        terminal.wait("the screen again", |screen| {
            screen.alternate_screen() && is_there(part, &screen.contents())
        });
    }
    terminal.press("q");
    assert!(terminal.end().success());
}

/// A wide terminal shows the selected request next to the list. The terminal may become wide while another program has
/// it.
#[test]
fn what_is_asked_for_after_a_stop_is_loaded() {
    let place = recorded();
    let mut terminal = Terminal::start(&tui(&place, &[]), 120, 40);
    terminal.wait_for(&["live", "/v1/todos/1"]);
    terminal.press("\u{1a}");
    terminal.wait("the screen of before", |screen| !screen.alternate_screen());
    terminal.wait_until_stopped();
    terminal.resize(200, 50);
    assert!(Command::new("kill").args(["-CONT", &terminal.id().to_string()]).status().unwrap().success());
    terminal.wait_for(&["live", "parse_auth"]);
    terminal.press("q");
    assert!(terminal.end().success());
}

/// Another program queried the terminal, and ended before the reply arrived.
#[test]
fn late_replies_of_the_terminal_are_not_keys() {
    let place = recorded();
    let mut terminal = Terminal::start(&tui(&place, &[]), 120, 40);
    terminal.wait_for(&["live", "/v1/todos/1"]);
    // A color, two device attributes, a mode, a version; the first in two pieces.
    terminal.press("\u{1b}]11;rgb:1e1e/");
    terminal
        .press("1e1e/1e1e\u{1b}\\\u{1b}[?62;22c\u{1b}[>1;10;0c\u{1b}[?2026;2$y\u{1b}P>|xterm(388)\u{1b}\\");
    terminal.press("2");
    let text = terminal.wait_for(&["parse_auth", "render_for_user"]);
    assert!(!text.contains("─ commands"), "{text}");
    terminal.press("q");
    assert!(terminal.end().success());
}

#[test]
fn what_was_copied_is_where_the_screen_says() {
    let (place, other) = (recorded(), Place::new());
    let id = place.wait_for(4)[0]["id"].as_str().unwrap().to_owned();
    let mut command = tui(&place, &[]);
    command.env_remove("TMUX").env_remove("STY").env("XDG_RUNTIME_DIR", other.path());
    let mut terminal = Terminal::start(&command, 160, 40);
    terminal.wait_for(&["live", "/v1/todos/1"]);
    terminal.press("y");
    let file = other.path().join("zerver-copied.txt");
    terminal.wait_for(&["sent to the terminal; also in", &id]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), id);
    let written = String::from_utf8_lossy(&terminal.written()).into_owned();
    assert!(written.contains("\u{1b}]52;c;"), "the terminal is asked");
    terminal.press("q");
    assert!(terminal.end().success());

    // In tmux, which is called as a command: here a script of that name.
    let bin = other.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("tmux"), format!("#!/bin/sh\ncat > '{}'\n", file.display())).unwrap();
    std::fs::set_permissions(bin.join("tmux"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_file(&file).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env("TMUX", "/tmp/tmux,1,0").env("PATH", path);
    let mut terminal = Terminal::start(&command, 160, 40);
    terminal.wait_for(&["live", "/v1/todos/1"]);
    terminal.press("y");
    terminal.wait_for(&["copied to tmux's paste buffer", &id]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), id);
    terminal.press("q");
    assert!(terminal.end().success());
}

/// Keys arrive while the size changes, down to zero: no key and no size is lost.
#[test]
fn no_key_is_lost_while_the_size_changes() {
    let place = recorded();
    let mut terminal = Terminal::start(&tui(&place, &["@last"]), 120, 40);
    terminal.wait_for(&["parse_auth"]);
    let sizes = [(1, 1), (0, 0), (200, 50), (1, 40), (120, 1), (2, 2), (80, 24)];
    for (round, (key, part)) in
        [("5", "todos-list"), ("2", "event ")].into_iter().cycle().take(60).enumerate()
    {
        // Many at once, so that a size and a key are pending together.
        for at in round..round + 20 {
            terminal.shake(&sizes[at % sizes.len()..][..1]);
            terminal.press(["1", "j", "k"][at % 3]);
        }
        terminal.shake(&[]);
        terminal.press(key);
        terminal.wait(&format!("{part} in round {round}"), |screen| {
            let text = screen.contents();
            let last = text.lines().nth(39);
            is_there(part, &text) && last.is_some_and(|last| last.contains("? keys"))
        });
    }
    terminal.shake(&sizes);
    terminal.press("q");
    terminal.shake(&sizes);
    assert!(terminal.end().success());
}

#[test]
fn a_terminal_that_cannot_show_it_is_refused() {
    let place = recorded();
    let mut command = tui(&place, &[]);
    command.env("TERM", "dumb");
    let terminal = Terminal::start(&command, 80, 24);
    terminal.wait_for(&["TERM is dumb", "zerver ls"]);
    assert_eq!(terminal.end().exit_code(), 2);
    let ran = place.zerver(&["tui"]);
    assert!(ran.code == Some(2) && ran.err.contains("needs a terminal, and this is not one"), "{ran:?}");
}

#[test]
fn the_terminal_is_restored_when_the_program_is_killed() {
    let place = recorded();
    let terminal = Terminal::start(&tui(&place, &["@last"]), 80, 24);
    terminal.wait_for(&["parse_auth"]);
    terminal.wait("alternate screen", vt100::Screen::alternate_screen);
    let pid = terminal.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    terminal.end();
}

#[test]
fn dev_opens_it_and_shows_requests_as_they_come() {
    let place = Place::new();
    let todos = programs().todos.to_str().unwrap();
    let command = place.command(&["dev", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"]);
    let mut terminal = Terminal::start(&command, 120, 30);
    let text = terminal.wait("address", |screen| {
        screen.contents().contains("127.0.0.1:") && !screen.contents().contains("127.0.0.1:0 ")
    });
    let at = text.find("127.0.0.1:").unwrap();
    let addr: String = text[at..].chars().take_while(|c| !c.is_whitespace()).collect();
    let status = ask(&addr, "/todos");
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    terminal.wait_for(&["/todos", "200"]);
    terminal.press("r");
    terminal.wait_for(&["same: ", "decisions reproduced"]);
    terminal.press("q");
    terminal.end();
}

#[test]
fn a_new_build_marks_requests_whose_replay_differs() {
    let place = Place::new();
    let exe = place.path().join("orders");
    std::os::unix::fs::symlink(&programs().orders, &exe).unwrap();
    let command = place.command(&["dev", "--exe", exe.to_str().unwrap(), "--addr", "127.0.0.1:0"]);
    let mut terminal = Terminal::start(&command, 120, 30);
    let text = terminal.wait("address", |screen| {
        screen.contents().contains("http://127.0.0.1:") && !screen.contents().contains("127.0.0.1:0 ")
    });
    let at = text.find("127.0.0.1:").unwrap();
    let addr: String = text[at..].chars().take_while(|c| !c.is_whitespace()).collect();
    let order = r#"{"lines":[{"sku":"cup","count":1}],"coupon":"TEN"}"#;
    let status = send(&addr, "POST", "/orders", order);
    assert!(status.starts_with("HTTP/1.1 201"), "{status}");
    terminal.wait_for(&["/orders", "201"]);
    assert!(!terminal.wait_for(&["/orders"]).contains('≠'));

    // The program is replaced atomically by its next version, as a build does.
    let next = place.path().join("next");
    std::os::unix::fs::symlink(&programs().orders_next, &next).unwrap();
    std::fs::rename(&next, &exe).unwrap();
    terminal.wait_for(&["≠", "/orders", "1 of 1 differs with the new code"]);
    terminal.press("r");
    // Another total leads to another charge, which has no answer.
    terminal.wait_for(&["different: ", "Total.discount_cents", "no recorded answer"]);
    terminal.press(ESC);
    terminal.wait("end of the question", |screen| !screen.contents().contains("no recorded answer"));
    terminal.press("q");
    terminal.end();
}

fn ask(addr: &str, path: &str) -> String {
    send(addr, "GET", path, "")
}

/// Returns the first line of the response.
fn send(addr: &str, method: &str, path: &str, body: &str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close");
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}
