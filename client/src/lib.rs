//! A resilient session client for Redis.
