//! `icehost` as the cases run it: the same main function, built with failpoints.

fn main() -> std::process::ExitCode {
    icehost_cli::main()
}
