//! What the tests stand on: servers, clients and images.

pub(crate) mod api;
pub(crate) mod browser;
pub(crate) mod buildx;
pub(crate) mod cli;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod cosign;
pub(crate) mod fake_gate;
pub(crate) mod ferro;
pub(crate) mod gate;
pub(crate) mod images;
pub(crate) mod pause;
pub(crate) mod process;
#[allow(dead_code, reason = "the unit tests of the gate use it too, and more of it")]
pub(crate) mod provider;
pub(crate) mod push;
pub(crate) mod recorder;
pub(crate) mod registry;
pub(crate) mod release;
#[allow(dead_code, reason = "the unit tests of the gate use it too, and more of it")]
pub(crate) mod scanner;
pub(crate) mod scene;
pub(crate) mod upstream;
pub(crate) mod wire;

pub(crate) mod ctr;
pub(crate) mod docker;
pub(crate) mod podman;
pub(crate) mod postgres;
pub(crate) mod skopeo;
