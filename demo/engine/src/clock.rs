//! The server's clock and time zone, which tests can set.
//!
//! `SYSDATETIME`, `GETDATE` and `CURRENT_TIMESTAMP` give the server's local time, `SYSUTCDATETIME` and
//! `GETUTCDATE` UTC, `SYSDATETIMEOFFSET` local time with its offset (T-SQL reference, "Date and time data types
//! and functions"). The offset is one number, not a zone with rules: who tests the end of summer time sets it
//! to 60 minutes after it has been 120, as the hour strikes.

use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::datetime::{EPOCH_1900, MAX_DAY, TICKS_PER_DAY};

/// Days from 1900-01-01 to 1970-01-01.
const UNIX_DAY: i32 = 25_567;
const TICKS_PER_MINUTE: i128 = 600_000_000;

/// A moment: days since 0001-01-01 and 100 ns ticks since midnight.
pub(crate) type Moment = (i32, u64);

#[derive(Debug, Clone, Copy, Default)]
struct Setting {
    /// What is added to the machine's clock, in ticks.
    shift: i128,
    /// Where the clock was stopped, in ticks since 0001-01-01.
    stopped: Option<i128>,
    /// Local time minus UTC, in minutes.
    offset: i16,
}

/// A clock in UTC with an offset. It follows the machine's clock until it is set.
#[derive(Debug, Default)]
pub struct Clock {
    setting: Mutex<Setting>,
}

fn machine() -> i128 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let days = i128::from(EPOCH_1900 + UNIX_DAY);
    days * i128::from(TICKS_PER_DAY) + (elapsed.as_nanos() / 100) as i128
}

/// The moment of a number of ticks, within the years 1 to 9999.
fn moment(ticks: i128) -> Moment {
    let day = i128::from(TICKS_PER_DAY);
    let last = (i128::from(MAX_DAY) + 1) * day - 1;
    let ticks = ticks.clamp(0, last);
    ((ticks / day) as i32, (ticks % day) as u64)
}

impl Clock {
    /// The time in UTC.
    pub(crate) fn utc(&self) -> Moment {
        let setting = *self.setting.lock();
        moment(setting.stopped.unwrap_or_else(|| machine() + setting.shift))
    }

    /// The server's local time.
    pub(crate) fn local(&self) -> Moment {
        let offset = self.offset();
        to_local(self.utc(), offset)
    }

    /// Local time minus UTC, in minutes.
    pub(crate) fn offset(&self) -> i16 {
        self.setting.lock().offset
    }

    /// Sets the time in UTC, from which the clock goes on.
    pub(crate) fn set_utc(&self, (days, ticks): Moment) {
        let wanted = i128::from(days) * i128::from(TICKS_PER_DAY) + i128::from(ticks);
        let mut setting = self.setting.lock();
        setting.shift = wanted - machine();
        if setting.stopped.is_some() {
            setting.stopped = Some(wanted);
        }
    }

    /// Moves the clock by seconds, back where they are negative.
    pub fn advance(&self, seconds: i64) {
        let ticks = i128::from(seconds) * 10_000_000;
        let mut setting = self.setting.lock();
        setting.shift += ticks;
        if let Some(stopped) = &mut setting.stopped {
            *stopped += ticks;
        }
    }

    /// Stops the clock where it is, or lets it go on from there.
    pub fn stop(&self, stopped: bool) {
        let mut setting = self.setting.lock();
        match (setting.stopped, stopped) {
            (None, true) => setting.stopped = Some(machine() + setting.shift),
            (Some(at), false) => {
                setting.shift = at - machine();
                setting.stopped = None;
            }
            _ => {}
        }
    }

    /// Sets local time minus UTC, in minutes from -840 to 840.
    pub fn set_offset(&self, minutes: i16) {
        self.setting.lock().offset = minutes.clamp(-840, 840);
    }
}

/// A moment in UTC as local time.
pub(crate) fn to_local((days, ticks): Moment, offset: i16) -> Moment {
    let utc = i128::from(days) * i128::from(TICKS_PER_DAY) + i128::from(ticks);
    moment(utc + i128::from(offset) * TICKS_PER_MINUTE)
}
