//! What is to be shown by measuring: a minute of each path, and its figures as rows of the table in docs/benchmarks.md.

mod changing;
mod crowd;
mod joins;
mod lossy;
mod narrow;

/// How long each path is looked at, in seconds.
const MINUTE: f64 = 60.0;
/// From then on a viewer is sent what its path carries, in seconds from the click on the camera.
const SETTLED: f64 = 4.0;
