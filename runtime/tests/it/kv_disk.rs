//! The store on disk: durability, shared commits, damaged files and full disks.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::future;
use zerver::effects::kv::{self, Disk, OpenError};
use zerver::effects::{EffectContext, Interpreters};
use zerver::prelude::*;

use crate::kv_stores::folder;
use crate::scheduling::{Gate, OpenOnDrop};

fn with(disk: &Disk) -> Interpreters {
    let mut interpreters = Interpreters::new();
    interpreters.set(disk.clone());
    interpreters
}

fn run<T>(disk: &Disk, effect: Effect<T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(with(disk).perform(effect, &EffectContext::default()))
}

/// Runs [`child_process`] in a separate process.
fn child(mode: &str, path: &Path, shell: &str) -> Child {
    let exe = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\""), exe.to_str().unwrap()])
        .args(["kv_disk::child_process", "--exact", "--nocapture", "--test-threads=1"])
        .env("ZERVER_TEST_KV", mode)
        .env("ZERVER_TEST_KV_PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Prints a line for the parent process.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "child: {line}").and_then(|()| out.flush()).unwrap();
}

/// Returns the lines that a child process prints with [`print`].
fn printed(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.split_once("child: ").map(|(_, line)| line.to_owned()))
}

/// Entry point of the child processes of these tests. It tests nothing by itself.
#[test]
fn child_process() {
    let (Ok(mode), Ok(path)) = (std::env::var("ZERVER_TEST_KV"), std::env::var("ZERVER_TEST_KV_PATH")) else {
        return;
    };
    match mode.as_str() {
        "hold" => {
            let _disk = Disk::open(path).unwrap();
            print("open");
            std::io::stdin().lines().for_each(drop);
        }
        "put" => {
            let disk = Disk::open(path).unwrap();
            print("open");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(future::join_all((0..8u64).map(async |writer| {
                let interpreters = with(&disk);
                for n in 0u64.. {
                    let put = kv::put(("n", writer, n), n * 31);
                    interpreters.perform(put, &EffectContext::default()).await.unwrap();
                    print(&format!("{writer} {n}"));
                }
            })));
        }
        "fill" => fill(Path::new(&path)),
        other => panic!("{other}"),
    }
}

/// Fills the store until it reaches the limit on the size of files that the parent has set.
fn fill(path: &Path) {
    let disk = Disk::open(path).unwrap();
    let mut stored = 0u64;
    let failure = loop {
        match run(&disk, kv::put(("big", stored), "x".repeat(100_000))) {
            Ok(()) => stored += 1,
            Err(failure) => break failure,
        }
    };
    let cause = format!("{failure:?}");
    assert!(failure.kind() == zerver::engine::FailureKind::Unavailable, "{cause}");
    assert!(cause.contains("File too large") && cause.contains("whether it was written"), "{cause}");
    assert!(stored > 0);
    // Acknowledged writes can be read, even while nothing can be written.
    let all = run(&disk, kv::list::<String>("big")).unwrap();
    assert!(all.len() as u64 >= stored, "{} of {stored}", all.len());
    assert!(run(&disk, kv::put("more", "x".repeat(200_000))).is_err());
    // Writes succeed again once there is room.
    let limit = rustix::process::Rlimit { current: None, maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    while run(&disk, kv::put("more", "x".repeat(200_000))).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(run(&disk, kv::get::<String>("more")).unwrap().map(|text| text.len()), Some(200_000));
    print(&format!("recovered {stored}"));
}

#[test]
fn an_acknowledged_write_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv");
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let mut child = child("put", &path, "");
        let mut lines = printed(&mut child);
        assert_eq!(lines.next().as_deref(), Some("open"));
        acknowledged.extend((&mut lines).take(40 + 30 * round));
        child.kill().unwrap();
        acknowledged.extend(lines);
        child.wait().unwrap();
        let disk = Disk::open(&path).unwrap();
        for line in &acknowledged {
            let (writer, n) = line.split_once(' ').unwrap();
            let n: u64 = n.parse().unwrap();
            assert_eq!(run(&disk, kv::get::<u64>(("n", writer, n))).unwrap(), Some(n * 31), "{line}");
        }
    }
    assert!(acknowledged.len() >= 340);
}

