//! Checkpoint files: written and read back, signed, and refused when anything is off.

use market::{ChainId, Checkpoint, Hash};

use crate::ledger::{CheckpointFile, LedgerError, PublicKey, SecretKey};

/// Test 1 of RFC 8032, section 7.1.
const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn checkpoint() -> Checkpoint {
    Checkpoint {
        chain: ChainId::live(),
        seq: 41_210,
        hash: Hash::of(b"head"),
        time: "2026-01-05T21:00:07.25Z".parse().unwrap(),
    }
}

fn signed() -> CheckpointFile {
    CheckpointFile::signed(checkpoint(), &SECRET.parse().unwrap())
}

#[test]
fn a_file_holds_chain_seq_hash_and_time() {
    let hash = Hash::of(b"head");
    let text = CheckpointFile::unsigned(checkpoint()).to_json();
    let expected = format!(r#"{{"chain":"live","seq":41210,"hash":"{hash}","time":"2026-01-05T21:00:07.25Z"}}"#);
    assert_eq!(text, expected + "\n");
}

#[test]
fn files_are_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("head.json");
    for file in [CheckpointFile::unsigned(checkpoint()), signed()] {
        file.write(&path).unwrap();
        let read = CheckpointFile::read(&path).unwrap();
        assert_eq!(read, file);
        assert_eq!(read.verified(None).unwrap(), &checkpoint());
    }
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["head.json"]);
    let missing = CheckpointFile::read(&dir.path().join("nowhere")).unwrap_err();
    assert!(missing.to_string().starts_with("failed to read checkpoint "), "{missing}");
}

#[test]
fn a_key_is_64_hex_digits_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    let key = SecretKey::read(&path).unwrap();
    assert_eq!(key.public_key().to_string(), PUBLIC);
    assert_eq!(format!("{key:?}"), "SecretKey(***)");
    for text in ["", "9d61", &SECRET[1..], &SECRET.replace('9', "g"), &SECRET.replace('9', "é")] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(SecretKey::read(&path), Err(LedgerError::NotAKey)), "{text:?}");
    }
    assert!(SecretKey::read(&dir.path().join("nowhere")).is_err());
}

#[test]
fn promise_3_a_signature_stands_for_one_checkpoint_and_one_key() {
    let trusted: PublicKey = PUBLIC.parse().unwrap();
    assert_eq!(signed().public_key(), Some(trusted));
    assert_eq!(signed().verified(Some(&trusted)).unwrap(), &checkpoint());

    let refused = |file: &CheckpointFile, trusted| file.verified(trusted).unwrap_err().to_string();
    let other = SECRET.replace('9', "8").parse::<SecretKey>().unwrap().public_key();
    assert!(refused(&signed(), Some(&other)).ends_with("by another key"));
    assert!(refused(&CheckpointFile::unsigned(checkpoint()), Some(&trusted)).ends_with("there is none"));

    let text = signed().to_json();
    for (from, to) in [
        ("live", "replay/one"),
        ("41210", "41211"),
        ("07.25Z", "08.25Z"),
        (&*checkpoint().hash.to_string(), &*Hash::ZERO.to_string()),
    ] {
        let forged = CheckpointFile::parse(&text.replace(from, to)).unwrap();
        assert!(refused(&forged, None).ends_with("not over this checkpoint"), "{to}");
    }
}

#[test]
fn other_texts_are_no_checkpoints() {
    let text = signed().to_json();
    for (from, to) in [
        ("{", ""),
        ("\"chain\"", "\"chein\""),
        ("live", "alive"),
        ("41210", "-1"),
        ("2026-01-05T", "2026-01-32T"),
        ("\"public_key\":", "\"key\":"),
        (PUBLIC, "00"),
        (&*checkpoint().hash.to_string(), "00"),
    ] {
        assert!(CheckpointFile::parse(&text.replace(from, to)).is_err(), "{from} as {to}");
    }
    let (without, _) = text.split_once(",\"signature\"").unwrap();
    assert!(CheckpointFile::parse(&format!("{without}}}")).is_err());
}
