//! Files that are not whole, or no backups.

use squall_client::{RestoreProblem, Restored, Settings};

use super::redis::{MINUTE, Redis, create, quick};
use super::{all, backup, calm, fails, restore};

#[tokio::test]
async fn a_file_that_is_cut_off_anywhere_is_noticed_and_all_that_is_there_is_restored() {
    let (Some(redis), Some(other)) = (Redis::start().await, Redis::start().await) else { return };
    let told = redis.session_client(1, &calm());
    for number in 0..3 {
        create(&told, &format!("s{number}"), "x", MINUTE).await;
    }
    let (file, _) = backup(&told).await;
    let restorer = other.session_client(2, &calm());
    let ends: Vec<usize> = (0..file.len()).filter(|at| file[*at] == b'\n').collect();
    // Without the last byte, which ends the last line, nothing is missing.
    for length in 0..file.len() - 1 {
        let error = fails(&restorer, &file[..length]).await;
        let lines = ends.iter().filter(|end| **end < length).count() as u64;
        if length < ends[0] {
            assert!(matches!(error.why, RestoreProblem::NoBackup), "{length}: {error}");
        } else {
            // A whole line that only lacks its end is whole.
            let whole = ends.iter().filter(|end| **end <= length).count() as u64 - 1;
            let part = u64::from(length > ends[whole as usize] + 1);
            assert!(matches!(error.why, RestoreProblem::CutOff), "{length}: {error}");
            assert_eq!(error.so_far.written + error.so_far.known, whole, "{length}");
            assert_eq!(error.so_far.damaged, part, "{length}");
            assert!((lines + 1..=lines + 2).contains(&error.line), "{length}: {error}");
        }
    }
    assert_eq!(restore(&restorer, &file[..file.len() - 1]).await.known, 3);
}

#[tokio::test]
async fn a_redis_that_takes_nothing_is_told_before_a_file_that_is_cut_off() {
    let (Some(redis), Some(mut other)) = (Redis::start().await, Redis::start().await) else { return };
    let told = redis.session_client(1, &calm());
    for number in 0..3 {
        create(&told, &format!("s{number}"), "x", MINUTE).await;
    }
    let (file, _) = backup(&told).await;
    let restorer = other.session_client(2, &calm());
    other.kill();
    let error = fails(&restorer, &file[..file.len() - 10]).await;
    assert!(matches!(error.why, RestoreProblem::Call(_)), "{error}");
    assert_eq!((error.so_far.written, error.so_far.damaged), (0, 1));
}

#[tokio::test]
async fn damaged_and_missing_lines_are_counted_named_and_left_out() {
    let (Some(redis), Some(other)) = (Redis::start().await, Redis::start().await) else { return };
    let told = redis.session_client(1, &calm());
    for number in 0..10 {
        create(&told, &format!("s{number}"), "x", MINUTE).await;
    }
    let (file, _) = backup(&told).await;
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let mut changed = lines.concat();
    let at = lines[..4].concat().len() + 30;
    changed[at] ^= 1;
    let restorer = other.session_client(2, &calm());
    let expected = Restored { written: 9, damaged: 1, damaged_lines: vec![5], ..Restored::default() };
    assert_eq!(restore(&restorer, &changed).await, expected);
    let without = [&lines[..4], &lines[6..]].concat().concat();
    let expected = Restored { known: 8, damaged: 2, ..Restored::default() };
    assert_eq!(restore(&restorer, &without).await, expected);
    assert_eq!(restore(&restorer, &file).await, Restored { written: 1, known: 9, ..Restored::default() });
    let twice = [&file[..], &file].concat();
    let error = fails(&restorer, &twice).await;
    assert!(matches!(error.why, RestoreProblem::AfterEnd), "{error}");
    assert_eq!(error.to_string(), "line 13: something follows the end of the backup");
}

#[tokio::test]
async fn what_is_no_backup_of_this_client_is_refused_and_nothing_is_written() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &quick());
    create(&told, "s", "x", MINUTE).await;
    let (file, _) = backup(&told).await;
    let settings = Settings { key_prefix: "tenant:".to_owned(), ..quick() };
    let tenant = redis.session_client(2, &settings);
    assert_eq!(
        fails(&tenant, &file).await.to_string(),
        "line 1: this is a backup of the prefix \"session:\", and this client has the prefix \"tenant:\": use one with the other"
    );
    let long = vec![b'x'; 3 << 20];
    for foreign in [&b""[..], b"\n", b"REDIS0011\xfa", b"{\"a\": 1}\n{}\n", &long] {
        let error = fails(&told, foreign).await;
        assert!(matches!(error.why, RestoreProblem::NoBackup), "{error}");
        assert_eq!(error.line, 1);
    }
    let later = fails(&told, b"squall-backup 2 session: 5 of another form\n").await;
    assert!(matches!(&later.why, RestoreProblem::Newer(form) if form == "2"), "{later}");
    assert_eq!(all(&redis, "tenant:*").await.len(), 0);
}
