//! Tests of the journal on a real file.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;

use bytes::Bytes;

use super::*;

fn put(text: &str) -> DiskChange {
    DiskChange::Put(Bytes::copy_from_slice(text.as_bytes()))
}

fn id(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn journal(path: &std::path::Path) -> Journal {
    Journal::start(DiskFile::open(path).unwrap(), Box::new(|trouble| panic!("{trouble:?}"))).unwrap()
}

fn lies_there(path: &std::path::Path) -> Vec<(String, Bytes)> {
    DiskFile::open(path).unwrap().read().unwrap()
}

#[test]
fn what_was_written_lies_there_and_what_was_removed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions");
    let journal = journal(&path);
    assert_eq!(journal.write((id("a"), put("1"))).blocking_recv(), Ok(true));
    assert_eq!(journal.write((id("b"), put("2"))).blocking_recv(), Ok(true));
    journal.change([(id("a"), DiskChange::Remove), (id("c"), put("3"))]);
    journal.close();
    let expected = [("b".to_owned(), Bytes::from("2")), ("c".to_owned(), Bytes::from("3"))];
    assert_eq!(lies_there(&path), expected);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_many_ask_for_at_once_is_written_and_all_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions");
    let journal = journal(&path);
    let written: Vec<_> = (0..1000)
        .map(|number| journal.write((id(&format!("{:03}", number % 100)), put(&number.to_string()))))
        .collect();
    assert!(written.into_iter().all(|written| written.blocking_recv() == Ok(true)));
    journal.close();
    let newest: Vec<_> =
        (0..100).map(|number| (format!("{number:03}"), Bytes::from(format!("{}", 900 + number)))).collect();
    assert_eq!(lies_there(&path), newest);
}

#[test]
fn a_file_that_is_in_use_or_is_something_else_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions");
    let journal = journal(&path);
    let refused = |path: &std::path::Path| DiskFile::open(path).err().unwrap().to_string();
    let text = refused(&path);
    assert!(text.contains("sessions is in use"), "{text}");
    journal.close();
    let other = folder.path().join("other");
    std::fs::write(&other, "a letter to grandmother".repeat(1000)).unwrap();
    let text = refused(&other);
    assert!(text.contains("other is no file of this client's sessions"), "{text}");
    let text = refused(folder.path());
    assert!(text.contains("cannot open"), "{text}");
    let text = refused(&folder.path().join("no").join("folder"));
    assert!(text.contains("cannot open"), "{text}");
}

#[test]
fn a_file_that_was_cut_short_is_refused_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions");
    let journal = journal(&path);
    for number in 0..100 {
        journal.change([(id(&number.to_string()), put(&"x".repeat(1000)))]);
    }
    assert_eq!(journal.write((id("last"), put("y"))).blocking_recv(), Ok(true));
    journal.close();
    let whole = std::fs::read(&path).unwrap();
    for length in [1, 100, 4096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let found = DiskFile::open(&path).and_then(|file| file.read());
        assert!(found.is_err(), "{length} of {} bytes", whole.len());
    }
    let mut changed = whole.clone();
    changed.iter_mut().skip(4096).step_by(512).for_each(|byte| *byte ^= 0xff);
    std::fs::write(&path, &changed).unwrap();
    let found = DiskFile::open(&path).and_then(|file| file.read());
    assert!(found.is_err(), "{:?}", found.map(|rows| rows.len()));
}

#[test]
fn a_disk_that_fails_is_told_once_and_tried_again_until_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions");
    let mut file = DiskFile::open(&path).unwrap();
    // As after an error: it is to be opened again, and cannot be.
    file.forget();
    let hidden = folder.path().join("hidden");
    std::fs::rename(&path, &hidden).unwrap();
    std::fs::create_dir(&path).unwrap();
    let (told, troubles) = mpsc::channel();
    let on_trouble = move |trouble: Option<&DiskError>| {
        let _unheard = told.send(trouble.map(ToString::to_string));
    };
    let journal = Journal::start(file, Box::new(on_trouble)).unwrap();
    assert_eq!(journal.write((id("a"), put("1"))).blocking_recv(), Ok(false));
    assert_eq!(journal.write((id("b"), put("2"))).blocking_recv(), Ok(false));
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&hidden, &path).unwrap();
    while journal.write((id("c"), put("3"))).blocking_recv() != Ok(true) {}
    journal.close();
    let ids: Vec<String> = lies_there(&path).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["a", "b", "c"], "what failed is written later");
    let told: Vec<bool> = troubles.iter().map(|trouble| trouble.is_some()).collect();
    assert_eq!(told, [true, false]);
}
