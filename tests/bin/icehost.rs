//! `icehost` as the cases run it: the same main function, built with failpoints, and able to count the
//! allocations that it makes.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// A file for the number of allocations that the whole run made, and the most bytes that it had at once;
/// nothing is counted without it.
const COUNT_ALLOCATIONS: &str = "ICEHOST_TEST_COUNT_ALLOCATIONS";

fn main() -> ExitCode {
    let Some(file) = std::env::var_os(COUNT_ALLOCATIONS) else {
        return icehost_cli::main();
    };
    let _counting = dhat::Profiler::builder()
        .testing()
        .trim_backtraces(Some(4))
        .build();
    let code = icehost_cli::main();
    let heap = dhat::HeapStats::get();
    match std::fs::write(&file, format!("{} {}", heap.total_blocks, heap.max_bytes)) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
