//! Finds the programs of servers.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the folders in which a server's programs may be: those of PATH, and those that `patterns` match. In a
/// pattern, `*` stands for any name. Newer versions come first.
pub(crate) fn folders(patterns: &[&str]) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    for pattern in patterns {
        let mut found = match pattern.split_once('*') {
            None => vec![PathBuf::from(pattern)],
            Some((before, after)) => matching(before, after),
        };
        found.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
        folders.extend(found);
    }
    folders
}

/// Returns the first folder that contains all of these programs.
pub(crate) fn folder_with<'f>(folders: &'f [PathBuf], programs: &[&str]) -> Option<&'f Path> {
    let has_all = |folder: &&PathBuf| programs.iter().all(|program| folder.join(program).is_file());
    folders.iter().find(has_all).map(PathBuf::as_path)
}

/// Returns the existing folders between two parts of a path, the first of which ends in the start of a name.
fn matching(before: &str, after: &str) -> Vec<PathBuf> {
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let matches = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    matches.map(|entry| entry.path().join(after.trim_start_matches('/'))).collect()
}

/// Returns the numbers in a path, to order versions.
fn version(path: &Path) -> Vec<u32> {
    let text = path.to_string_lossy();
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first() {
        assert!(
            version(Path::new("/usr/lib/postgresql/15/bin"))
                > version(Path::new("/usr/lib/postgresql/9.6/bin"))
        );
        let folder = crate::temporary_folder::TemporaryFolder::new().unwrap();
        for number in ["9", "16", "15"] {
            fs::create_dir_all(folder.path().join(format!("pg-{number}/bin"))).unwrap();
        }
        fs::write(folder.path().join("pg-15/bin/postgres"), "").unwrap();
        let pattern = folder.path().join("pg-*/bin");
        let found = folders(&[pattern.to_str().unwrap()]);
        let ours: Vec<_> = found.iter().filter(|found| found.starts_with(folder.path())).collect();
        assert_eq!(ours.len(), 3);
        assert!(ours[0].ends_with("pg-16/bin") && ours[2].ends_with("pg-9/bin"), "{ours:?}");
        assert_eq!(folder_with(&found[found.len() - 3..], &["postgres"]), Some(ours[1].as_path()));
    }
}