#[test]
fn a_second_process_gets_an_error_with_the_id_of_the_first() {
    let folder = folder();
    let path = folder.path().join("kv");
    let mut holder = child("hold", &path, "");
    let mut lines = printed(&mut holder);
    assert_eq!(lines.next().as_deref(), Some("open"));
    let error = Disk::open(&path).unwrap_err();
    let OpenError::InUse { pid, .. } = &error else { panic!("{error}") };
    let in_use = format!("{} is in use", path.display());
    // Other systems do not tell which process it is.
    if cfg!(all(target_os = "linux", not(zerver_portable))) {
        assert_eq!(*pid, Some(holder.id()));
        assert_eq!(error.to_string(), format!("{in_use} by process {}", holder.id()));
    } else {
        assert_eq!(*pid, None);
        assert_eq!(error.to_string(), in_use);
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    let disk = Disk::open(&path).unwrap();
    assert!(matches!(Disk::open(&path), Err(OpenError::InUse { .. })));
    drop(disk);
    drop(Disk::open(&path).unwrap());
}

#[test]
fn concurrent_writers_share_a_commit() {
    static WRITER: Gate = Gate::new();
    let _guard = OpenOnDrop(&WRITER);
    let folder = tempfile::tempdir().unwrap();
    // A write reads the clock, which blocks it until all other writes wait for it.
    let now = || {
        WRITER.pass();
        std::time::Duration::ZERO
    };
    let disk = Disk::builder(folder.path().join("kv")).clock(now).open().unwrap();
    let first = std::thread::spawn({
        let disk = disk.clone();
        move || run(&disk, kv::expires_in(1.hours()).put("first", 0u64)).unwrap()
    });
    WRITER.wait_for(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (interpreters, context) = (with(&disk), EffectContext::default());
        let puts = join_all((0..100u64).map(|n| kv::put(("n", n), n)));
        let mut puts = std::pin::pin!(interpreters.perform(puts, &context));
        let waits = future::poll_fn(|cx| std::task::Poll::Ready(puts.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        WRITER.open();
        puts.await.unwrap()
    });
    first.join().unwrap();
    let stats = disk.stats();
    assert_eq!((stats.writes, stats.commits), (101, 2));
    assert_eq!(run(&disk, kv::list::<u64>("n")).unwrap().len(), 100);
}

#[test]
fn a_write_without_a_waiter_is_completed_before_the_store_closes() {
    let folder = folder();
    let path = folder.path().join("a/b/kv");
    let disk = Disk::open(&path).unwrap();
    let mut pending = Box::pin(async {
        let interpreters = with(&disk);
        interpreters.perform(kv::put("late", 1u8), &EffectContext::default()).await
    });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = pending.as_mut().poll(&mut context);
    drop(pending);
    drop(disk);
    let disk = Disk::open(&path).unwrap();
    assert_eq!(run(&disk, kv::get::<u8>("late")).unwrap(), Some(1));
}

#[test]
fn later_writes_remove_expired_entries_from_disk() {
    let folder = folder();
    let time = crate::kv_stores::Time::default();
    let disk = Disk::builder(folder.path().join("kv")).clock(time.now()).open().unwrap();
    let put = |n: u64| kv::expires_in(1.seconds()).put(("n", n), n);
    run(&disk, join_all((0..100).map(put))).unwrap();
    time.pass(2.seconds());
    run(&disk, join_all((0..50u64).map(|n| kv::put(("m", n), n)))).unwrap();
    drop(disk);
    // If the clock is set back, removed entries do not reappear.
    let disk = Disk::builder(folder.path().join("kv")).clock(|| std::time::Duration::ZERO).open().unwrap();
    assert_eq!(run(&disk, kv::list::<u64>("n")).unwrap(), []);
    assert_eq!(run(&disk, kv::list::<u64>("m")).unwrap().len(), 50);
}

#[test]
fn a_file_that_is_not_a_store_is_refused_and_not_changed() {
    let folder = folder();
    let path = folder.path().join("kv");
    for bytes in [&b"not a store"[..], &[7; 100_000], b"redb", &[0; 8_000_000]] {
        fs::write(&path, bytes).unwrap();
        let error = Disk::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
        assert!(fs::read(&path).unwrap() == bytes);
    }
    // A database of another program.
    fs::remove_file(&path).unwrap();
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<u8, u8>::new("other")).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(matches!(Disk::open(&path), Err(OpenError::NotAStore { .. })));
    assert!(matches!(Disk::open(folder.path()), Err(OpenError::Io { .. })));
}

#[test]
fn a_path_that_is_not_a_plain_file_is_refused_and_not_changed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder();
    let (path, target) = (folder.path().join("kv"), folder.path().join("target"));
    fs::write(&target, "").unwrap();
    fs::set_permissions(&target, PermissionsExt::from_mode(0o644)).unwrap();
    let link = |to: &Path| symlink(to, &path).unwrap();
    let fifo = |_: &Path| assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let hard_link = |to: &Path| fs::hard_link(to, &path).unwrap();
    let setups: [&dyn Fn(&Path); 3] = [&link, &fifo, &hard_link];
    for (set_up, reason) in std::iter::zip(setups, ["a symbolic link", "a FIFO", "hard links"]) {
        set_up(&target);
        let error = Disk::open(&path).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(reason), "{error}: {cause}");
        let metadata = fs::metadata(&target).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (0, 0o644), "{reason}");
        fs::remove_file(&path).unwrap();
    }
    // The mode of a file that is not a store is not changed either.
    fs::write(&target, "not a store").unwrap();
    fs::rename(&target, &path).unwrap();
    assert!(matches!(Disk::open(&path), Err(OpenError::NotAStore { .. })));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn a_store_with_a_newer_schema_is_refused() {
    let folder = folder();
    let path = folder.path().join("kv");
    drop(Disk::open(&path).unwrap());
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("zerver-kv");
    write.open_table(meta).unwrap().insert("schema", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = Disk::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::TooNew { schema: 2, .. }), "{error}");
}

