//! The web UI as commands serve it, and the files for a browser that they write.

use std::fs;

use crate::harness::{Answer, Asking, Dev, Place, programs};

/// A browser that has signed in with the URL that a command has printed.
pub(crate) struct Browser {
    addr: String,
    cookie: String,
}

impl Browser {
    pub(crate) fn sign_in(url: &str) -> Self {
        let (addr, token) = url.trim().strip_prefix("http://").unwrap().split_once("/?token=").unwrap();
        let answer = Asking::new(addr, "GET", &format!("/?token={token}")).send();
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
        Self { addr: addr.to_owned(), cookie: cookie.to_owned() }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        Asking::new(&self.addr, "GET", target).header("cookie", &self.cookie).send()
    }

    pub(crate) fn post(&self, target: &str) -> Answer {
        let origin = format!("http://{}", self.addr);
        Asking::new(&self.addr, "POST", target)
            .header("cookie", &self.cookie)
            .header("origin", &origin)
            .send()
    }
}

fn web_url(dev: &mut Dev) -> String {
    dev.wait_for_line("web UI on http://").split_once("web UI on ").unwrap().1.to_owned()
}

#[test]
fn dev_serves_the_requests_of_its_service_and_replays_them() {
    let place = Place::new();
    let mut dev = place.dev();
    let browser = Browser::sign_in(&web_url(&mut dev));
    assert!(browser.get("/").body.contains("No requests yet"));
    let id = dev.get("/todos").id().to_owned();
    place.wait_for(1);
    let list = browser.get("/").body;
    assert!(list.contains(&format!("/requests/{id}")) && list.contains("GET /todos"), "no row");
    let page = browser.get(&format!("/requests/{id}"));
    assert_eq!(page.status, 200);
    assert!(page.body.contains("list_todos") && page.body.contains("kv list todo"));
    let replayed = browser.post(&format!("/requests/{id}/replay")).body;
    assert!(replayed.contains("Result: <span class=\"good\">same</span>"));
    assert_eq!(place.wait_for(1).len(), 1, "a replay is no request to the service");
    let scheduler = browser.get("/scheduler").body;
    assert!(scheduler.contains("interactive") && scheduler.contains("<caption>Threads</caption>"));
    assert!(browser.get("/catalog").body.contains("todos-list"));
    assert!(dev.stop().success());
}

#[test]
fn dev_serves_no_web_ui_if_asked_not_to() {
    let place = Place::new();
    let exe = programs().todos.to_str().unwrap();
    let command = place.command(&["dev", "--exe", exe, "--no-watch", "--addr", "127.0.0.1:0", "--no-web"]);
    let said = Dev::start(command).said_to_the_end();
    assert!(!said.iter().any(|line| line.contains("web UI")), "{said:?}");
}

#[test]
fn web_serves_a_store_until_it_is_stopped() {
    let place = Place::new();
    let demo = place.path().join("demo");
    assert_eq!(place.zerver(&["demo", "--dir", demo.to_str().unwrap()]).code, Some(0));
    let mut command = place.command(&["web", demo.to_str().unwrap(), "--addr", "127.0.0.1:0"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut url = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut url).unwrap();
    let browser = Browser::sign_in(&url);
    assert!(browser.get("/?q=flow%3Dreport+status%3A502").body.contains("1 request"));
    let flows = browser.get("/flows").body;
    let listed = place.json(&["flows", "--json", "--store", demo.to_str().unwrap()]);
    for flow in listed["flows"].as_array().unwrap() {
        let p99 = zerver_trace::duration::show(flow["p99_ns"].as_u64().unwrap());
        assert!(flows.contains(&p99), "the page and the command say the same: {flow}");
    }
    assert_eq!(Asking::new(&browser.addr, "GET", "/").send().status, 401);
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn web_explains_what_it_cannot_serve() {
    let place = Place::new();
    for (arguments, wanted) in [
        (&["web", "missing"][..], "cannot read missing"),
        (&["web", "--addr", "nonsense", "."], "no store in"),
        (&["web", "Cargo.toml"], "cannot read Cargo.toml"),
    ] {
        let ran = place.zerver(arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(wanted), "{ran:?}");
    }
    let demo = place.path().join("demo");
    place.zerver(&["demo", "--dir", demo.to_str().unwrap()]);
    let ran = place.zerver(&["web", demo.to_str().unwrap(), "--addr", "nonsense"]);
    assert!(ran.code == Some(2) && ran.err.contains("--addr 127.0.0.1:0"), "{ran:?}");
}

#[test]
fn commands_write_files_for_a_browser() {
    let place = Place::new();
    let demo = place.path().join("demo");
    let store = demo.to_str().unwrap();
    place.zerver(&["demo", "--dir", store]);
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    for (arguments, name, wanted) in [
        (&["export", "@slowest", "--html", "--output", "one.html"][..], "one.html", "latency_ms=900"),
        (
            &["diff", "@fastest:report", "@slowest:report", "--html", "two.html"],
            "two.html",
            "Causes of the difference in time",
        ),
        (
            &["replay", "--all", "--exe", programs().todos.to_str().unwrap(), "--html", "all.html"],
            "all.html",
            "Replay of ",
        ),
    ] {
        let ran = place.zerver(&[&["--store", store], arguments].concat());
        assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
        assert_eq!(ran.out, format!("{name}\n"));
        let file = read(name);
        assert!(file.contains(wanted) && file.contains("Content-Security-Policy"), "{name}");
        assert!(file.len() < 300_000, "{name}: {} bytes", file.len());
    }
    let piped = place.zerver(&["--store", store, "export", "@slowest", "--html", "--output", "-"]);
    assert_eq!(piped.out, read("one.html"));
    let again = place.zerver(&["--store", store, "export", "@slowest", "--html", "--output", "one.html"]);
    assert!(again.code == Some(2) && again.err.contains("--force"), "{again:?}");
}
