//! PyO3's side of `./dev bench handles`, as C functions for bench/cpp/handles_pyo3.cc.
//!
//! The loops are on this side, so that the work is as inlined as in a Rust program.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyString};
use pyo3::{ffi, Borrowed};
use std::arch::asm;
use std::ffi::{c_char, CStr};

/// `Subjects` of bench/cpp/handles_sides.h.
#[repr(C)]
pub struct Subjects {
    list: *mut ffi::PyObject,
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    room: *mut ffi::PyObject,
    dict: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
}

const FIRST_NUMBER: usize = 1_000_000;

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

/// The same pointer, of which the compiler knows nothing.
#[inline(always)]
fn fresh(mut object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    unsafe { asm!("/* {0} */", inout(reg) object, options(nostack, preserves_flags)) };
    object
}

#[inline(always)]
fn use_value(value: usize) {
    unsafe { asm!("/* {0} */", in(reg) value, options(nostack, preserves_flags)) };
}

/// A handle that knows the type, without a reference of its own.
#[inline(always)]
unsafe fn known<'a, 'py, T>(
    py: Python<'py>,
    object: *mut ffi::PyObject,
) -> Borrowed<'a, 'py, T> {
    Borrowed::from_ptr(py, fresh(object)).cast_unchecked::<T>()
}

/// Whether the work was done; leaves the error set when not.
fn done(py: Python<'_>, result: PyResult<()>) -> bool {
    match result {
        Ok(()) => true,
        Err(error) => {
            error.restore(py);
            false
        }
    }
}

/// # Safety
///
/// As `Work` of bench/cpp/handles_sides.h; so are all others.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_len(subjects: &Subjects, times: usize) -> bool {
    let py = Python::assume_attached();
    for _ in 0..times {
        use_value(known::<PyList>(py, subjects.list).len());
    }
    true
}

/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_attribute(subjects: &Subjects, times: usize) -> bool {
    let py = Python::assume_attached();
    let work = || -> PyResult<()> {
        for _ in 0..times {
            let found = known::<PyAny>(py, subjects.object).getattr(intern!(py, "name"))?;
            use_value(found.as_ptr() as usize);
        }
        Ok(())
    };
    done(py, work())
}

/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_append(subjects: &Subjects, times: usize) -> bool {
    let py = Python::assume_attached();
    let work = || -> PyResult<()> {
        let none = py.None();
        for _ in 0..times {
            known::<PyList>(py, subjects.room).append(&none)?;
        }
        Ok(())
    };
    done(py, work())
}

/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_lookup(subjects: &Subjects, times: usize) -> bool {
    let py = Python::assume_attached();
    let work = || -> PyResult<()> {
        let key = Borrowed::from_ptr(py, subjects.key).cast_unchecked::<PyString>();
        for _ in 0..times {
            if let Some(found) = known::<PyDict>(py, subjects.dict).get_item(key)? {
                use_value(found.as_ptr() as usize);
            }
        }
        Ok(())
    };
    done(py, work())
}

/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn tenure_pyo3_temporaries(_: &Subjects, times: usize) -> bool {
    let py = Python::assume_attached();
    let work = || -> PyResult<()> {
        for i in 0..times {
            let number = PyInt::new(py, FIRST_NUMBER + i);
            let text = number.str()?;
            use_value(text.as_ptr() as usize);
        }
        Ok(())
    };
    done(py, work())
}
