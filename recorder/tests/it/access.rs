//! Access to a store: a single writer, private files, and nothing that is not a store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use zerver_recorder::{FormatError, OpenError, ReadError, Reader, Recorder, Schema, examine, import, repair};

use crate::{options, sample_traces};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_second_writer_is_refused_with_the_process_id_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = Recorder::open(options(dir.path())).unwrap();
    let error = Recorder::open(options(dir.path())).unwrap_err();
    assert!(
        matches!(&error, OpenError::Locked { pid: Some(pid), .. } if *pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    assert!(matches!(import(dir.path(), vec![]), Err(OpenError::Locked { .. })));
    assert!(repair(dir.path()).is_err());
    assert_eq!(examine(dir.path()).holder.and_then(|holder| holder.pid), Some(std::process::id()));
    first.close();
    Recorder::open(options(dir.path())).unwrap().close();
    assert_eq!(examine(dir.path()).holder, None);
}

#[test]
fn every_file_of_a_store_is_private() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("new/.zerver");
    Recorder::open(options(&dir)).unwrap().close();
    assert_eq!(mode(&dir), 0o700);
    for name in ["traces.redb", "key", "lock"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    assert!(examine(&dir).exposed.is_empty());
    // Opening restores the modes, for example after a copy under another umask.
    for name in ["traces.redb", "key", "lock"] {
        fs::set_permissions(dir.join(name), PermissionsExt::from_mode(0o666)).unwrap();
    }
    assert_eq!(examine(&dir).exposed, [dir.join("traces.redb"), dir.join("key")]);
    Recorder::open(options(&dir)).unwrap().close();
    assert!(["traces.redb", "key", "lock"].iter().all(|name| mode(&dir.join(name)) == 0o600));
}

#[test]
fn a_file_that_is_not_a_store_is_refused_and_left_unchanged() {
    let with_schema = |schema: Schema| {
        let dir = tempfile::tempdir().unwrap();
        Recorder::open(options(dir.path())).unwrap().close();
        let mut bytes = fs::read(dir.path().join("traces.redb")).unwrap();
        bytes[16..18].copy_from_slice(&[schema.major, schema.minor]);
        bytes
    };
    let cases = [
        (b"SQLite format 3\0 and so on".to_vec(), FormatError::Foreign),
        (vec![0; 100_000], FormatError::Foreign),
        (b"x".to_vec(), FormatError::Foreign),
        (b"redb\x1a\x0a\xa9\x0d\x0a\0\0\0".repeat(1000), FormatError::Foreign),
        (
            with_schema(Schema::new(4, 0)),
            FormatError::Newer { found: Schema::new(4, 0), newest: Schema::new(3, 8) },
        ),
        (
            with_schema(Schema::new(3, 9)),
            FormatError::Newer { found: Schema::new(3, 9), newest: Schema::new(3, 8) },
        ),
        (
            with_schema(Schema::new(2, 0)),
            FormatError::Older { found: Schema::new(2, 0), oldest: Schema::new(3, 0) },
        ),
    ];
    for (bytes, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("traces.redb");
        fs::write(&file, &bytes).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        match Recorder::open(options(dir.path())).unwrap_err() {
            OpenError::Unreadable { source, .. } => assert_eq!(source, wanted),
            other => panic!("{other:?}"),
        }
        match Reader::open(dir.path()).unwrap_err() {
            ReadError::Unreadable { source, .. } => assert_eq!(source, wanted),
            other => panic!("{other:?}"),
        }
        assert!(repair(dir.path()).is_err());
        assert!(import(dir.path(), vec![sample_traces::trace(1)]).is_err());
        let report = examine(dir.path());
        assert!(report.problem.is_some() && !report.repairable, "{report:?}");
        assert!(fs::read(&file).unwrap() == bytes && mode(&file) == 0o644, "{wanted} was changed");
    }
}

#[test]
fn links_and_special_files_in_a_store_are_refused_and_left_unchanged() {
    let precious = b"export PATH=/bin\n";
    let link = |root: &Path, at: &Path| {
        fs::write(root.join("bashrc"), precious).unwrap();
        std::os::unix::fs::symlink("../bashrc", at).unwrap();
    };
    let hard_link = |root: &Path, at: &Path| {
        fs::write(root.join("bashrc"), precious).unwrap();
        fs::hard_link(root.join("bashrc"), at).unwrap();
    };
    let fifo = |_: &Path, at: &Path| assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
    let folder = |_: &Path, at: &Path| fs::create_dir(at).unwrap();
    let endless = |_: &Path, at: &Path| std::os::unix::fs::symlink("/dev/zero", at).unwrap();
    type Plant<'a> = &'a dyn Fn(&Path, &Path);
    let cases: [(Plant<'_>, &str); 5] = [
        (&link, "a symbolic link"),
        (&hard_link, "hard links"),
        (&fifo, "a FIFO"),
        (&folder, "a folder"),
        (&endless, "a symbolic link"),
    ];
    for (put, why) in cases {
        for name in ["lock", "key", "traces.redb"] {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join(".zerver");
            Recorder::open(options(&dir)).unwrap().close();
            fs::remove_file(dir.join(name)).unwrap();
            put(root.path(), &dir.join(name));
            if root.path().join("bashrc").exists() {
                fs::set_permissions(root.path().join("bashrc"), PermissionsExt::from_mode(0o644)).unwrap();
            }
            let opened = Recorder::open(options(&dir)).map(Recorder::close);
            // A key is only read, so a second name does no harm.
            if !(name == "key" && why == "hard links") {
                let error = opened.unwrap_err().to_string();
                // A file that is not a store is refused for that reason first.
                let is_explained = error.contains(why) || (name == "traces.redb" && why == "hard links");
                assert!(is_explained && error.contains(name), "{name}: {error}");
            }
            let _ = (import(&dir, vec![sample_traces::trace(1)]), repair(&dir), examine(&dir));
            if name == "traces.redb" {
                let error = Reader::open(&dir).map(drop).map_err(|error| error.to_string());
                assert!(error.is_err() || why == "hard links", "{why}");
            }
            if root.path().join("bashrc").exists() {
                assert_eq!(fs::read(root.path().join("bashrc")).unwrap(), precious, "{name}: {why}");
                assert_eq!(mode(&root.path().join("bashrc")), 0o644, "{name}: {why}");
            }
        }
    }
}

#[test]
fn a_link_to_a_store_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (real, link) = (root.path().join("real"), root.path().join(".zerver"));
    Recorder::open(options(&real)).unwrap().close();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for link in [link.clone(), link.join("")] {
        let errors = [
            Recorder::open(options(&link)).unwrap_err().to_string(),
            Reader::open(&link).unwrap_err().to_string(),
            import(&link, vec![]).unwrap_err().to_string(),
            examine(&link).problem.unwrap(),
        ];
        for error in errors {
            assert!(error.contains("a symbolic link"), "{error}");
        }
    }
}

#[test]
fn an_incomplete_new_file_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    Recorder::open(options(dir.path())).unwrap().close();
    let file = dir.path().join("traces.redb");
    let whole = fs::read(&file).unwrap();
    for len in [0, 5, 17, 4095, 4096] {
        fs::write(&file, &whole[..len]).unwrap();
        let recorder = Recorder::open(options(dir.path())).unwrap();
        recorder.sink().accept(Box::new(sample_traces::capture(1)));
        assert_eq!(recorder.close().recorded, 1, "{len}");
        assert!(Reader::open(dir.path()).unwrap().load(sample_traces::id(1)).unwrap().is_some());
    }
}

#[test]
fn a_missing_store_is_an_error_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let error = Reader::open(&dir.path().join("none")).unwrap_err().to_string();
    assert!(error.starts_with("there is no store at ") && error.contains("zerver dev"), "{error}");
    assert!(repair(dir.path()).is_err());
    assert_eq!(examine(dir.path()).traces, 0);
}
