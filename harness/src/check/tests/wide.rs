//! Sessions that many instances were asked for: less is kept of each read, and nothing is judged otherwise.

use super::{finding, story};
use crate::check::Verdict;
use crate::history::History;

/// More than anything is kept for.
const MANY: usize = 20;

/// The history, of so many instances, after each of them beyond the first two has changed the session.
fn wide(instances: usize, rest: &str) -> History {
    let updates: Vec<String> = (2..instances)
        .map(|n| format!("1.{:03}-1.{:03} i{n} update s0 {n}-1 -> redis", 200 + 10 * n, 205 + 10 * n))
        .collect();
    let text = format!("1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n{}\n{rest}", updates.join("\n"));
    let mut history = story::history(&text);
    history.head.instances = u16::try_from(instances).unwrap();
    history
}

#[test]
fn a_session_of_many_instances_is_judged_as_one_of_few() {
    let cases = [
        ("I1", Verdict::Pass, "2.0-2.1 i0 update s0 0-2 -> redis\n2.2-2.3 i1 get s0 -> redis 0-2"),
        ("I1", Verdict::Fail, "2.0-2.1 i0 update s0 0-2 -> redis\n2.2-2.3 i1 get s0 -> redis 0-1"),
        ("I3", Verdict::Pass, "2.0-2.1 i1 update s0 1-1 -> local\n2.2-2.3 i1 get s0 -> local 1-1"),
        ("I3", Verdict::Fail, "2.0-2.1 i1 update s0 1-1 -> local\n2.2-2.3 i1 get s0 -> local none"),
        ("I6", Verdict::Pass, "2.0-2.1 i0 destroy s0 -> redis\n2.2-2.3 i1 get s0 -> redis none"),
        ("I6", Verdict::Fail, "2.0-2.1 i0 destroy s0 -> redis\n2.2-2.3 i1 get s0 -> redis 0-1"),
        ("I7", Verdict::Pass, "700.0-700.1 i1 get s0 -> redis none"),
        ("I7", Verdict::Fail, "700.0-700.1 i1 get s0 -> redis 0-1"),
        ("I8", Verdict::Pass, "2.0-2.1 i1 get s0 -> redis 0-1"),
        ("I8", Verdict::Fail, "2.0-2.1 i1 get s0 -> redis none"),
    ];
    for (check, verdict, rest) in cases {
        for instances in [2, MANY] {
            let found = finding(&wide(instances, rest), check);
            assert_eq!(found.verdict, verdict, "{check} of {instances}, {rest}: {}", found.says);
        }
    }
}
