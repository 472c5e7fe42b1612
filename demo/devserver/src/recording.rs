//! Statements kept in a file, for judges that look at them afterwards.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Files of this process, so that each server has its own.
static FILES: AtomicU32 = AtomicU32::new(0);

/// The distinct statements that a server was sent, with the declarations of their parameters.
///
/// A record is the line `D T`, then D bytes of declarations and T bytes of text, in UTF-8.
#[derive(Debug)]
pub(crate) struct Recording {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    file: File,
    seen: HashSet<(String, String)>,
}

impl Recording {
    /// A new file in a directory, which is created if need be.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn create(directory: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.statements", std::process::id());
        let file = File::create_new(directory.join(name))?;
        Ok(Self {
            kept: Mutex::new(Kept {
                file,
                seen: HashSet::new(),
            }),
        })
    }

    /// Notes a statement. It is in the file when this returns.
    pub(crate) fn note(&self, text: &str, declarations: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.seen.insert((text.to_owned(), declarations.to_owned())) {
            return;
        }
        let record = format!(
            "{} {}\n{declarations}{text}",
            declarations.len(),
            text.len()
        );
        if let Err(error) = kept.file.write_all(record.as_bytes()) {
            tracing::error!(%error, "a statement could not be recorded");
        }
    }
}
