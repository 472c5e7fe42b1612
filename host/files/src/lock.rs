//! Locks between processes.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a lock is tried that somebody else holds.
const LOOK: Duration = Duration::from_millis(10);

/// An exclusive lock, held until it is dropped, or until the process ends in whatever way.
///
/// The file stays behind, empty: to remove it would let two processes lock two files of one name.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "locked as long as it is open")] File);

impl Lock {
    /// Takes the lock; `None` where somebody else holds it.
    ///
    /// # Errors
    /// A file that cannot be made; a file system that locks no files.
    pub fn try_take(path: &Path) -> io::Result<Option<Lock>> {
        let file = icehost_untrusted::open_lock(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, waiting for whoever holds it. For threads that may block.
    ///
    /// # Errors
    /// As [`Lock::try_take`]; [`io::ErrorKind::TimedOut`] where it is held for longer than the limit, or where
    /// waiting is to be given up.
    pub fn take_within(
        path: &Path,
        limit: Duration,
        give_up: impl Fn() -> bool,
    ) -> io::Result<Lock> {
        let started = Instant::now();
        loop {
            if let Some(lock) = Lock::try_take(path)? {
                return Ok(lock);
            }
            if give_up() || started.elapsed() > limit {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds it",
                ));
            }
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = Lock::try_take(&path).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_take(&path).unwrap().is_none());
        let late = Lock::take_within(&path, Duration::from_millis(30), || false);
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let given_up = Lock::take_within(&path, Duration::from_secs(600), || true);
        assert_eq!(given_up.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Lock::take_within(&path, Duration::from_secs(60), || false)
        });
        drop(held);
        drop(waiting.join().unwrap().unwrap());
        assert!(Lock::try_take(&path).unwrap().is_some());
        assert!(path.exists());
    }
}
