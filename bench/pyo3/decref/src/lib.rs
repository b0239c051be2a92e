//! What PyO3 does with references that are dropped, as C functions for bench/cpp/decref_pyo3.cc.
//!
//! The loops are on this side, so that a drop is as inlined as in a Rust program.

use pyo3::{ffi, Py, PyAny, Python};
use std::arch::asm;
use std::ffi::{c_char, c_void, CStr};
use std::{ptr, slice};

/// Such as "PyO3 0.28.2".
#[no_mangle]
pub extern "C" fn tenure_pyo3_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!("PyO3 ", env!("PYO3_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!(),
        };
    VERSION.as_ptr()
}

/// Drops a `Py<PyAny>` of each object, `times` times. Steals as many references.
///
/// # Safety
///
/// `objects` are `count` objects, each with `times` references to spare. Thread state: any.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_drop(
    objects: *const *mut ffi::PyObject,
    count: usize,
    times: usize,
) {
    for _ in 0..times {
        for object in slice::from_raw_parts(objects.cast::<Py<PyAny>>(), count) {
            drop(ptr::read(object));
            // What is in memory is looked at again for each, as on the other sides.
            asm!("", options(nostack, preserves_flags));
        }
    }
}

/// The same, each in a function of its own: nothing that the drops share is done once for all.
///
/// # Safety
///
/// As `tenure_pyo3_drop`.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_drop_apart(
    objects: *const *mut ffi::PyObject,
    count: usize,
    times: usize,
) {
    #[inline(never)]
    fn apart(object: Py<PyAny>) {
        drop(object);
    }
    for _ in 0..times {
        for object in slice::from_raw_parts(objects.cast::<Py<PyAny>>(), count) {
            apart(ptr::read(object));
        }
    }
}

/// Does what was put off, as attaching does; then calls `body`, attached in PyO3's eyes too.
/// Requires: attached, but not in PyO3's eyes.
#[no_mangle]
pub extern "C" fn tenure_pyo3_attach(body: extern "C" fn(*mut c_void), argument: *mut c_void) {
    Python::attach(|_| body(argument))
}
