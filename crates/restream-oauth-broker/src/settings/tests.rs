use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// What a secret looks like that may not be printed.
const CANARY: &str = "c4n4ry-5ecret";

/// A configuration that has every key.
const WHOLE: &str = include_str!("../../tests/whole.toml");

/// A certificate for `broker.example` and its private key, and those of another name.
static PAIRS: LazyLock<[[String; 2]; 2]> = LazyLock::new(|| {
    ["broker.example", "other.example"].map(|name| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        [certificate.pem(), key.serialize_pem()]
    })
});

fn files() -> Environment {
    Environment::with_files(|path| match path.to_str() {
        Some("/etc/secret") => Ok(SecretFile::new(&format!("{CANARY}\n"), false)),
        Some("/etc/open") => Ok(SecretFile::new(CANARY, true)),
        Some("/etc/spaces") => Ok(SecretFile::new(" c4n4ry-5ecret", false)),
        Some("/etc/cert.pem") => Ok(SecretFile::new(&PAIRS[0][0], true)),
        Some("/etc/key.pem") => Ok(SecretFile::new(&PAIRS[0][1], false)),
        Some("/etc/open-key.pem") => Ok(SecretFile::new(&PAIRS[0][1], true)),
        Some("/etc/other-cert.pem") => Ok(SecretFile::new(&PAIRS[1][0], true)),
        Some("/etc/other-key.pem") => Ok(SecretFile::new(&PAIRS[1][1], false)),
        _ => Err(FileProblem::Missing),
    })
}

fn warnings(text: &str) -> Vec<Warning> {
    Settings::parse(text, &files()).unwrap().warnings
}

