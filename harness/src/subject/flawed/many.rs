//! Requests on several sessions that are about fewer, or about others.

use std::sync::Arc;

use super::Described;
use super::answers::{Reply, destroy};
use super::host::Host;
use super::wrong::Wrong;
use crate::load::{Many, Several};
use crate::subject::BoxFuture;

pub(super) const ANSWERS_OF_MANY_IN_ANOTHER_ORDER: Described = Described {
    name: "answers-of-many-in-another-order",
    check: "I2",
    wrong: "When several sessions are read at once the answers come in the order of their keys, not in that of the question.",
    known_from: "",
    needs: "a load through the cache with `read_many`",
    shown_in: "interfaces/many-at-once",
    plant: |_| Box::new(AnotherOrder),
};

pub(super) const CLEARS_ONE_PAGE: Described = Described {
    name: "clears-one-page",
    check: "I6",
    wrong: "Clearing all sessions ends those of the first page of a scan, and says that all have ended.",
    known_from: "",
    needs: "a load with `clear`, and more than ten sessions",
    shown_in: "interfaces/cleared-under-load",
    plant: |_| Box::new(OnePage),
};

struct AnotherOrder;

impl Wrong for AnotherOrder {
    fn call_several<'a>(&'a self, host: &'a Arc<Host>, mut several: Several) -> BoxFuture<'a, Vec<Reply>> {
        if several.what == Many::Read {
            several.sessions.sort_by_key(ToString::to_string);
        }
        host.call_several(several)
    }
}

struct OnePage;

/// Sessions of a page.
const PAGE: usize = 10;

impl Wrong for OnePage {
    fn call_several<'a>(&'a self, host: &'a Arc<Host>, several: Several) -> BoxFuture<'a, Vec<Reply>> {
        if several.what != Many::Clear {
            return host.call_several(several);
        }
        Box::pin(async move {
            let mut replies = Vec::new();
            for session in several.sessions.iter().take(PAGE) {
                replies.push(host.call(destroy(*session)).await);
            }
            let worst = replies.iter().find(|reply| reply.is_err()).or(replies.last()).cloned();
            worst.map(|reply| vec![reply; several.sessions.len()]).unwrap_or_default()
        })
    }
}
