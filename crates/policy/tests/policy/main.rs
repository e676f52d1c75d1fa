//! The policy crate from outside.

#[cfg(test)]
mod absurd;
#[cfg(test)]
mod access;
#[cfg(test)]
mod bounded;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod delegations;
#[cfg(test)]
mod diff;
#[cfg(test)]
mod diff_names;
#[cfg(test)]
mod diff_samples;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod mistakes_images;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod support;
#[cfg(test)]
mod thirty;
#[cfg(test)]
mod told;
#[cfg(test)]
mod warnings;
#[cfg(test)]
mod worked;
