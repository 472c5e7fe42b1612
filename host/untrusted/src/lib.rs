//! What others wrote: text on its way to a terminal, a log or a report, and files on their way in.
//!
//! Text is escaped twice. Where foreign text enters a message, [`shown`] makes one short line of it; where the
//! program writes, [`line`] escapes whatever a place has forgotten. Both are the same escapes, and what has been
//! escaped once stays as it is. A message of ours that quotes what nobody has understood goes through
//! [`without_secrets`] too. What to do about a message is a [`Hint`], whose line ends are ours.

mod file;
mod hint;
mod secrets;
mod shortage;
mod text;

pub use file::{PIPE_TIME_LIMIT, check, open, open_lock, read, read_file_or_pipe, too_large};
pub use hint::Hint;
pub use secrets::{file_of_secret, given, may_hold_secret, variable, without_secrets};
pub use shortage::{MEMORY, SystemRefusal, refusal_told, shortage, shortage_told};
pub use text::{line, misleads, quoted, shown, shown_up_to};
