use proptest::prelude::*;

use super::*;

#[test]
fn promise_3_hashes_are_those_anyone_can_compute() {
    // Computed once with Python's hashlib from the definition at the head of this module.
    let bodies =
        [r#"{"kind":"schedule","recorded_at":"2024-01-01T00:00:00Z"}"#, r#"{"kind":"void","reason":"köszönöm ∅"}"#];
    let first = Entry::new(&ChainId::live(), 0, Hash::ZERO, bodies[0].into());
    assert_eq!(first.hash.to_string(), "a1cab7bf3011cd6bc39616d4fba73055fbc8054e5463f8fa2b99a76312876070");
    let second = Entry::new(&ChainId::live(), 1, first.hash, bodies[1].into());
    assert_eq!(second.hash.to_string(), "fa39cde67160bf8c9b55c5d687bb49578787141166c4d62daa7439aa27434ef7");
    assert_eq!(second.prev, first.hash);
    let replay: ChainId = "replay/2018-19".parse().unwrap();
    let other = Entry::new(&replay, 0, Hash::ZERO, bodies[0].into());
    assert_eq!(other.hash.to_string(), "19245c6591b41eadc190dc983497826ce792478092633d5bc2a322dd5133792d");
}

#[test]
fn promise_4_the_chain_is_part_of_the_hash() {
    let body = "{}";
    let hash = |chain: &str| entry_hash(&chain.parse().unwrap(), 0, &Hash::ZERO, body);
    let hashes = ["live", "replay/a", "replay/b", "simulated/a"].map(hash);
    for (i, one) in hashes.iter().enumerate() {
        assert!(hashes[i + 1..].iter().all(|other| other != one), "the same body in another chain is another entry");
    }
}

#[test]
fn published_sha_256_vectors() {
    for (bytes, hex) in [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
        let hash = Hash::of(bytes.as_bytes());
        assert_eq!(hash.to_string(), hex);
        assert_eq!((hash.short(), format!("{hash:?}")), (hex[..16].to_owned(), hex.to_owned()));
    }
}

#[test]
fn what_is_no_hash() {
    for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"g".repeat(64), &"é".repeat(32)] {
        assert_eq!(text.parse::<Hash>(), Err(HashError), "{text:?}");
    }
    assert_eq!("0".repeat(64).parse(), Ok(Hash::ZERO));
}

#[test]
fn chains_by_name() {
    let check = |text: &str, expected: Result<(Origin, Option<&str>), &str>| {
        let found = text.parse::<ChainId>();
        match (&found, expected) {
            (Ok(chain), Ok((origin, run))) => assert_eq!((chain.origin(), chain.run_id()), (origin, run), "{text}"),
            (Err(error), Err(complaint)) => assert_eq!(error.to_string(), complaint, "{text}"),
            _ => panic!("{text}: {found:?}"),
        }
    };
    check("live", Ok((Origin::Live, None)));
    check("replay/2018-19", Ok((Origin::Replay, Some("2018-19"))));
    check("simulated/a_B-9", Ok((Origin::Simulated, Some("a_B-9"))));
    check("live/1", Err("live needs a run id: replay/RUN or simulated/RUN, and live alone"));
    check("replay", Err("replay needs a run id: replay/RUN or simulated/RUN, and live alone"));
    check("replay/", Err("\"\" is not a run id: 1 to 64 letters, digits, - or _ are expected"));
    check("replay/a/b", Err("\"a/b\" is not a run id: 1 to 64 letters, digits, - or _ are expected"));
    check("replay/a\nb", Err("\"a\\nb\" is not a run id: 1 to 64 letters, digits, - or _ are expected"));
    check("backtest/1", Err("\"backtest\" is not a known origin; known are live, replay, simulated"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_hash_comes_back(bytes in prop::array::uniform32(any::<u8>())) {
        let hash = Hash(bytes);
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn a_chain_comes_back(live in any::<bool>(), origin in 0_usize..3, run in "[A-Za-z0-9_-]{1,64}") {
        let origin = Origin::ALL[origin];
        let run = (origin != Origin::Live || !live).then_some(run.as_str());
        match ChainId::new(origin, run) {
            Ok(chain) => prop_assert_eq!(chain.to_string().parse::<ChainId>().unwrap(), chain),
            Err(_) => prop_assert_eq!(origin, Origin::Live, "only a live chain refuses a run"),
        }
    }

    #[test]
    fn promise_3_any_change_changes_the_hash(
        seq in 0_u64..1000, body in "\\PC{0,40}", other in "\\PC{0,40}", prev in prop::array::uniform32(any::<u8>()),
    ) {
        let chain = ChainId::live();
        let hash = entry_hash(&chain, seq, &Hash(prev), &body);
        prop_assert_eq!(entry_hash(&chain, seq, &Hash(prev), &other) == hash, body == other);
        prop_assert_ne!(entry_hash(&chain, seq + 1, &Hash(prev), &body), hash);
        let mut flipped = prev;
        flipped[31] ^= 1;
        prop_assert_ne!(entry_hash(&chain, seq, &Hash(flipped), &body), hash);
    }
}
