//! What is sealed opens for its grant, as its kind and with its key alone, in both forms.

use super::*;
use crate::record::hex;

const RING: &str = "k1:fbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbefbef";
const TEXT: &str = "{\"kind\":\"tokens\"}";

fn with(ring: &str) -> Sealer {
    Sealer::new(KeyRing::parse(ring).unwrap())
}

fn grant(name: &str) -> GrantName {
    name.parse().unwrap()
}

/// Another implementation sealed these texts: HMAC of Python's standard library, and ChaCha20-Poly1305 of OpenSSL.
#[test]
fn a_document_is_byte_for_byte_what_another_implementation_seals() {
    let salt = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let known = About { client: Some("id".to_owned()), generation: Some(7) };
    for (about, members, sealed) in [
        (known, "\"client\":\"id\",\"generation\":7", "OpctuIv13udAUdBOHcUCK9A0AwtwDPXrUJM/nMSoh1xV"),
        (About::default(), "\"client\":null,\"generation\":null", "OpctuIv13udAUdBOHcUCK9CemmI2rGiAsMSPfeqrhNgt"),
    ] {
        let document = with(RING).seal_with(&salt, Kind::Record, &grant("default"), &about, TEXT.as_bytes());
        let expected = format!(
            "{{\"version\":1,\"kind\":\"sealed\",\"of\":\"record\",\"key\":\"k1\",{members},\
             \"salt\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\",\"sealed\":\"{sealed}\"}}\n"
        );
        assert_eq!(document.unwrap(), expected);
        assert_eq!(**with(RING).open(Kind::Record, &grant("default"), expected.as_bytes()).unwrap(), *TEXT.as_bytes());
    }
}

/// The same for the compact form: HMAC of Python's standard library, and RFC 8439 written out in Python.
#[test]
fn a_compact_document_is_byte_for_byte_what_another_implementation_seals() {
    let salt = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let known = About { client: Some("id".to_owned()), generation: Some(7) };
    for (about, members, sealed) in [
        // The words `record` and `id`, the text `k1`, the number 7.
        (known, &[0x57, 8, 2, b'k', b'1', 0x39, 6, 7][..], "40b454c2e5eaa039a4427f5ab0b1e204a03971a456"),
        (About::default(), &[0x57, 8, 2, b'k', b'1', 5, 5], "40b454c2e5eef809c67473bb73be36be25bf232713"),
    ] {
        let document = with(RING).seal_compact_with(&salt, Kind::Record, &grant("default"), &about, TEXT).unwrap();
        let (head, rest) = document.split_at(members.len() + 3);
        assert_eq!(head, [&[2, 2], members, &[0]].concat());
        assert_eq!((&rest[..32], hex(&rest[32..]).as_str()), (&salt[..], sealed));
        assert_eq!(**with(RING).open(Kind::Record, &grant("default"), &document).unwrap(), *TEXT.as_bytes());
    }
}

#[test]
fn a_compact_document_is_no_document_of_the_other_form_with_the_same_members() {
    let salt = [7; 32];
    let (kind, about, name) = (Kind::Record, About::default(), grant("one"));
    let json = with(RING).seal_with(&salt, kind, &name, &about, &pack(TEXT)).unwrap();
    let Look::Sealed(Ok(Envelope { sealed: Sealed::Json { text, .. }, .. })) = Look::at(json.as_bytes()) else {
        panic!()
    };
    let key = "k1".parse().unwrap();
    let forged = Envelope::compact(kind, &key, &about, &salt, &STANDARD.decode(text).unwrap());
    assert_eq!(with(RING).open(kind, &name, &forged), Err(SealError::CannotBeOpened { key }));
}

#[test]
fn no_two_documents_of_the_same_text_are_alike() {
    let seal = || with(RING).seal(Kind::Record, &grant("default"), &About::default(), TEXT).unwrap();
    let (one, other) = (seal(), seal());
    let member = |document: &str, name| serde_json::from_str::<serde_json::Value>(document).unwrap()[name].clone();
    for name in ["salt", "sealed"] {
        assert_ne!(member(&one, name), member(&other, name), "{name}");
    }
    let seal = || with(RING).seal_compact(Kind::Record, &grant("default"), &About::default(), TEXT).unwrap();
    let (one, other) = (seal(), seal());
    let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
    assert!(same < 9 + 32, "{same} bytes of {} are those of the head", one.len());
}

