//! The file of shared credentials: sections with a profile each.

use std::fs;
use std::io;
use std::path::Path;

/// A key in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl Profile {
    /// Reads a profile. `None` if the file or the profile is not there, unless it was named.
    pub(super) fn read(path: &Path, name: &str, is_named: bool) -> Result<Option<Self>, String> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(None),
            Err(error) => return Err(format!("cannot read the credentials in {}: {error}", path.display())),
        };
        let place = || format!("the profile {name:?} of {}", path.display());
        match parse(&text, name) {
            None if is_named => Err(format!("{} is not there", place())),
            None => Ok(None),
            Some((Some(key), Some(secret), token)) => Ok(Some(Self { key, secret, token })),
            Some(_) => Err(format!(
                "{} lacks aws_access_key_id or aws_secret_access_key; other ways to get a key are not supported",
                place()
            )),
        }
    }
}

/// A key, its secret and its token, as far as a profile has them.
type Found = (Option<String>, Option<String>, Option<String>);

fn parse(text: &str, name: &str) -> Option<Found> {
    let (mut found, mut is_here): (Option<Found>, bool) = (None, false);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default().trim();
            is_here = section == name;
            if is_here {
                found.get_or_insert_default();
            }
        } else if is_here
            && !line.starts_with(['#', ';'])
            && let (Some((key, value)), Some((access, secret, token))) = (line.split_once('='), &mut found)
        {
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match key.trim() {
                "aws_access_key_id" => *access = value,
                "aws_secret_access_key" => *secret = value,
                "aws_session_token" => *token = value,
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_its_section_and_errors_repeat_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        assert_eq!(Profile::read(&path, "default", false), Ok(None));
        assert!(Profile::read(&path, "default", true).unwrap_err().contains("cannot read"));
        let text = "# keys\n[ default ]\n; aws_access_key_id = no\naws_access_key_id=k=1\naws_secret_access_key = hunter2\n\
                    region = x\n[half]\naws_secret_access_key = hunter2\n";
        fs::write(&path, text).unwrap();
        let found = Profile::read(&path, "default", false).unwrap().unwrap();
        assert_eq!((found.key.as_str(), found.secret.as_str(), found.token), ("k=1", "hunter2", None));
        let half = Profile::read(&path, "half", false).unwrap_err();
        assert!(half.contains("\"half\"") && half.contains("lacks") && !half.contains("hunter2"), "{half}");
        assert_eq!(Profile::read(&path, "other", false), Ok(None));
        fs::write(&path, b"\xff[").unwrap();
        assert!(Profile::read(&path, "default", false).is_err());
    }
}
