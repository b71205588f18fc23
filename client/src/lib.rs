//! A resilient session client for Redis.

pub mod clock;
pub mod core;
pub mod error;
pub mod event;
pub mod profile;
pub mod settings;

pub use clock::Clock;
pub use core::time::Time;
pub use error::CallError;
pub use event::{Event, Mode, Observer, Resync};
pub use profile::Profile;
pub use settings::Settings;
