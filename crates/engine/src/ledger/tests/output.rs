//! Files that are written: in whole, into what is there, and without leftovers.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::ledger::Output;

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut output = Output::create(path)?;
    output.write_all(text.as_bytes())?;
    output.finish()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_there_in_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    write(&path, "one").unwrap();
    let mut given_up = Output::create(&path).unwrap();
    given_up.write_all(b"half of tw").unwrap();
    given_up.flush().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    drop(given_up);
    assert_eq!(names(dir.path()), ["out"]);
    fs::write(dir.path().join("out.part"), "someone else's").unwrap();
    write(&path, "two").unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(dir.path()).len()), ("two", 2), "out and out.part");
}

#[test]
fn a_folder_is_refused_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    assert!(write(&dir.path().join("folder"), "text").is_err());
    assert!(write(&dir.path().join("nowhere/out"), "text").is_err());
    assert!(write(Path::new(""), "text").is_err());
    assert_eq!(names(dir.path()), ["folder"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for text in ["to what is not there yet", "to what is there"] {
        write(&link, text).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    assert_eq!(names(dir.path()), ["file", "link"]);
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "one").unwrap();
    for mode in [0o600, 0o640, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        write(&path, "two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_into() {
    use std::os::unix::fs::FileTypeExt as _;
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    write(&pipe, "through").unwrap();
    assert_eq!(reader.join().unwrap(), "through");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
}
