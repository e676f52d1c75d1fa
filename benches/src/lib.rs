//! Measurements of Portcullis beside its peers.
//!
//! A [`workload`] is a policy and the requests of a day, in a form that belongs to nobody. Each
//! [`contestant`] takes it in its own form and answers the requests. Before any clock starts, all of
//! them give the same answers: a fast wrong answer is worth nothing.

pub mod agreement;
pub mod contestant;
pub mod workload;