/// [`WHOLE`] without the lines of these keys or tables.
fn without(names: &[&str]) -> String {
    let is_named = |line: &str| names.iter().any(|name| line.starts_with(&format!("{name} =")) || line == *name);
    WHOLE.lines().filter(|line| !is_named(line)).fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_secret_comes_from_exactly_one_place() {
    let problems = |text: &str, environment: &Environment| {
        let checked = Settings::parse(text, environment);
        checked.map_or_else(|faults| faults.0.into_iter().map(|fault| fault.problem).collect(), |_| Vec::new())
    };
    // The first of these environments has no files at all.
    let no_file = without(&["client_secret_file", "tls_cert", "tls_key"]);
    assert_eq!(problems(&no_file, &Environment::with_secret(CANARY)), []);
    assert_eq!(problems(&no_file, &files()), [Problem::NoSecret]);
    assert_eq!(problems(&no_file, &Environment::with_secret("")), [Problem::NoSecret], "an empty variable is unset");
    let whole = without(&["tls_cert", "tls_key"]);
    assert_eq!(problems(&whole, &Environment::with_secret(CANARY)), [Problem::TwoSecrets]);
    let both = Environment { client_secret: Some("".into()), ..files() };
    assert_eq!(problems(WHOLE, &both), [], "an empty variable is unset");
    #[cfg(unix)]
    {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt as _;
        let broken = Environment::with_secret(OsString::from_vec(vec![0xFF]));
        assert_eq!(problems(&no_file, &broken), [Problem::SecretNotUtf8]);
    }
}

#[test]
fn what_can_run_and_should_be_mended_is_a_warning() {
    let no_tls = without(&["tls_cert", "tls_key"]);
    for (text, expected) in [
        (WHOLE.replace("/etc/secret", "/etc/open"), vec![Warning::SecretReadable]),
        (no_tls.clone(), vec![]),
        (no_tls.replace("127.0.0.1:8080", "0.0.0.0:8080"), vec![Warning::PlainHttp]),
        (WHOLE.replace("127.0.0.1:8080", "0.0.0.0:8080"), vec![]),
        (WHOLE.replace("/etc/key", "/etc/open-key"), vec![Warning::KeyReadable]),
        (
            WHOLE.replace("/etc/cert", "/etc/other-cert").replace("/etc/key", "/etc/other-key"),
            vec![Warning::CertificateName],
        ),
        (without(&["tls_cert", "tls_key", "trusted_proxies"]), vec![Warning::UnnamedProxy]),
        (without(&["[obs]", "prefix"]).replace("\"handle\"", "\"relay\""), vec![Warning::RelayStoresNothing]),
        (without(&["[store]", "kind", "path", "[obs]", "prefix"]).replace("\"handle\"", "\"relay\""), vec![]),
    ] {
        assert_eq!(warnings(&text), expected, "{text}");
    }
}

/// A wrong type under each key is noted with that key: so each is read. And [`WHOLE`] has each, but for `url`, which
/// cannot stand beside `path`.
#[test]
fn every_known_key_is_read() {
    let mut read = BTreeSet::new();
    for (table, keys) in keys::KEYS {
        for key in keys {
            let text = match table {
                "" => format!("{key} = 1979-05-27\n{}", without(&[key, &format!("[{key}]"), &format!("[[{key}]]")])),
                "clients" => format!("{WHOLE}[[clients]]\n{key} = 1979-05-27\n"),
                "store" if *key == "url" => "[store]\nkind = \"postgres\"\nurl = 1979-05-27".to_owned(),
                _ => format!("[{table}]\nkind = \"file\"\n{key} = 1979-05-27").replace("kind = \"file\"\nkind", "kind"),
            };
            let found = Settings::parse(&text, &files()).unwrap_err();
            let is_it = |fault: &&Fault| matches!(fault.problem, Problem::Type { came: "a date", .. });
            let places: Vec<_> = found.iter().filter(is_it).map(|fault| fault.key.replace("[2]", "")).collect();
            let path = if table.is_empty() { (*key).to_owned() } else { format!("{table}.{key}") };
            assert_eq!(places, [path.as_str()], "{text}");
            let stands_in = |form: String| WHOLE.lines().any(|line| line.starts_with(&form));
            let is_in_whole =
                stands_in(format!("{key} = ")) || stands_in(format!("[{key}]")) || stands_in(format!("[[{key}]]"));
            assert!(is_in_whole || *key == "url", "{path}");
            read.insert(path);
        }
    }
    assert_eq!(read.len(), 24);
}

#[test]
fn a_value_is_shown_without_what_can_hold_a_secret() {
    for (value, expected) in [
        ("plain", "\"plain\""),
        ("https://u:p@h/p?q#f", "\"https://…@h/p…\""),
        ("u:p@h", "\"…@h\""),
        ("a\u{1b}[31m\"\n", "\"a\\u{1b}[31m\\\"\\n\""),
        ("?", "\"…\""),
    ] {
        assert_eq!(&*table::shown(value), expected);
    }
    assert_eq!(table::shown(&"x".repeat(1000)).chars().count(), 83);
}

#[test]
fn files_are_read() {
    let folder = std::env::temp_dir().join(format!("restream-oauth-broker-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (secret, file) = (folder.join("secret"), folder.join("broker.toml"));
    std::fs::write(&secret, format!("{CANARY}\r\n")).unwrap();
    let text = without(&["tls_cert", "tls_key"]).replace("/etc/secret", secret.to_str().unwrap());
    std::fs::write(&file, &text).unwrap();
    #[cfg(unix)]
    for (mode, expected) in [
        (0o600, vec![]),
        (0o640, vec![]),
        (0o660, vec![Warning::SecretReadable]),
        (0o604, vec![Warning::SecretReadable]),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(Settings::load(&file).unwrap().warnings, expected, "{mode:o}");
    }
    assert_eq!(*SecretFile::read(&secret).unwrap().secret, CANARY);
    let name = file.display();

    std::fs::write(&file, text.replace("\"handle\"", "1")).unwrap();
    let error = Settings::load(&file).unwrap_err();
    assert_eq!(error.to_string(), format!("{name}: line 4: mode: expected text in quotes, got a whole number"));

    std::fs::write(&file, "#".repeat(LONGEST + 1)).unwrap();
    let error = Settings::load(&file).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {name}: {}", Problem::TooLong));

    std::fs::write(&file, [0xFF]).unwrap();
    assert!(Settings::load(&file).unwrap_err().to_string().ends_with("it is not UTF-8"));
    std::fs::write(&secret, [0xFF]).unwrap();
    assert_eq!(SecretFile::read(&secret).unwrap_err(), FileProblem::NotUtf8);
    std::fs::write(&secret, "x".repeat(64 * 1024)).unwrap();
    assert_eq!(SecretFile::read(&secret).unwrap_err(), FileProblem::TooLong);
    assert_eq!(SecretFile::read(&folder.join("none")).unwrap_err(), FileProblem::Missing);
    std::fs::remove_dir_all(&folder).unwrap();
}

proptest! {
    /// A secret that lands under any key by mistake is not shown, unless the key is one whose value helps and is none.
    #[test]
    fn no_secret_is_shown(number in 0_usize..40, secret in "[a-zA-Z0-9]{20}") {
        let mut lines: Vec<_> = WHOLE.lines().map(str::to_owned).collect();
        let number = number % lines.len();
        let key = lines[number].split(" =").next().unwrap().to_owned();
        let is_secret_key = ["client_id", "client_secret_file"].contains(&key.as_str());
        prop_assume!(lines[number].contains('='));
        lines[number] = if is_secret_key {
            format!("{key} = \" {secret}\"")
        } else {
            format!("{key} = \"postgres://user:{secret}@host/{secret}?password={secret}\"").replace(&format!("/{secret}"), "/")
        };
        if key == "path" {
            lines[number] = format!("url = \"postgres://user:{secret}@host/d?password={secret}\"");
        }
        let text = lines.join("\n");
        if let Err(found) = Settings::parse(&text, &files()) {
            prop_assert!(!format!("{found} {found:?}").contains(&secret), "{found}");
        }
    }

    #[test]
    fn no_text_is_too_strange_to_be_judged(text in "[ -~\n]{0,200}", at in 0..WHOLE.len(), cut in 0_usize..40) {
        let _ = Settings::parse(&text, &files());
        let end = (at + cut).min(WHOLE.len());
        let edited = format!("{}{text}{}", &WHOLE[..at], &WHOLE[end..]);
        if let Err(found) = Settings::parse(&edited, &files()) {
            prop_assert!(found.iter().len() > 0);
            for fault in &found {
                prop_assert!((1..=edited.lines().count() + 1).contains(&fault.line), "{fault}");
            }
        }
    }
}
