use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn a_flaw_is_found_by_its_name_and_a_misspelt_one_has_a_suggestion() {
    for flaw in Flaw::every() {
        assert_eq!(flaw.name().parse::<Flaw>().as_ref(), Ok(flaw));
    }
    let told = "resync-of".parse::<Flaw>().unwrap_err();
    assert_eq!(told, "unknown flaw \"resync-of\"; did you mean \"resync-off\"?");
    assert!("x".parse::<Flaw>().unwrap_err().contains("drops-every-fifth-update, write-behind"));
}

#[test]
fn every_flaw_is_described_in_plain_words_and_named_once() {
    let names: BTreeSet<&str> = Flaw::every().map(|flaw| flaw.name()).collect();
    assert_eq!(names.len(), Flaw::every().count());
    for flaw in Flaw::every() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        assert!(flaw.name().bytes().all(plain), "{flaw:?}");
        assert!(flaw.wrong().ends_with('.') && flaw.wrong().len() > 30, "{flaw:?}: {}", flaw.wrong());
        let cells = [flaw.wrong(), flaw.known_from(), flaw.needs()];
        assert!(cells.iter().all(|cell| !cell.contains(['|', '\n'])), "{flaw:?}");
    }
}

#[test]
fn every_check_has_two_flaws_at_least() {
    let mut flaws: BTreeMap<String, u32> = (1..=18).map(|number| (format!("I{number}"), 0)).collect();
    for flaw in Flaw::ALL {
        *flaws.get_mut(flaw.check()).unwrap_or_else(|| panic!("{flaw:?}: {}", flaw.check())) += 1;
    }
    let few: Vec<_> = flaws.iter().filter(|(_, count)| **count < 2).collect();
    assert!(few.is_empty(), "{few:?}");
    assert!(Flaw::ALL.len() >= 40);
}
