//! What the system refuses a process, whatever it asks for it.

use std::io;

/// What to do about an error that is none of the file's or the server's that was asked for: the process may have no
/// more files or no more memory.
pub fn shortage(error: &io::Error) -> Option<&'static str> {
    advice(error.raw_os_error()?)
}

/// The same of an error that is text by now, as most are where they are told: the standard library ends the system's
/// own errors with `(os error 24)`.
pub fn shortage_told(message: &str) -> Option<&'static str> {
    numbers(message).find_map(advice)
}

/// What the system does not give a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemRefusal {
    /// A right: to a file, or to write where nothing may be written.
    Permission,
    /// Memory, files or disk.
    Shortage,
}

/// Which of these an error is, by the system's number in its text.
pub fn refusal_told(message: &str) -> Option<SystemRefusal> {
    numbers(message).find_map(|number| match number {
        libc::EACCES | libc::EPERM | libc::EROFS => Some(SystemRefusal::Permission),
        libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOSPC | libc::EDQUOT => {
            Some(SystemRefusal::Shortage)
        }
        _ => None,
    })
}

/// The system's numbers in a text.
fn numbers(message: &str) -> impl Iterator<Item = i32> + '_ {
    let numbers = message.split("(os error ").skip(1);
    numbers.filter_map(|rest| rest.split(')').next()?.parse().ok())
}

fn advice(number: i32) -> Option<&'static str> {
    match number {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_text_is_known_by_its_number() {
        for number in [libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
            let error = io::Error::from_raw_os_error(number);
            assert!(shortage(&error).is_some());
            let told = format!("cannot write a/b: {error} at path \"a/b\"");
            assert_eq!(shortage_told(&told), shortage(&error));
        }
        for (number, refusal) in [
            (libc::EACCES, Some(SystemRefusal::Permission)),
            (libc::EROFS, Some(SystemRefusal::Permission)),
            (libc::ENOSPC, Some(SystemRefusal::Shortage)),
            (libc::EMFILE, Some(SystemRefusal::Shortage)),
            (libc::ENOENT, None),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(refusal_told(&format!("cannot write a/b: {error}")), refusal);
        }
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(shortage(&missing), None);
        for told in [&*missing.to_string(), "", "(os error ", "(os error x)"] {
            assert_eq!(shortage_told(told), None, "{told}");
        }
    }
}
