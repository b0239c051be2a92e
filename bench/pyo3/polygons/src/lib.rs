//! PyO3's side of `./dev bench polygons`.
//!
//! Three steps: the first of the article that examples/polygons/workload.py names, the Python
//! function line by line, on Python's objects; its last, polygons in Rust; and one further, with
//! nothing allocated but the result. NumPy's arrays are read by the buffer protocol, as on Tenure's
//! side.

use pyo3::buffer::{PyBuffer, ReadOnlyCell};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// The elements, without a copy.
fn elements<'a>(py: Python<'a>, buffer: &'a PyBuffer<f64>) -> PyResult<&'a [ReadOnlyCell<f64>]> {
    if buffer.dimensions() != 1 {
        return Err(PyValueError::new_err("an array of one dimension is needed"));
    }
    buffer
        .as_slice(py)
        .ok_or_else(|| PyValueError::new_err("a contiguous array is needed"))
}

fn pair(py: Python<'_>, buffer: &PyBuffer<f64>) -> PyResult<(f64, f64)> {
    match elements(py, buffer)? {
        [x, y] => Ok((x.get(), y.get())),
        _ => Err(PyValueError::new_err("a point has two elements")),
    }
}

fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (x, y) = (a.0 - b.0, a.1 - b.1);
    (x * x + y * y).sqrt()
}

/// Any objects with a center.
#[pyfunction]
fn find_close_polygons_naive<'py>(
    py: Python<'py>,
    polygons: Vec<Bound<'py, PyAny>>,
    point: PyBuffer<f64>,
    max_dist: f64,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let point = pair(py, &point)?;
    let mut close = vec![];
    for poly in polygons {
        let center: PyBuffer<f64> = poly.getattr(intern!(py, "center"))?.extract()?;
        if distance(pair(py, &center)?, point) < max_dist {
            close.push(poly);
        }
    }
    Ok(close)
}

// Frozen, so that no borrow has to be counted to look inside.
#[pyclass(subclass, frozen)]
struct Polygon {
    x: Vec<f64>,
    y: Vec<f64>,
    center: (f64, f64),
}

fn array<'py>(py: Python<'py>, values: &[f64]) -> PyResult<Bound<'py, PyAny>> {
    py.import(intern!(py, "numpy"))?
        .call_method1(intern!(py, "array"), (values,))
}

#[pymethods]
impl Polygon {
    #[new]
    fn new(py: Python<'_>, x: PyBuffer<f64>, y: PyBuffer<f64>) -> PyResult<Self> {
        let copy = |buffer: &PyBuffer<f64>| -> PyResult<Vec<f64>> {
            Ok(elements(py, buffer)?
                .iter()
                .map(|value| value.get())
                .collect())
        };
        let (x, y) = (copy(&x)?, copy(&y)?);
        if x.is_empty() || x.len() != y.len() {
            return Err(PyValueError::new_err(
                "x and y have to be of one length, and not empty",
            ));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let center = (mean(&x), mean(&y));
        Ok(Polygon { x, y, center })
    }

    #[getter]
    fn x<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, &self.x)
    }

    #[getter]
    fn y<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, &self.y)
    }

    #[getter]
    fn center<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, &[self.center.0, self.center.1])
    }
}

/// The same for our own polygons, with a vector in and one out.
#[pyfunction]
fn find_close_polygons_vec<'py>(
    py: Python<'py>,
    polygons: Vec<Bound<'py, Polygon>>,
    point: PyBuffer<f64>,
    max_dist: f64,
) -> PyResult<Vec<Bound<'py, Polygon>>> {
    let point = pair(py, &point)?;
    let mut close = vec![];
    for poly in polygons {
        if distance(poly.get().center, point) < max_dist {
            close.push(poly);
        }
    }
    Ok(close)
}

/// The same from list to list.
#[pyfunction]
fn find_close_polygons<'py>(
    py: Python<'py>,
    polygons: &Bound<'py, PyList>,
    point: PyBuffer<f64>,
    max_dist: f64,
) -> PyResult<Bound<'py, PyList>> {
    let point = pair(py, &point)?;
    let close = PyList::empty(py);
    for item in polygons.iter() {
        let poly = item.cast::<Polygon>()?;
        if distance(poly.get().center, point) < max_dist {
            close.append(poly)?;
        }
    }
    Ok(close)
}

#[pymodule]
fn polygons_pyo3(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("version", concat!("PyO3 ", env!("PYO3_VERSION")))?;
    m.add_class::<Polygon>()?;
    m.add_function(wrap_pyfunction!(find_close_polygons_naive, m)?)?;
    m.add_function(wrap_pyfunction!(find_close_polygons_vec, m)?)?;
    m.add_function(wrap_pyfunction!(find_close_polygons, m)?)
}
