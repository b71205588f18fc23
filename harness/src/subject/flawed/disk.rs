//! What is said to lie on disk, and does not.

use super::Described;
use super::wrong::Wrong;
use crate::history::Capability;
use crate::subject::Hello;

pub(super) const NEVER_ON_DISK: Described = Described {
    name: "never-on-disk",
    check: "I1",
    wrong: "Says that what it accepts without Redis lies on disk, and keeps it in memory only.",
    known_from: "",
    needs: "an outage with updates, in which instances crash",
    shown_in: "instance/crashes-in-an-outage",
    plant: |start| {
        start.disk = None;
        Box::new(SaysDurable)
    },
};

struct SaysDurable;

impl Wrong for SaysDurable {
    fn hello(&self, hello: &mut Hello) {
        if !hello.can.contains(&Capability::Durable) {
            hello.can.push(Capability::Durable);
        }
    }
}
