//! The build script of every crate here: tells it which PyO3 it is made of: what Cargo wrote down when it chose one.

use std::{env, fs, path::Path};

fn main() {
    let lock = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../Cargo.lock");
    let text = fs::read_to_string(&lock).expect("Cargo has written no Cargo.lock");
    let version = text
        .split("[[package]]")
        .find(|package| package.contains("name = \"pyo3\"\n"))
        .and_then(|package| package.split("version = \"").nth(1))
        .and_then(|rest| rest.split('"').next())
        .expect("Cargo.lock names no pyo3");
    println!("cargo:rustc-env=PYO3_VERSION={version}");
    println!("cargo:rerun-if-changed={}", lock.display());
}
