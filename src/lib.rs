//! Portcullis: a gatekeeper for container registries.
//!
//! A map for the reader. `proxy/request.rs` is the life of a request; start there. It parses
//! (`oci`), authenticates (`identity`, `token`), decides (`authorize`, `policy`, `inventory`) and
//! forwards (`proxy`, `upstream`). `app` builds all of it once, starts it and stops it.

mod answer;
pub mod app;
pub mod audit;
mod authority;
pub mod authorize;
pub mod body;
mod catalog;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod config;
pub mod content;
pub mod fetch;
pub mod files;
pub mod identity;
pub mod inventory;
pub mod issue;
pub mod jwks;
pub mod last_good;
pub mod log;
pub mod metrics;
mod pem;
pub mod policy_folder;
pub mod proxy;
pub mod public_url;
mod recent;
pub mod refusal;
pub mod release;
pub mod reload;
pub mod reloads;
pub mod replay;
pub mod scanner;
pub mod secret;
pub mod service;
pub mod shadow;
pub mod signature;
pub mod state;
pub mod status;
pub mod store;
pub mod token;
pub mod upstream;
pub mod watch;
pub mod web;

#[cfg(test)]
#[path = "../tests/integration/support/provider.rs"]
mod sample_provider;

#[cfg(test)]
#[path = "../tests/integration/support/scanner.rs"]
mod sample_scanner;
