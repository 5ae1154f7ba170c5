//! Where keys come from, and what a store does that lacks one.

use restream_oauth_keeper::seal::{KeyRingError, Kind};

use super::*;
use crate::support::set_mode;

#[test]
fn a_document_whose_key_is_missing_fails_the_claim_and_stays_where_it_is() {
    let spooled = answer(login("1").parent()).to_saved();
    let successor = replacing(&next(&login("1"), "2"), &login("1"));
    for (name, kind, text) in [
        ("default.json", Kind::Record, login("1").to_saved().to_string()),
        ("default.json.new", Kind::Record, successor),
        ("default.json.spool", Kind::Answer, spooled.to_string()),
        ("default.json.logins/1", Kind::Login, saved_tokens("2")),
    ] {
        let folder = Folder::new();
        sealed(&folder.0, &[K1]).put(&login("1"));
        std::fs::create_dir(folder.0.join("default.json.logins")).unwrap();
        folder.write(name, seal(&[K2], kind, "default", &text));
        let before = contents(&folder.0);
        // A store with other keys, and one without keys.
        let without = sealed(&folder.0, &[K1]);
        assert_eq!(refused(&without, StoreOp::Claim), SealError::KeyMissing { key: key("k2") }, "{name}");
        assert_eq!(contents(&folder.0), before, "{name}");
        if kind != Kind::Record {
            folder.write("default.json", &*login("1").to_saved());
        }
        if name != "default.json.new" {
            let before = contents(&folder.0);
            assert_eq!(refused(&Shelf::at(&folder.0), StoreOp::Claim), SealError::NoRing { key: key("k2") }, "{name}");
            assert_eq!(contents(&folder.0), before, "{name}");
        }
        let both = sealed(&folder.0, &[K1, K2]).look();
        assert!(warnings(&both).iter().all(|warning| *warning == Warning::LeftoverAdopted), "{name}: {both:?}");
        assert_eq!(
            (both.spooled.len(), both.logins.len()),
            (usize::from(kind == Kind::Answer), usize::from(kind == Kind::Login))
        );
    }
}

#[test]
fn keys_are_read_from_a_private_file_and_from_the_environment() {
    let folder = Folder::new();
    folder.write("keys", format!("# newest first\n{K2}\n{K1}\n"));
    let ids = |ring: &KeyRing| ring.ids().map(ToString::to_string).collect::<Vec<_>>();
    let path = folder.0.join("keys");
    assert_eq!(ids(&KeyRing::from_file(&path).unwrap()), ["k2", "k1"]);
    set_mode(&path, 0o400);
    assert_eq!(ids(&KeyRing::from_file(&path).unwrap()), ["k2", "k1"]);
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602] {
        set_mode(&path, mode);
        assert_eq!(KeyRing::from_file(&path).unwrap_err(), KeyRingError::NotPrivate, "{mode:o}");
    }
    set_mode(&path, 0o600);
    let missing = KeyRing::from_file(folder.0.join("missing")).unwrap_err();
    assert_eq!(missing, KeyRingError::Unreadable(std::io::ErrorKind::NotFound));
    assert_eq!(KeyRing::from_file(&folder.0).unwrap_err(), KeyRingError::NoFile);
    folder.write("keys", [0xFF]);
    assert_eq!(KeyRing::from_file(&path).unwrap_err(), KeyRingError::NoText);
    folder.write("keys", "#".repeat(64 * 1024));
    assert_eq!(KeyRing::from_file(&path).unwrap_err(), KeyRingError::TooLong);
    // Cargo sets this one for its tests; it holds no ring.
    assert_eq!(KeyRing::from_environment("CARGO_PKG_NAME").unwrap_err(), KeyRingError::NoName { entry: 1 });
    assert_eq!(KeyRing::from_environment("NO_SUCH_VARIABLE_AT_ALL").unwrap_err(), KeyRingError::NoVariable);
}

#[test]
fn a_ring_in_the_environment_is_read_by_a_child() {
    const VARIABLE: &str = "KEYS_OF_A_TEST";
    if std::env::var_os(VARIABLE).is_some() {
        let ring = KeyRing::from_environment(VARIABLE).unwrap();
        assert_eq!(ring.ids().map(ToString::to_string).collect::<Vec<_>>(), ["k2", "k1"]);
        return;
    }
    let name = "sealed::keys::a_ring_in_the_environment_is_read_by_a_child";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name]).env(VARIABLE, format!("{K2},{K1}")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
