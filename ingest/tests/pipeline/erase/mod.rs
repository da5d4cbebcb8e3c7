//! Erasing persons while events come in, and while everything fails.

mod fence;
mod holds;
mod identity;
mod marks;
mod matrix;
mod model;
mod restore;
mod world;