#[test]
fn a_document_opens_for_its_grant_and_as_its_kind_alone() {
    let sealed = with(RING).seal(Kind::Record, &grant("one"), &About::default(), TEXT).unwrap();
    let open = |kind, name| with(RING).open(kind, &grant(name), sealed.as_bytes());
    assert_eq!(**open(Kind::Record, "one").unwrap(), *TEXT.as_bytes());
    let closed = Err(SealError::CannotBeOpened { key: "k1".parse().unwrap() });
    assert_eq!(open(Kind::Record, "other"), closed);
    let compact = with(RING).seal_compact(Kind::Record, &grant("one"), &About::default(), TEXT).unwrap();
    let open_compact = |kind, name| with(RING).open(kind, &grant(name), &compact);
    assert_eq!(**open_compact(Kind::Record, "one").unwrap(), *TEXT.as_bytes());
    assert_eq!(open_compact(Kind::Record, "other"), closed);
    assert_eq!(open_compact(Kind::Login, "one"), closed);
    for kind in [Kind::Answer, Kind::Login, Kind::Row, Kind::Stray] {
        assert_eq!(open(kind, "one"), closed);
        // Not even if the document says so.
        let forged = sealed.replacen("\"of\":\"record\"", &format!("\"of\":\"{}\"", kind.name()), 1);
        assert_ne!(forged, sealed);
        assert_eq!(with(RING).open(kind, &grant("one"), forged.as_bytes()), closed);
    }
}

#[test]
fn what_a_document_says_in_the_clear_cannot_be_changed() {
    let about = About { client: Some("id".to_owned()), generation: Some(7) };
    let both = format!("{RING}\nk2:{}", RING.trim_start_matches("k1:"));
    let sealed = with(RING).seal(Kind::Record, &grant("one"), &about, TEXT).unwrap();
    for (from, to) in [
        ("\"generation\":7", "\"generation\":8"),
        ("\"generation\":7", "\"generation\":null"),
        ("\"client\":\"id\"", "\"client\":\"di\""),
        ("\"client\":\"id\"", "\"client\":null"),
        ("\"client\":\"id\"", "\"client\":\"\""),
        // The same key under another name.
        ("\"key\":\"k1\"", "\"key\":\"k2\""),
    ] {
        let changed = sealed.replacen(from, to, 1);
        assert_ne!(changed, sealed, "{from}");
        let opened = with(&both).open(Kind::Record, &grant("one"), changed.as_bytes());
        assert!(matches!(opened, Err(SealError::CannotBeOpened { .. })), "{changed}: {opened:?}");
    }
}

#[test]
fn a_missing_key_and_another_key_of_the_same_name_are_told_apart() {
    let sealed = with(RING).seal(Kind::Row, &grant("one"), &About::default(), "{\"kind\":\"row\"}").unwrap();
    let key = || "k1".parse().unwrap();
    let open = |ring: &str| with(ring).open(Kind::Row, &grant("one"), sealed.as_bytes()).unwrap_err();
    assert_eq!(open(&RING.replace("k1", "k2")), SealError::KeyMissing { key: key() });
    assert_eq!(open(&RING.replace("fb", "fc")), SealError::CannotBeOpened { key: key() });
}

/// Each byte is replaced by several others, and the document is cut at each place.
fn judge_each_damage(text: &[u8], may_be_newer: impl Fn(&[u8]) -> bool) {
    let (ring, mut kinds) = (with(RING), [0; 3]);
    let mut judge = |document: &[u8], what: &str| match ring.open(Kind::Record, &grant("one"), document) {
        Err(SealError::Damaged) => kinds[0] += 1,
        Err(SealError::CannotBeOpened { .. }) => kinds[1] += 1,
        // The name of the key is a member like others; no ring has a key of the changed name.
        Err(SealError::KeyMissing { key }) if key.as_str() != "k1" => kinds[2] += 1,
        Err(SealError::UnknownVersion) if may_be_newer(document) => {}
        outcome => panic!("{what}: {outcome:?}"),
    };
    for index in 0..text.len() {
        for byte in [0, b' ', b'"', b'2', b'A', b'}', 0x80, text[index] ^ 1, text[index] ^ 0x20, text[index] ^ 0x80] {
            let mut damaged = text.to_vec();
            damaged[index] = byte;
            if damaged != text {
                judge(&damaged, &format!("{byte:#x} at {index}"));
            }
        }
        judge(&text[..index], &format!("cut at {index}"));
        let gone = [&text[..index], &text[index + 1..]].concat();
        judge(&gone, &format!("without {index}"));
    }
    assert!(kinds.iter().all(|count| *count > 0), "each of the three is found: {kinds:?}");
}

