//! How the client says that an operation ended, beside its answer: not every interface's answer says who gave it. A cache's miss
//! does not say whether it is known that there is nothing.

use std::cell::RefCell;

use squall_client::{Ended, Event, ServedBy};
use tokio::task_local;

use super::answers::told;
use crate::subject::OperationError;

task_local! {
    /// How the operation ended that this task carries out.
    static HEARD: RefCell<Option<Ended>>;
}

/// Notes how an operation ended. The client tells it on the task that asked.
pub(super) fn note(event: &Event) {
    if let Event::Operation { ended, .. } = event {
        // What nobody listens to is of no interest.
        let _ = HEARD.try_with(|heard| heard.replace(Some(ended.clone())));
    }
}

/// Carries out an operation, and gives its answer with how it ended; the last one, if it takes several of the client's.
pub(super) async fn listening<A>(operation: impl Future<Output = A>) -> (A, Option<Ended>) {
    HEARD
        .scope(RefCell::new(None), async {
            let answer = operation.await;
            (answer, HEARD.with(RefCell::take))
        })
        .await
}

/// Who answered; the error that an interface keeps to itself, if nobody did.
pub(super) fn by_whom(ended: Option<Ended>) -> Result<ServedBy, OperationError> {
    match ended {
        Some(Ended::Redis) => Ok(ServedBy::Redis),
        Some(Ended::Local) => Ok(ServedBy::Local),
        Some(Ended::Unknown) => Err(error("unavailable", true, "nobody can say")),
        Some(Ended::Failed(error)) => Err(told(error)),
        None => Err(error("internal", false, "the client did not say how the operation ended")),
    }
}

fn error(code: &str, definite: bool, text: &str) -> OperationError {
    OperationError { code: code.to_owned(), definite, text: text.to_owned() }
}
