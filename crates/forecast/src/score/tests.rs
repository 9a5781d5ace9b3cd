mod cases;
mod evidence;
mod naive;
mod parity;
mod track_record;

/// `found` is `expected` to within 1e-9 of it.
fn assert_near(found: f64, expected: f64, what: &str) {
    let tolerance = 1e-9 * expected.abs() + 1e-12;
    assert!((found - expected).abs() <= tolerance, "{what}: found {found}, expected {expected}");
}
