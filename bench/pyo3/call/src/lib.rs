//! PyO3's side of `./dev bench call`.

use pyo3::prelude::*;

#[pyfunction]
fn nothing() {}

#[pyfunction]
#[pyo3(signature = (_x, /))]
fn one(_x: &Bound<'_, PyAny>) {}

#[pyfunction]
#[pyo3(signature = (x, y, z))]
#[allow(unused_variables)]
fn three(x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>, z: &Bound<'_, PyAny>) {}

#[pyfunction]
fn add(x: f64, y: f64, z: f64) -> f64 {
    x + y + z
}

#[pyclass]
struct Vector {
    #[pyo3(get)]
    x: f64,
    y: f64,
}

#[pymethods]
impl Vector {
    #[new]
    fn new(x: f64, y: f64) -> Self {
        Vector { x, y }
    }

    fn length2(&self) -> f64 {
        self.x * self.x + self.y * self.y
    }

    fn scale(&mut self, f: f64) {
        self.x *= f;
        self.y *= f;
    }
}

#[pymodule]
fn call_pyo3(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("version", concat!("PyO3 ", env!("PYO3_VERSION")))?;
    m.add_function(wrap_pyfunction!(nothing, m)?)?;
    m.add_function(wrap_pyfunction!(one, m)?)?;
    m.add_function(wrap_pyfunction!(three, m)?)?;
    m.add_function(wrap_pyfunction!(add, m)?)?;
    m.add_class::<Vector>()
}
