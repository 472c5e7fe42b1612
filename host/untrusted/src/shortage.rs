//! What the system refuses a process, whatever it asks for it.

use std::io;

/// What to do about an error that is none of the file's or the server's that was asked for: the process may have no
/// more files or no more memory.
pub fn shortage(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE => Some(
            "this process may open no more files: raise its limit (ulimit -n, or LimitNOFILE of its service), or use \
             fewer connections at once",
        ),
        libc::ENFILE => Some("the system can open no more files: see what holds them open"),
        libc::ENOMEM => Some(MEMORY),
        _ => None,
    }
}

/// What to do where the system has no memory or address space for the process.
pub const MEMORY: &str = "this process got no more memory or address space from the system: see what limits it \
     (ulimit -v, or a container's memory); a strategy reserves 4 GiB of address space and uses little of it";
