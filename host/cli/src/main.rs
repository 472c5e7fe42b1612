//! `icehost`, the command line.

fn main() -> std::process::ExitCode {
    icehost_cli::main()
}
