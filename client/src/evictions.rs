//! Asks Redis whether it had to remove keys for want of memory, and brings everything again when it did.

use redis::{FromRedisValue as _, Value};

use crate::core::time::Time;
use crate::error::CallError;
use crate::store::Store;

impl Store {
    /// Asks how many keys were evicted; marks everything to be brought again if some were and it has stopped.
    ///
    /// A user who may not ask for INFO learns nothing: what is evicted then comes back when it is used.
    pub(crate) async fn check_evictions(&self, deadline: Time) -> Result<(), CallError> {
        if !self.memory.evictions().due(self.clock.now()) {
            return Ok(());
        }
        let asked = self.script.gateway.call(redis::cmd("INFO").arg("stats"), true, deadline).await;
        let info = match asked {
            Ok(info) => info,
            Err(CallError::Refused(_)) => return self.evictions_unknown(),
            Err(CallError::Auth(code)) if code == "NOPERM" => return self.evictions_unknown(),
            Err(error) => return Err(error),
        };
        let Some(evicted) = evicted_keys(info) else { return Ok(()) };
        let now = self.clock.now();
        let bring = self.memory.evictions().counted(now, evicted);
        if bring {
            self.memory.lock().bring_all(now);
            self.memory.waiting.notify_one();
        }
        Ok(())
    }

    fn evictions_unknown(&self) -> Result<(), CallError> {
        self.memory.evictions().refused(self.clock.now());
        Ok(())
    }
}

fn evicted_keys(info: Value) -> Option<u64> {
    let info = String::from_redis_value(info).ok()?;
    info.lines().find_map(|line| line.strip_prefix("evicted_keys:"))?.trim().parse().ok()
}
