//! What is wrong with settings.

use std::time::Duration;

use super::SettingsError;

/// Settings that are out of their range, as they are found.
pub(super) struct Problems(pub(super) Vec<SettingsError>);

impl Problems {
    pub(super) fn unless(&mut self, fine: bool, key: &str, value: String, cure: &str) {
        if !fine {
            self.0.push(SettingsError { key: key.to_owned(), value, cure: cure.to_owned() });
        }
    }

    pub(super) fn length(&mut self, key: &str, value: Duration, least: Duration, most: Duration) {
        let text = |length| humantime::format_duration(length).to_string();
        let cure = format!("it must be from {} to {}", text(least), text(most));
        self.unless((least..=most).contains(&value), key, text(value), &cure);
    }

    pub(super) fn count(&mut self, key: &str, value: u64, least: u64, most: u64) {
        let cure = format!("it must be from {least} to {most}");
        self.unless((least..=most).contains(&value), key, value.to_string(), &cure);
    }

    pub(super) fn number(&mut self, key: &str, value: f64, least: f64, most: f64) {
        let cure = format!("it must be from {least} to {most}");
        self.unless((least..=most).contains(&value), key, value.to_string(), &cure);
    }

    pub(super) fn share(&mut self, key: &str, value: f64, least: f64) {
        self.number(key, value, least, 1.0);
    }
}
