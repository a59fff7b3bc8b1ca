//! The program `jackfield`; everything it does is in the library.

use std::process::ExitCode;

/// An answer is hundreds of small things that live for a moment. The system's allocator took a third of the time of a page.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jackfield::cli::run()
}
