//! The configuration as an operator writes it: what arrives, and every fault that is named.

use std::path::Path;
use std::sync::LazyLock;

use restream_oauth_broker::settings::{
    Checked, Environment, FileProblem, Mode, Problem, SecretFile, Settings, Store, Warning,
};
use restream_oauth_core::AuthorizationCode;

/// What a secret looks like that may not be printed.
const CANARY: &str = "c4n4ry-5ecret";

/// A configuration that has every key.
const WHOLE: &str = include_str!("whole.toml");

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
        Some("/etc/other-key.pem") => Ok(SecretFile::new(&PAIRS[1][1], false)),
        _ => Err(FileProblem::Missing),
    })
}

fn faults(text: &str) -> Vec<String> {
    Settings::parse(text, &files())
        .map_or_else(|faults| faults.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

/// [`WHOLE`] without the lines of these keys or tables.
fn without(names: &[&str]) -> String {
    let is_named = |line: &str| names.iter().any(|name| line.starts_with(&format!("{name} =")) || line == *name);
    WHOLE.lines().filter(|line| !is_named(line)).fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn every_key_arrives() {
    let Checked { settings, warnings, .. } = Settings::parse(WHOLE, &files()).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.issuer.as_str(), "https://broker.example");
    assert_eq!(settings.admin_listen.unwrap().to_string(), "127.0.0.1:8081");
    assert!(matches!(&settings.mode, Mode::Handle(Store::File(path)) if path == Path::new("/var/lib/broker")));
    let proxies: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
    let tls = settings.tls.as_ref().unwrap();
    assert_eq!((tls.certificate.to_str(), tls.key.to_str()), (Some("/etc/cert.pem"), Some("/etc/key.pem")));
    assert_eq!(settings.restream.client_id(), "app");
    assert_eq!(settings.restream.redirect_uri(), "https://broker.example/callback");
    assert_eq!(settings.restream.endpoints().token, "http://127.0.0.1:9000/oauth/token");
    assert_eq!(settings.obs.as_ref().unwrap().prefix(), "/studio/obs/");
    let [overlay, bot] = settings.clients.as_slice() else { panic!("{:?}", settings.clients) };
    assert_eq!((&*overlay.id, overlay.origins.len(), &*bot.id, bot.origins.len()), ("overlay", 1, "bot", 0));
    assert!(overlay.redirect_uri_matches("http://127.0.0.1:51004/callback"));
    assert!(!bot.redirect_uri_matches("https://overlay.example/callback"));
    assert_eq!((settings.rates.per_device.get(), settings.rates.per_address.get()), (5, 100));
    let code = AuthorizationCode::without_state_check("c", settings.restream.redirect_uri(), None);
    let (request, _) = settings.restream.exchange(&code).into_parts(std::time::SystemTime::UNIX_EPOCH);
    // The base64 of `app:c4n4ry-5ecret`.
    assert_eq!(request.headers()["authorization"], "Basic YXBwOmM0bjRyeS01ZWNyZXQ=");
    assert!(!format!("{settings:?}").contains(CANARY));
}

#[test]
fn what_may_be_left_out_has_a_default() {
    let text = without(&[
        "admin_listen",
        "mode",
        "trusted_proxies",
        "tls_cert",
        "tls_key",
        "base_url",
        "kind",
        "prefix",
        "[limits]",
        "per_device",
        "per_address",
        "origins",
    ]);
    let Checked { settings, warnings, .. } = Settings::parse(&text, &files()).unwrap();
    assert_eq!(warnings, [Warning::UnnamedProxy]);
    assert_eq!((settings.admin_listen, settings.tls, settings.trusted_proxies.len()), (None, None, 0));
    assert!(matches!(settings.mode, Mode::Handle(Store::File(_))));
    assert_eq!(settings.restream.endpoints(), &restream_oauth_core::Endpoints::restream());
    assert_eq!(settings.obs.unwrap().prefix(), "/obs/");
    let (per_device, per_address) = (settings.rates.per_device.get(), settings.rates.per_address.get());
    assert_eq!((per_device, per_address), (10, 50));
}

/// A part of [`WHOLE`], what stands there instead, and every fault.
const CASES: &[(&str, &str, &[&str])] = &[
    ("[obs]", "[ob]", &["line 15: ob: there is no such key: did you mean obs?"]),
    ("[obs]", "[[obs]]", &["line 15: obs: expected a table, got a list"]),
    (
        "[[clients]]\nid = \"overlay\"",
        "[clients]\nid = \"overlay\"",
        &[
            "line 17: clients: expected tables, each under [[clients]], got a table",
            "line 21: expected TOML, got something else: duplicate key",
        ],
    ),
    ("\"127.0.0.1:8080\"", "8080", &["line 1: listen: expected text in quotes, got a whole number"]),
    (
        "127.0.0.1:8080",
        "localhost:8080",
        &[
            "line 1: listen: expected an IP address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\", got \"localhost:8080\"",
        ],
    ),
    (
        "https://broker.example",
        "https://broker.example/",
        &[
            "line 2: issuer: \"https://broker.example/\" cannot be used: nothing may follow the host and the port, not even a slash",
        ],
    ),
    (
        "https://broker.example\"",
        "http://broker.example\"",
        &[
            "line 2: issuer: \"http://broker.example\" cannot be used: plain http is for this machine alone: write https",
        ],
    ),
    (
        "https://broker.example\"",
        "http://localhost:8080\"",
        &["line 2: issuer: expected https, or http on a literal 127.0.0.1 or [::1], got \"http://localhost:8080\""],
    ),
    (
        "https://broker.example\"",
        "http://127.0.0.1:8080\"",
        &[
            "line 6: tls_cert: this cannot go with an issuer that is http: write https in the issuer, or leave out tls_cert and tls_key",
        ],
    ),
    (
        "127.0.0.1:8081",
        "127.0.0.1:8080",
        &[
            "line 3: admin_listen: this cannot go with the same address in listen: metrics are not for devices, so give them another port",
        ],
    ),
    ("\"handle\"", "\"handles\"", &["line 4: mode: expected \"handle\" or \"relay\", got \"handles\""]),
    (
        "\"10.0.0.0/8\"",
        "\"10.0.0.1/8\", \"10.0.0\", \"::/0\", \"::ffff:10.0.0.0/104\", 7",
        &[
            "line 5: trusted_proxies[1]: expected an IP address or a network such as \"10.0.0.0/8\", but not of all addresses, got \"10.0.0.1/8\"",
            "line 5: trusted_proxies[2]: expected an IP address or a network such as \"10.0.0.0/8\", but not of all addresses, got \"10.0.0\"",
            "line 5: trusted_proxies[3]: expected an IP address or a network such as \"10.0.0.0/8\", but not of all addresses, got \"::/0\"",
            "line 5: trusted_proxies[4]: expected an IP address or a network such as \"10.0.0.0/8\", but not of all addresses, got \"::ffff:10.0.0.0/104\"",
            "line 5: trusted_proxies[5]: expected text in quotes, got a whole number",
        ],
    ),
    (
        "tls_key = \"/etc/key.pem\"\n",
        "",
        &["line 1: tls_key: expected the file of the private key that belongs to tls_cert, got nothing: add it"],
    ),
    (
        "tls_cert = \"/etc/cert.pem\"\n",
        "",
        &["line 1: tls_cert: expected the file of the certificate that belongs to tls_key, got nothing: add it"],
    ),
    (
        "\"/etc/cert.pem\"\ntls_key = \"/etc/key.pem\"",
        "\"/etc/none\"\ntls_key = \"/etc/secret\"",
        &[
            "line 6: tls_cert: the file cannot be used: it does not exist",
            "line 7: tls_key: expected a private key in PEM, got a file without one: it begins with -----BEGIN PRIVATE KEY-----",
        ],
    ),
    (
        "\"/etc/cert.pem\"",
        "\"/etc/key.pem\"",
        &[
            "line 6: tls_cert: expected a certificate in PEM, got a file without one: it begins with -----BEGIN CERTIFICATE-----",
        ],
    ),
    (
        "\"/etc/key.pem\"",
        "\"/etc/other-key.pem\"",
        &["line 7: tls_key: expected the private key of the certificate in tls_cert, got the key of another one"],
    ),
    ("\"/etc/key.pem\"", "\"\"", &["line 7: tls_key: expected a path, got \"\""]),
    (
        "client_id = \"app\"\n",
        "",
        &["line 8: restream.client_id: expected the application's client identifier, got nothing: add it"],
    ),
    (
        "\"app\"",
        "\"a\\u0000b\"",
        &[
            "line 9: restream.client_id: the client identifier cannot be used: it holds a control character, such as a line break",
        ],
    ),
    ("/etc/secret", "/etc/none", &["line 10: restream.client_secret_file: the file cannot be used: it does not exist"]),
    (
        "/etc/secret",
        "/etc/spaces",
        &[
            "line 10: restream.client_secret_file: the client secret, of this file or of RESTREAM_CLIENT_SECRET, cannot be used: it holds a space where none can be",
        ],
    ),
    (
        "client_secret_file = \"/etc/secret\"",
        "client_secret = \"c4n4ry-5ecret\"",
        &[
            "line 8: restream.client_secret_file: expected a client secret, got none: add this key, or set RESTREAM_CLIENT_SECRET",
            "line 10: restream.client_secret: a secret does not belong into this file: name a file with client_secret_file, or set RESTREAM_CLIENT_SECRET",
        ],
    ),
    (
        "http://127.0.0.1:9000",
        "http://user:c4n4ry-5ecret@restream.example/?c4n4ry-5ecret",
        &["line 11: restream.base_url: expected a URL without a query, got \"http://…@restream.example/…\""],
    ),
    (
        "http://127.0.0.1:9000",
        "http://restream.example",
        &[
            "line 11: restream.base_url: \"http://restream.example\" cannot be used: plain http is only for loopback: write https, or a literal 127.0.0.1 or [::1]",
        ],
    ),
    ("\"file\"", "\"files\"", &["line 13: store.kind: expected \"file\" or \"postgres\", got \"files\""]),
    (
        "\"file\"",
        "\"postgres\"",
        &[
            "line 12: store.url: expected a URL such as \"postgres://broker@db.example/app\", got nothing: add it",
            "line 14: store.path: this cannot go with kind \"postgres\": remove one of the two",
        ],
    ),
    (
        "\"file\"\npath = \"/var/lib/broker\"",
        "\"postgres\"\nurl = \"postgres://u:c4n4ry-5ecret@db.example/app\"",
        &[
            "line 14: store.url: expected a URL without a password, got one with a password: put it into the file that PGPASSFILE names, or into PGPASSWORD",
        ],
    ),
    (
        "\"/studio/obs/\"",
        "\"/studio/obs\"",
        &[
            "line 16: obs.prefix: expected a path with a slash at both ends, such as \"/obs/\", that holds none of the broker's own paths, got \"/studio/obs\"",
        ],
    ),
    (
        "\"overlay\"",
        "\"over lay\"",
        &[
            "line 18: clients[0].id: expected 1 to 64 letters (of ASCII), digits and . _ ~ -, but not \"obs\", got \"over lay\"",
        ],
    ),
    ("\"bot\"", "\"overlay\"", &["line 22: clients[1].id: the same stands at clients[0].id: remove one"]),
    (
        "\"https://overlay.example/callback\"",
        "\"https://overlay.example/*\", \"http://overlay.example/\"",
        &[
            "line 19: clients[0].redirect_uris[0]: \"https://overlay.example/*\" cannot be used: there are no wildcards: list each URI",
            "line 19: clients[0].redirect_uris[1]: \"http://overlay.example/\" cannot be used: plain http is only for loopback: write https, or a literal 127.0.0.1 or [::1]",
        ],
    ),
    (
        "[\"http://127.0.0.1/callback\"]",
        "[]",
        &[
            "line 23: clients[1].redirect_uris: expected one URI or more to send the browser back to, got nothing: add it",
        ],
    ),
    (
        "[\"https://overlay.example\"]",
        "[\"*\"]",
        &[
            "line 20: clients[0].origins[0]: \"*\" cannot be used: it must begin with https://, or for this machine with http://",
        ],
    ),
    (
        "per_device = 5",
        "per_device = 0",
        &["line 25: limits.per_device: expected a whole number of requests a second, from 1 to 100000, got \"0\""],
    ),
    (
        "per_device = 5",
        "per_device = 1.5",
        &[
            "line 25: limits.per_device: expected a whole number of requests a second, from 1 to 100000, got a number with a point",
        ],
    ),
    (
        "per_device = 5",
        "per_device = 0xFFFFFFFFFF",
        &[
            "line 25: limits.per_device: expected a whole number of requests a second, from 1 to 100000, got \"FFFFFFFFFF\"",
        ],
    ),
    (
        "\"handle\"",
        "\"relay\"",
        &[
            "line 15: obs: this cannot go with mode \"relay\": OBS keeps the first refresh token that it gets, and Restream replaces it at each refresh. Set mode to \"handle\", or remove [obs]",
        ],
    ),
    (
        "per_device = 5",
        "mode = \"relay\"",
        &[
            "line 25: limits.mode: there is no such key: did you mean mode, at the top of the file, before the first [table]?",
        ],
    ),
];

#[test]
fn each_fault_says_where_it_is_what_was_expected_what_came_and_what_to_do() {
    for (part, instead, expected) in CASES {
        assert!(WHOLE.contains(part), "{part}");
        assert_eq!(faults(&WHOLE.replacen(part, instead, 1)), *expected, "{instead}");
    }
}

#[test]
fn an_empty_file_names_everything_that_is_needed() {
    assert_eq!(
        faults(""),
        [
            "line 1: listen: expected an address to listen on, such as \"127.0.0.1:8080\", got nothing: add it",
            "line 1: issuer: expected the broker's URL as devices see it, such as https://broker.example, got nothing: add it",
            "line 1: expected [obs] or [[clients]], because nobody could use the broker, got nothing: add it",
            "line 1: store: expected [store] with path, or kind = \"postgres\" and url, got nothing: add it",
            "line 1: restream: expected [restream] with the client_id of the application, got nothing: add it",
        ]
    );
}

#[test]
fn a_fault_hides_no_other_one() {
    let text = WHOLE.replace("\"handle\"", "\"both\"").replace("\"file\"", "\"disk\"").replace("\"app\"", "\"\"");
    let text = text.replace("https://broker.example\"", "broker.example\"").replace("/etc/secret", "/etc/none");
    let text = text.replace("/etc/key.pem", "/etc/other-key.pem");
    let lines: Vec<_> = Settings::parse(&text, &files()).unwrap_err().iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 4, 7, 9, 10, 13]);
}

