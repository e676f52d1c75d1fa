//! The gate as its users meet it: the built program, a real docker-registry behind it, and the real
//! docker, podman, skopeo and containerd in front. Runs as root on a machine that may be thrown away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod administration;
mod attacks_on_gates;
mod audit;
mod barriers;
mod built_images;
mod canaries;
mod clients;
mod clocks;
mod conformance;
mod credential_helper;
mod denials;
mod faults;
mod federation;
mod forged_tokens;
mod framing;
mod grace;
mod guide;
mod http2;
mod identity_tokens;
mod image_commands;
mod keys;
mod kill;
mod killed_gate;
mod last_good;
mod links;
mod lists;
mod login;
mod mounts;
mod moving;
mod page_deletes;
mod pages;
mod passwords;
mod pinned;
mod policy_changes;
mod policy_diff;
mod policy_in_force;
mod privileges;
mod promotions;
mod pulls;
mod racing;
mod release_example;
mod release_story;
mod reload;
mod reload_under_load;
mod remembered;
mod replicas;
mod revocation;
mod scans;
mod second_registry;
mod sequences;
mod services;
mod shadow;
mod sign_in;
mod signed_images;
mod start;
mod support;
mod tag_limited;
mod targets;
mod tokens;
mod trust;
mod trust_page;
mod turns;
mod uploads;
mod use_registry;
mod why_denied;
