//! What the gate serves of its own.

pub mod management;