#[test]
fn a_damaged_document_is_told_from_a_plain_one_wherever_the_damage_is() {
    let about = About { client: Some("id".to_owned()), generation: Some(7) };
    let sealed = with(RING).seal(Kind::Record, &grant("one"), &about, TEXT).unwrap();
    // A changed number of the version is a version.
    judge_each_damage(sealed.trim_end().as_bytes(), |document| document[11] != b'1');
    let sealed = with(RING).seal_compact(Kind::Record, &grant("one"), &about, TEXT).unwrap();
    // Behind the first byte stand ten of the head; a later release has more codes there.
    judge_each_damage(&sealed, |document| document[1..11] != sealed[1..11]);
}

#[test]
fn a_plain_document_is_read_until_it_is_to_be_refused() {
    for (kind, plain) in [
        (Kind::Record, "{\"version\":2,\"kind\":\"tokens\"}\n"),
        (Kind::Login, "\u{feff}{\"kind\":\"tokens\"}"),
        (Kind::Answer, "{\"kind\":\"spooled\"}      "),
        (Kind::Row, "{\"kind\":\"row\"}"),
        (Kind::Stray, "{\"kind\":\"stray\"}"),
    ] {
        let open = |sealer: Sealer| sealer.open(kind, &grant("one"), plain.as_bytes());
        assert_eq!(**open(with(RING)).unwrap(), *plain.as_bytes());
        assert_eq!(open(with(RING).refuse_plain()), Err(SealError::Plain));
        let packed = pack(plain.trim());
        let open = |sealer: Sealer| sealer.open(kind, &grant("one"), &packed);
        assert_eq!(**open(with(RING)).unwrap(), *plain.trim().as_bytes());
        assert_eq!(open(with(RING).refuse_plain()), Err(SealError::Plain));
    }
    for neither in ["", "{", "[]", "{\"kind\":\"tokens\"", "{\"kind\":\"spooled\"}", "{\"kind\":\"other\"}"] {
        let opened = with(RING).open(Kind::Record, &grant("one"), neither.as_bytes());
        assert_eq!(opened, Err(SealError::Damaged), "{neither}");
    }
}

#[test]
fn resealing_leaves_what_the_newest_key_sealed_and_keeps_the_text_of_the_others() {
    let newer = format!("{}\n{RING}", RING.replace("k1:fb", "k2:aa"));
    let (old, both, new) = (with(RING), with(&newer), with(newer.lines().next().unwrap()));
    let about = About { client: None, generation: Some(7) };
    let sealed = old.seal(Kind::Answer, &grant("one"), &about, TEXT).unwrap();
    assert_eq!(old.reseal(Kind::Answer, &grant("one"), sealed.as_bytes()), Ok(None));
    let again = both.reseal(Kind::Answer, &grant("one"), sealed.as_bytes()).unwrap().unwrap();
    assert_eq!(**new.open(Kind::Answer, &grant("one"), again.as_bytes()).unwrap(), *TEXT.as_bytes());
    assert!(again.contains("\"generation\":7"), "{again}");
    assert_eq!(both.reseal(Kind::Answer, &grant("one"), again.as_bytes()), Ok(None));
    let compact = both.reseal_compact(Kind::Answer, &grant("one"), sealed.as_bytes()).unwrap().unwrap();
    assert_eq!(**new.open(Kind::Answer, &grant("one"), &compact).unwrap(), *TEXT.as_bytes());
    assert_eq!(new.reseal_compact(Kind::Answer, &grant("one"), &compact), Ok(None));
    // A damaged document of the newest key is no document of the newest key.
    let damaged = again.replacen("\"generation\":7", "\"generation\":6", 1);
    assert!(both.reseal(Kind::Answer, &grant("one"), damaged.as_bytes()).is_err());
    let plain = both.clone().refuse_plain().reseal(Kind::Record, &grant("one"), TEXT.as_bytes()).unwrap().unwrap();
    assert_eq!(**new.open(Kind::Record, &grant("one"), plain.as_bytes()).unwrap(), *TEXT.as_bytes());
}

#[test]
fn nothing_that_is_printed_shows_a_key_or_a_text() {
    let sealer = with(RING);
    assert!(!format!("{sealer:?}").contains("fbef"));
    let error = sealer.open(Kind::Record, &grant("one"), b"{\"kind\":\"s3cret\"}").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}