#[test]
fn a_broker_without_a_door_is_a_fault() {
    let doors = ["[obs]", "prefix", "[[clients]]", "id", "redirect_uris", "origins"];
    for clients in ["", "clients = []\n"] {
        let found = faults(&format!("{clients}{}", without(&doors)));
        assert_eq!(
            found,
            ["line 1: expected [obs] or [[clients]], because nobody could use the broker, got nothing: add it"]
        );
    }
}

#[test]
fn a_line_that_is_not_toml_hides_no_other_fault() {
    let text = WHOLE.replacen("mode = \"handle\"", "mode = handle", 1).replacen("per_device = 5", "per_device = 0", 1);
    let found = Settings::parse(&text, &files()).unwrap_err();
    let places: Vec<_> = found.iter().map(|fault| (fault.line, &*fault.key)).collect();
    assert_eq!(places, [(4, ""), (25, "limits.per_device")]);
    assert!(matches!(found.iter().next().unwrap().problem, Problem::Syntax(_)));
}

#[test]
fn a_prefix_holds_none_of_the_brokers_own_paths() {
    for prefix in ["/obs/", "/o/", "/a/b/c/", "/obs/callback/"] {
        assert_eq!(faults(&WHOLE.replace("/studio/obs/", prefix)), [""; 0], "{prefix}");
    }
    for prefix in [
        "/",
        "//",
        "",
        "obs/",
        "/obs",
        "/a//b/",
        "/../",
        "/./",
        "/callback/",
        "/token/x/",
        "/.well-known/",
        "/%6f/",
        "/a b/",
        "/a?/",
    ] {
        assert_eq!(faults(&WHOLE.replace("/studio/obs/", prefix)).len(), 1, "{prefix}");
    }
}
