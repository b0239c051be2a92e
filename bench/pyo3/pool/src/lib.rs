//! PyO3's side of `./dev bench pool/create`: a class with a freelist, and one without.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

// As many as are alive at once in the benchmark, and some.
#[pyclass(freelist = 1100)]
struct Point {
    #[pyo3(get)]
    x: f64,
    #[allow(dead_code)]
    y: f64,
}

#[pymethods]
impl Point {
    #[new]
    fn new(x: f64, y: f64) -> Self {
        Point { x, y }
    }
}

// Without: PyO3 0.28 does not show the collector what comes from a freelist.
#[pyclass]
struct Node {
    held: Option<Py<PyAny>>,
}

#[pymethods]
impl Node {
    #[new]
    fn new(held: Py<PyAny>) -> Self {
        Node { held: Some(held) }
    }

    #[getter]
    fn held(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.held.as_ref().map(|held| held.clone_ref(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.held)
    }

    fn __clear__(&mut self) {
        self.held = None;
    }
}

#[pymodule]
fn pool_pyo3(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("version", concat!("PyO3 ", env!("PYO3_VERSION")))?;
    m.add_class::<Point>()?;
    m.add_class::<Node>()
}
