//! `password_change`: the server asks for another password.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, ServerAct};

/// While it lasts the server asks the instances' user for another password than they have, and the connections of that user are
/// ended when it begins: who logs in is answered `WRONGPASS`. It needs `[redis]` with `password = true`.
///
/// ```toml
/// faults = [{ inject = "password_change" }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {}

impl Inject for PasswordChange {
    const EXAMPLE: &'static str = "inject = \"password_change\"";

    fn act(&self) -> Act {
        Act::Server(ServerAct::PasswordChange)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
