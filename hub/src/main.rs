//! The program `jackfield`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    jackfield::cli::run()
}
