//! Private files that are no grants, and the list of what was set aside.

use restream_oauth_keeper::store::file::private_file;
use restream_oauth_keeper::store::{FileStore, StoreErrorKind};

use crate::support::{Folder, default, mode, set_mode};

#[test]
fn a_file_is_replaced_whole_and_is_private() {
    let folder = Folder::new();
    let path = folder.0.join("login.json");
    private_file::prove(&path).unwrap();
    assert!(folder.names().is_empty(), "proving makes no file: {:?}", folder.names());
    for text in ["one", "another"] {
        private_file::replace(&path, text.as_bytes()).unwrap();
        assert_eq!((folder.read("login.json").as_str(), mode(&path)), (text, 0o600));
        private_file::prove(&path).unwrap();
        assert_eq!(folder.read("login.json"), text);
    }
    assert_eq!(folder.names(), ["login.json"]);
    private_file::remove(&path).unwrap();
    private_file::remove(&path).unwrap();
    assert!(folder.names().is_empty());
}

#[test]
fn a_link_and_a_missing_folder_are_refused_with_the_reason() {
    let folder = Folder::new();
    folder.write("target", "precious");
    std::os::unix::fs::symlink(folder.0.join("target"), folder.0.join("link")).unwrap();
    for act in [|path: &std::path::Path| private_file::replace(path, b"new"), private_file::prove] {
        let error = act(&folder.0.join("link")).unwrap_err();
        assert_eq!(*error.kind(), StoreErrorKind::ReadOnly);
        assert!(error.to_string().contains("symbolic link"), "{error}");
        let error = act(&folder.0.join("missing/file")).unwrap_err();
        assert_eq!(*error.kind(), StoreErrorKind::Missing);
        assert!(error.to_string().contains("its folder does not exist"), "{error}");
    }
    assert_eq!(folder.read("target"), "precious");
    assert_eq!(folder.names(), ["link", "target"]);
}

#[test]
fn a_new_file_never_replaces_another() {
    let folder = Folder::new();
    let path = folder.0.join("rescued");
    private_file::create(&path, b"first").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(private_file::create(&path, b"second").unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(folder.read("rescued"), "first");
}

#[test]
fn what_was_set_aside_is_listed_by_name() {
    let folder = Folder::new();
    let store = FileStore::at(&folder.0).unwrap();
    set_mode(&folder.0, 0o700);
    for name in ["default.json", "default.json.lock", "default.json.spool", "default.jsonx.leftover", "other.leftover"]
    {
        folder.write(name, "");
    }
    assert!(store.set_aside(&default()).is_empty());
    let aside =
        ["default.json.answer-g0", "default.json.answer-torn", "default.json.leftover", "default.json.leftover-2"];
    for name in aside {
        folder.write(name, "");
    }
    assert_eq!(store.set_aside(&default()), aside.map(|name| folder.0.join(name)));
}
