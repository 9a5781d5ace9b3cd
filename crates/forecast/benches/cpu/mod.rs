//! What a process has used of processors.

use std::io::{Error, ErrorKind};

/// Seconds of processor this process has used so far: `utime` and `stime` of proc(5), in hundredths of a second.
pub(crate) fn cpu_seconds() -> std::io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let unexpected = || Error::new(ErrorKind::InvalidData, "/proc/self/stat is not as proc(5) says");
    let (_, fields) = stat.rsplit_once(')').ok_or_else(unexpected)?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().map_err(|_| unexpected()));
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}
