//! Where values leave the client, and where they come back: everything that takes or gives a value goes through here.

use bytes::Bytes;

use super::{SealError, sealed_with};
use crate::answer::{Found, Lookup, SessionError};
use crate::core::sessions::Write;
use crate::store::Store;

impl Store {
    /// What is to be written, as it leaves the client. Without keys it is as it is, unless it would be taken for encrypted.
    pub(crate) fn sealed(&self, id: &str, write: Write) -> Result<Write, SessionError> {
        Ok(match write {
            Write::Create { payload, ttl } => Write::Create { payload: self.seal_value(id, payload)?, ttl },
            Write::Update { payload } => Write::Update { payload: self.seal_value(id, payload)? },
            Write::Touch { .. } | Write::Destroy => write,
        })
    }

    /// What was found, with its value opened. One that does not open is counted and told like any other that is damaged.
    pub(crate) fn opened(&self, id: &str, lookup: Lookup) -> Result<Lookup, SessionError> {
        match lookup {
            Lookup::Found { session: Found { value, ttl }, served_by } => match self.open_value(id, &value) {
                Ok(value) => Ok(Lookup::Found { session: Found { value, ttl }, served_by }),
                Err(error) => {
                    self.tell_damaged();
                    Err(error.into())
                }
            },
            Lookup::Absent { .. } | Lookup::Unknown { .. } => Ok(lookup),
        }
    }

    /// The value that the local copy keeps so.
    pub(crate) fn open_value(&self, id: &str, value: &Bytes) -> Result<Bytes, SealError> {
        match (&self.seal, sealed_with(value)) {
            (Some(seal), _) => seal.open(&self.script.key_prefix, id, value),
            (None, Ok(None)) => Ok(value.clone()),
            // An instance that was started without the keys must not hand out, and then write over, what it cannot read.
            (None, Ok(Some(number))) => Err(SealError::NoKey(number)),
            (None, Err(error)) => Err(error),
        }
    }

    fn seal_value(&self, id: &str, value: Bytes) -> Result<Bytes, SessionError> {
        match &self.seal {
            Some(seal) => seal.seal(&self.script.key_prefix, id, &value).map_err(SessionError::Sealed),
            None if sealed_with(&value) == Ok(None) => Ok(value),
            None => Err(SessionError::Invalid(
                "the value begins as encrypted ones do, and this client has no keys",
            )),
        }
    }
}
