use super::*;

const KEY: [u8; KEY_LENGTH] = [7; KEY_LENGTH];
const OTHER: [u8; KEY_LENGTH] = [8; KEY_LENGTH];

fn open(seal: &Seal, sealed: &Bytes) -> Result<Bytes, SealError> {
    seal.open("session:", "a", sealed)
}

fn sealed(seal: &Seal, value: &[u8]) -> Bytes {
    seal.seal("session:", "a", value).unwrap()
}

#[test]
fn what_is_sealed_opens_for_its_session_alone_and_shows_nothing() {
    let seal = Seal::new(1, &KEY);
    let hidden = sealed(&seal, b"secret");
    assert_eq!(hidden.len(), 6 + OVERHEAD);
    assert!(!hidden.windows(6).any(|window| window == b"secret"));
    assert_eq!(open(&seal, &hidden).unwrap(), Bytes::from_static(b"secret"));
    // The last one has the same key in Redis.
    for (prefix, id) in [("session:", "b"), ("Session:", "a"), ("tenant:", "a"), ("", "a"), ("session", ":a")]
    {
        assert_eq!(seal.open(prefix, id, &hidden), Err(SealError::Broken(1)), "{prefix} {id}");
    }
    assert_ne!(sealed(&seal, b"secret"), hidden, "each has a nonce of its own");
    assert_eq!(open(&seal, &sealed(&seal, b"")).unwrap(), Bytes::new());
}

#[test]
fn every_byte_that_changes_or_lacks_is_noticed() {
    let seal = Seal::new(1, &KEY);
    let hidden = sealed(&seal, b"secret");
    for at in 0..hidden.len() {
        let mut changed = hidden.to_vec();
        changed[at] ^= 1;
        assert!(open(&seal, &changed.into()).is_err(), "{at}");
        assert!(open(&seal, &hidden.slice(..at)).is_err(), "{at}");
    }
}

#[test]
fn a_key_that_lacks_and_one_that_is_another_are_told_apart_from_damage() {
    let old = sealed(&Seal::new(1, &KEY), b"1");
    let new = Seal::new(2, &OTHER);
    assert_eq!(open(&new, &old), Err(SealError::NoKey(1)));
    assert_eq!(open(&Seal::new(1, &OTHER), &old), Err(SealError::OtherKey(1)));
    let mut changed = old.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(open(&Seal::new(1, &KEY), &changed.into()), Err(SealError::Broken(1)));
    let mut later = old.to_vec();
    later[3] = b'2';
    assert_eq!(open(&new, &later.into()), Err(SealError::Newer));
}

#[test]
fn a_key_is_replaced_while_values_of_the_old_one_live() {
    let old = sealed(&Seal::new(1, &KEY), b"1");
    let both = Seal::new(2, &OTHER).and_key(1, &KEY);
    assert_eq!(open(&both, &old).unwrap(), Bytes::from_static(b"1"));
    let fresh = sealed(&both, b"2");
    assert_eq!(open(&Seal::new(2, &OTHER), &fresh).unwrap(), Bytes::from_static(b"2"));
}

#[test]
fn a_value_that_is_not_encrypted_is_read_only_where_that_is_allowed() {
    let plain = Bytes::from_static(b"plain");
    assert_eq!(open(&Seal::new(1, &KEY), &plain), Err(SealError::Plain));
    assert_eq!(open(&Seal::new(1, &KEY).and_plain(), &plain).unwrap(), plain);
}

#[test]
fn neither_keys_nor_what_is_derived_from_them_is_shown() {
    let seal = Seal::new(1, &KEY).and_key(9, &OTHER);
    assert_eq!(format!("{seal:?}"), "Seal { keys: [1, 9], plain: false, .. }");
}