#[test]
fn only_the_owner_can_read_the_file_and_an_unfinished_file_is_recreated() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let path = folder.path().join("kv");
    fs::write(&path, vec![0; 1_000_000]).unwrap();
    drop(Disk::open(&path).unwrap());
    fs::remove_file(&path).unwrap();
    drop(Disk::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_read_from_a_damaged_file_returns_an_error_or_the_written_value() {
    let folder = folder();
    let path = folder.path().join("kv");
    let disk = Disk::open(&path).unwrap();
    let text = |n: u64| format!("{n} ").repeat(200);
    run(&disk, join_all((0..300u64).map(|n| kv::put(("n", n), text(n))))).unwrap();
    drop(disk);
    let intact = fs::read(&path).unwrap();
    let random = Random { seed: 7 };
    let (mut refused, mut damaged, mut unharmed) = (0, 0, 0);
    for round in 0..120u64 {
        let mut bytes = intact.clone();
        let at = random.u64(2 * round) as usize % bytes.len();
        match round % 3 {
            0 => bytes[at] ^= 1 << (round % 8),
            1 => bytes[at & !4095..].iter_mut().take(4096).for_each(|byte| *byte = 0),
            _ => bytes.truncate(at),
        }
        fs::write(&path, &bytes).unwrap();
        // Half of the rounds skip the full check, so that they depend on the checksums of the entries.
        let check = round % 2 == 0;
        let Ok(disk) = Disk::builder(&path).check(check).open() else {
            refused += 1;
            continue;
        };
        let mut errors = 0;
        for n in (0..300).step_by(7) {
            match run(&disk, kv::get::<String>(("n", n))) {
                Ok(Some(got)) => assert_eq!(got, text(n), "round {round}"),
                Ok(None) => assert!(!check, "round {round}: {n} is missing"),
                Err(_) => errors += 1,
            }
        }
        // A write may fail, but it must not panic.
        let _ = run(&disk, kv::put("more", 1u8));
        if errors > 0 { damaged += 1 } else { unharmed += 1 }
    }
    assert!(refused > 20 && unharmed > 0, "{refused} {damaged} {unharmed}");
}

#[test]
fn a_damaged_entry_is_an_error_and_other_entries_are_readable() {
    let folder = folder();
    let path = folder.path().join("kv");
    let disk = Disk::open(&path).unwrap();
    run(&disk, join_all((0..9u64).map(|n| kv::put(("n", n), format!("value {n}"))))).unwrap();
    drop(disk);
    let mut bytes = fs::read(&path).unwrap();
    let matches = bytes.windows(7).enumerate().filter(|(_, window)| window == b"value 4");
    let offsets: Vec<_> = matches.map(|(at, _)| at).collect();
    assert!(!offsets.is_empty());
    for at in offsets {
        bytes[at + 6] = b'5';
    }
    fs::write(&path, &bytes).unwrap();
    let error = Disk::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    let disk = Disk::builder(&path).check(false).open().unwrap();
    for n in [3, 5] {
        assert_eq!(run(&disk, kv::get::<String>(("n", n))).unwrap(), Some(format!("value {n}")));
    }
    for failure in [
        run(&disk, kv::get::<String>(("n", 4))).unwrap_err(),
        run(&disk, kv::list::<String>("n")).unwrap_err(),
        run(&disk, kv::add(("n", 4), 1)).unwrap_err(),
    ] {
        let failure = format!("{failure:?}");
        assert!(failure.contains("the entry of n:4 is damaged: its checksum does not match"), "{failure}");
    }
    run(&disk, kv::put(("n", 4), "intact".to_owned())).unwrap();
    assert_eq!(run(&disk, kv::list::<String>("n")).unwrap().len(), 9);
}

#[test]
fn a_full_disk_is_an_error_until_there_is_room_again() {
    let folder = folder();
    let path = folder.path().join("kv");
    drop(Disk::open(&path).unwrap());
    // The limit is in units of 512 bytes. The signal is ignored, because a full disk sends none.
    let mut child = child("fill", &path, "trap '' XFSZ; ulimit -S -f 8000;");
    let lines: Vec<_> = printed(&mut child).collect();
    assert!(child.wait().unwrap().success());
    let [recovered] = &lines[..] else { panic!("{lines:?}") };
    let stored: usize = recovered.strip_prefix("recovered ").unwrap().parse().unwrap();
    let disk = Disk::open(&path).unwrap();
    assert!(run(&disk, kv::list::<String>("big")).unwrap().len() >= stored);
}
